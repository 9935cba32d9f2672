package sidecar

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/sidecar/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A syncBuffer is a log that the server writes and the test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// A running sidecar of a test, with callers by token:
//
//	app     may encrypt and mask for acme, and decrypt its customer.* fields
//	masker  may mask for globex, in the domain email
//	nobody  has no role
type running struct {
	*Server
	dir  string
	log  *syncBuffer
	stop func() error // ends Serve and returns its error; may be called twice
}

func (r *running) tokenFile(caller string) string { return filepath.Join(r.dir, caller+".token") }

func (r *running) token(t testing.TB, caller string) string {
	b, err := os.ReadFile(r.tokenFile(caller))
	require.NoError(t, err)
	return strings.TrimSpace(string(b))
}

// client returns a client of the socket as one of the callers.
func (r *running) client(t testing.TB, caller string) *client.Client {
	c, err := client.New(client.Config{Socket: r.Socket(), TokenFile: r.tokenFile(caller)})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// realKeys returns a client of the crypto room with keys of its own.
func realKeys(t testing.TB) *crypto.Client {
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek"), nil)
	require.NoError(t, err)
	keys, err := crypto.New(context.Background(), crypto.Config{KEK: kek, Keystore: memstore.New()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return keys
}

// folder returns a folder of the test whose path is short enough for sockets.
func folder(t testing.TB) string {
	dir, err := os.MkdirTemp("", "pv")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// config returns the configuration that the tests share.
func config(t testing.TB) (Config, *running) {
	r := &running{dir: folder(t), log: &syncBuffer{}}
	for _, caller := range []string{"app", "masker", "nobody"} {
		require.NoError(t, createTokens(r.tokenFile(caller)))
	}
	a, err := access.New(map[string][]access.Rule{
		"writer": {{Do: []access.Operation{access.Encrypt, access.Mask}, Tenants: []string{"acme"}}},
		"reader": {{Do: []access.Operation{access.Decrypt}, Tenants: []string{"acme"}, Fields: []string{"customer.*"}}},
		"masker": {{Do: []access.Operation{access.Mask}, Tenants: []string{"globex"}, Domains: []string{"email"}}},
	})
	require.NoError(t, err)
	return Config{
		Access: a,
		Callers: map[string]Caller{
			"app":    {TokenFile: r.tokenFile("app"), Roles: []string{"writer", "reader"}},
			"masker": {TokenFile: r.tokenFile("masker"), Roles: []string{"masker"}},
			"nobody": {TokenFile: r.tokenFile("nobody")},
		},
		Unix: filepath.Join(r.dir, "run", "api.sock"), TCP: "127.0.0.1:0", Diagnostics: "127.0.0.1:0",
		Logger:  slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Version: "test",
	}, r
}

// start runs a sidecar until the test ends; change may alter its configuration.
func start(t testing.TB, change func(*Config)) *running {
	cfg, r := config(t)
	if change != nil {
		change(&cfg)
	}
	if cfg.Keys == nil {
		cfg.Keys = realKeys(t)
	}
	s, err := New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	r.Server = s
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { r.stop() })
	return r
}
