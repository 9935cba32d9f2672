package envelope_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var at = crypto.Context{Tenant: "acme", Field: "order.note"}

// A memKEK is a key in memory that counts its calls and fails on request.
type memKEK struct {
	uri            string
	aead           cipher.AEAD
	wraps, unwraps atomic.Int64
	inFlight, peak atomic.Int64
	hook           atomic.Pointer[func(context.Context) error]

	mu   sync.Mutex
	last map[string]string
}

func newKEK(uri string) *memKEK {
	key := make([]byte, 32)
	copy(key, uri)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &memKEK{uri: uri, aead: aead}
}

func (k *memKEK) URI() string          { return k.uri }
func (k *memKEK) Purpose() kms.Purpose { return kms.Envelopes }

// fail answers every call with an error of that family, nil with none.
func (k *memKEK) fail(family error) {
	if family == nil {
		k.hook.Store(nil)
		return
	}
	err := fmt.Errorf("injected: %w", family)
	k.hook.Store(new(func(context.Context) error { return err }))
}

func (k *memKEK) enter(ctx context.Context, ec map[string]string) (leave func(), err error) {
	n := k.inFlight.Add(1)
	for p := k.peak.Load(); n > p && !k.peak.CompareAndSwap(p, n); p = k.peak.Load() {
	}
	k.mu.Lock()
	k.last = maps.Clone(ec)
	k.mu.Unlock()
	if hook := k.hook.Load(); hook != nil {
		err = (*hook)(ctx)
	}
	return func() { k.inFlight.Add(-1) }, err
}

func (k *memKEK) Wrap(ctx context.Context, plaintext []byte, ec map[string]string) ([]byte, error) {
	k.wraps.Add(1)
	leave, err := k.enter(ctx, ec)
	defer leave()
	if err != nil {
		return nil, err
	}
	return k.aead.Seal(nil, nil, plaintext, kms.AppendContext(nil, ec)), nil
}

func (k *memKEK) Unwrap(ctx context.Context, wrapped []byte, ec map[string]string) ([]byte, error) {
	k.unwraps.Add(1)
	leave, err := k.enter(ctx, ec)
	defer leave()
	if err != nil {
		return nil, err
	}
	out, err := k.aead.Open(nil, nil, wrapped, kms.AppendContext(nil, ec))
	if err != nil {
		return nil, fmt.Errorf("not of this key: %w", kms.ErrInvalid)
	}
	return out, nil
}

// bubble runs a test on a clock of its own. The entropy source of the FIPS module is
// the jitter of the real clock, and fails on one that stands still.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("the FIPS module cannot draw entropy from a synthetic clock")
	}
	synctest.Test(t, test)
}

// open returns a client of cfg, closed when the test ends.
func open(t testing.TB, cfg envelope.Config) *envelope.Client {
	t.Helper()
	c, err := envelope.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// with returns a client of these KEKs.
func with(t testing.TB, keks ...kms.KEK) *envelope.Client {
	t.Helper()
	return open(t, envelope.Config{KEKs: keks})
}

func seal(t testing.TB, c *envelope.Client, plaintext string, at crypto.Context) []byte {
	t.Helper()
	ciphertext, err := c.Encrypt(t.Context(), []byte(plaintext), at)
	require.NoError(t, err)
	return ciphertext
}

func requireOpens(t testing.TB, c *envelope.Client, want string, ciphertext []byte, at crypto.Context) {
	t.Helper()
	got, err := c.Decrypt(t.Context(), ciphertext, at)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}
