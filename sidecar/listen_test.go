package sidecar

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/sidecar/api"
	"github.com/privet-dev/privet/sidecar/client"
)

func TestSocketsModes(t *testing.T) {
	r := start(t, nil)
	info, err := os.Stat(r.Socket())
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o660, info.Mode())
	info, err = os.Stat(filepath.Dir(r.Socket()))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o750), info.Mode().Perm())
	path := r.Socket()
	require.NoError(t, r.stop())
	require.NoFileExists(t, path)
}

func TestAStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(folder(t), "api.sock")
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.FileExists(t, path)
	l, err = listenUnix(path)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestSocketsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"another sidecar": {func(t *testing.T, path string) {
			l, err := listenUnix(path)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
		}, "is locked by a running process"},
		"another program": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
		}, "a running process answers on"},
		"a file": {func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
			t.Cleanup(func() {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, "precious", string(b))
			})
		}, "is not a socket; it is left alone"},
		"a link to a socket": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path+".other")
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			require.NoError(t, os.Symlink(path+".other", path))
		}, "is not a socket"},
		"a folder for everybody": {func(t *testing.T, path string) {
			require.NoError(t, os.Chmod(filepath.Dir(path), 0o777))
		}, "others can write"},
		"a folder for the group": {func(t *testing.T, path string) {
			require.NoError(t, os.Chmod(filepath.Dir(path), 0o770))
		}, "others can write"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t), "api.sock")
			c.prepare(t, path)
			_, err := listenUnix(path)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, fault.Config, fault.KindOf(err))
		})
	}
	_, err := listenUnix("/" + strings.Repeat("x", maxSocketPath))
	require.ErrorContains(t, err, "longer than")
	_, err = listenUnix("api.sock")
	require.ErrorContains(t, err, "not an absolute path")
	_, err = listenUnix("@abstract")
	require.ErrorContains(t, err, "not an absolute path")
}

func TestAddressesThatAreRefused(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", ":0", "192.0.2.1:80", "db.example.org:80", "localhost.example.org:80", "127.0.0.1"} {
		for _, set := range []func(*Config){
			func(c *Config) { c.TCP = addr },
			func(c *Config) { c.Diagnostics = addr },
		} {
			cfg, _ := config(t)
			cfg.Keys = &fakeKeys{}
			set(&cfg)
			_, err := New(cfg)
			require.Error(t, err, addr)
			require.Equal(t, fault.Config, fault.KindOf(err))
		}
	}
	for _, addr := range []string{"127.0.0.1:0", "127.8.9.1:0", "[::1]:0", "localhost:0"} {
		require.NoError(t, requireLoopback("TCP", addr))
	}
}

func TestConfigsThatAreRefused(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "no keys")
	_, err = New(Config{Keys: &fakeKeys{}, TCP: "127.0.0.1:0"})
	require.ErrorContains(t, err, "no caller has a token file")
	_, err = New(Config{Keys: &fakeKeys{}, Callers: map[string]Caller{"a": {UID: new(uint32(7))}, "b": {UID: new(uint32(7))}}})
	require.ErrorContains(t, err, "callers a and b have the same uid:7")
	s, err := New(Config{Keys: &fakeKeys{}})
	require.NoError(t, err)
	require.ErrorContains(t, s.Serve(t.Context()), "no address to listen on")

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	cfg, _ := config(t)
	cfg.Keys, cfg.TCP = &fakeKeys{}, busy.Addr().String()
	s, err = New(cfg)
	require.NoError(t, err)
	require.Error(t, s.Listen())
	require.NoFileExists(t, cfg.Unix, "what was bound before the failure is given back")
}

func TestPeersAreKnownByTheirIDs(t *testing.T) {
	call := func(t *testing.T, caller Caller) error {
		caller.Roles = []string{"writer"}
		r := start(t, func(c *Config) { c.Callers["peer"] = caller })
		c, err := client.New(client.Config{Socket: r.Socket()})
		require.NoError(t, err)
		defer c.Close()
		_, err = c.Encrypt(t.Context(), "acme", one)
		if err == nil {
			require.Contains(t, r.log.String(), `"caller":"peer"`)
		}
		return err
	}
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	require.NoError(t, call(t, Caller{UID: &uid}))
	require.NoError(t, call(t, Caller{GID: &gid}))
	require.Equal(t, api.Unauthenticated, codeOf(t, call(t, Caller{UID: new(uid + 1)})), "nobody is known implicitly, root neither")
}

func TestAWrongTokenIsNotMadeGoodByThePeer(t *testing.T) {
	r := start(t, func(c *Config) {
		c.Callers["peer"] = Caller{UID: new(uint32(os.Getuid())), Roles: []string{"writer"}}
	})
	wrong := filepath.Join(r.dir, "wrong")
	require.NoError(t, os.WriteFile(wrong, []byte(strings.Repeat("w", minToken)), 0o600))
	c, err := client.New(client.Config{Socket: r.Socket(), TokenFile: wrong})
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Encrypt(t.Context(), "acme", one)
	require.Equal(t, api.Unauthenticated, codeOf(t, err))
}

func get(t *testing.T, url string) (int, string) {
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	http.DefaultClient.CloseIdleConnections()
	return resp.StatusCode, strings.TrimSpace(string(body))
}

func TestDiagnostics(t *testing.T) {
	var away atomic.Bool
	r := start(t, func(c *Config) {
		c.Ready = func(context.Context) error {
			if away.Load() {
				return errors.New("the keystore is away")
			}
			return nil
		}
	})
	for path, want := range map[string]string{"/livez": "ok", "/readyz": "ready", "/version": "test"} {
		status, body := get(t, r.DiagnosticsURL()+path)
		require.Equal(t, 200, status)
		require.Equal(t, want, body)
	}
	status, _ := get(t, r.DiagnosticsURL()+api.PathHealth)
	require.Equal(t, 404, status, "there are no data routes")

	away.Store(true)
	var body string
	require.Eventually(t, func() bool {
		status, body = get(t, r.DiagnosticsURL()+"/readyz")
		return status == 503
	}, 10*readyLife, 10*time.Millisecond)
	require.Equal(t, "the keys are not available", body)
	_, err := r.client(t, "app").Health(t.Context())
	require.Equal(t, api.NotReady, codeOf(t, err))
}

func TestDiagnosticsAnswerNoBrowser(t *testing.T) {
	r := start(t, nil)
	for _, header := range []string{"Host: evil.example", "Host: localhost\r\nOrigin: http://evil.example", "Host: localhost\r\nSec-Fetch-Site: cross-site"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(r.DiagnosticsURL(), "http://"))
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "GET /version HTTP/1.1\r\n"+header+"\r\n\r\n")
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.Equal(t, 403, resp.StatusCode, header)
	}
}

// Probes need no caller: however many there are, they are one question to the keys.
func TestProbesDoNotLoadTheKeystore(t *testing.T) {
	var asked atomic.Int32
	answer := make(chan struct{})
	r := start(t, func(c *Config) {
		c.Ready = func(context.Context) error {
			asked.Add(1)
			<-answer
			return nil
		}
	})
	c := r.client(t, "nobody")
	impatient, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { _, err := c.Health(impatient); gone <- err }()
	require.Eventually(t, func() bool { return asked.Load() == 1 }, 5*time.Second, time.Millisecond)
	cancel()
	require.Error(t, <-gone)
	done := make(chan error)
	for range 20 {
		go func() { _, err := c.Health(t.Context()); done <- err }()
	}
	close(answer)
	for range 20 {
		require.NoError(t, <-done, "one client that went away says nothing about the keys")
	}
	require.LessOrEqual(t, asked.Load(), int32(2))
}

func TestConnectionsAreLimited(t *testing.T) {
	r := start(t, func(c *Config) { c.MaxConns = 2; c.ReadTimeout = 200 * time.Millisecond })
	var silent []net.Conn
	for range 10 {
		conn, err := net.Dial("unix", r.Socket())
		require.NoError(t, err)
		defer conn.Close()
		silent = append(silent, conn)
	}
	require.Eventually(t, func() bool { return len(r.unix.Listener.(*connLimit).open) == 2 }, 5*time.Second, time.Millisecond)
	_, err := r.client(t, "app").Encrypt(t.Context(), "acme", one)
	require.NoError(t, err, "those who say nothing make room")
	require.NoError(t, silent[0].Close())
	require.NoError(t, r.stop())
}

func TestConnectionsOfStrangersAreNotKept(t *testing.T) {
	r := start(t, nil)
	for _, request := range []string{
		"GET /v1/encrypt HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX-Privet: 1\r\n\r\n",
		"POST /v1/encrypt HTTP/1.1\r\nHost: localhost\r\nX-Privet: 1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	} {
		resp, err := raw(t, r, request)
		require.NoError(t, err)
		defer resp.Body.Close()
		require.True(t, resp.Close, request)
	}
	resp, err := raw(t, r, head(t, r, "Content-Length: 2\r\n")+"{}")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.False(t, resp.Close, "a known caller's is, whatever it got wrong")
}

func TestDrainStopsAllListenersAtOnce(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	r := start(t, func(c *Config) {
		c.Keys = &fakeKeys{encrypt: func(context.Context, []byte) ([]byte, error) {
			close(entered)
			<-leave
			return []byte("x"), nil
		}}
	})
	inFlight := make(chan error)
	c := r.client(t, "app")
	go func() { _, err := c.Encrypt(context.Background(), "acme", one); inFlight <- err }()
	<-entered
	tcp, diagnostics := strings.TrimPrefix(r.URL(), "http://"), r.DiagnosticsURL()
	stopped := make(chan error)
	go func() { stopped <- r.stop() }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", tcp)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 5*time.Second, time.Millisecond, "TCP takes nothing new while the socket's requests end")
	status, _ := get(t, diagnostics+"/readyz")
	require.Equal(t, 503, status)
	close(leave)
	require.NoError(t, <-inFlight)
	require.NoError(t, <-stopped)
}

func TestDrain(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	closed := closer(make(chan struct{}))
	r := start(t, func(c *Config) {
		c.Closer = closed
		c.Keys = &fakeKeys{encrypt: func(context.Context, []byte) ([]byte, error) {
			close(entered)
			<-leave
			return []byte("x"), nil
		}}
	})
	c := r.client(t, "app")
	inFlight := make(chan error)
	go func() {
		_, err := c.Encrypt(context.Background(), "acme", one)
		inFlight <- err
	}()
	<-entered
	stopped := make(chan error)
	socket := r.Socket()
	go func() { stopped <- r.stop() }()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 5*time.Second, time.Millisecond, "no new connections")
	select {
	case <-closed:
		t.Fatal("the keys were closed under a request in flight")
	default:
	}
	close(leave)
	require.NoError(t, <-inFlight, "a request in flight ends well")
	require.NoError(t, <-stopped)
	<-closed
}

type closer chan struct{}

func (c closer) Close() error { close(c); return nil }

func TestDrainCutsOffWhatDoesNotEnd(t *testing.T) {
	entered := make(chan struct{})
	r := start(t, func(c *Config) {
		c.DrainTimeout = 10 * time.Millisecond
		c.Keys = &fakeKeys{encrypt: func(ctx context.Context, _ []byte) ([]byte, error) {
			close(entered)
			<-ctx.Done()
			return nil, ctx.Err()
		}}
	})
	c := r.client(t, "app")
	inFlight := make(chan error)
	go func() {
		_, err := c.Encrypt(context.Background(), "acme", one)
		inFlight <- err
	}()
	<-entered
	err := r.stop()
	require.ErrorContains(t, err, "still in flight")
	require.Equal(t, fault.Stopped, fault.KindOf(err))
	require.Error(t, <-inFlight)
}

func TestReadinessGoesBeforeTheListener(t *testing.T) {
	r := start(t, func(c *Config) { c.DrainDelay = time.Minute })
	require.NoError(t, func() error { _, err := r.client(t, "app").Health(t.Context()); return err }())
	go r.stop()
	url := r.DiagnosticsURL()
	require.Eventually(t, func() bool { s, _ := get(t, url+"/readyz"); return s == 503 }, 5*time.Second, time.Millisecond)
	_, err := r.client(t, "app").Encrypt(t.Context(), "acme", one)
	require.NoError(t, err, "requests are still taken during the delay")
	r.unix.http.Close() // ends the delay
	r.stop()
}

func TestDev(t *testing.T) {
	t.Setenv(deployment.EnvPassphraseFile, "")
	state := filepath.Join(folder(t), "state")
	log := &syncBuffer{}
	run := func() (*Development, func()) {
		s, err := Dev(t.Context(), DevConfig{StateDir: state, Options: Options{Version: "test", Logger: slog.New(slog.NewJSONHandler(log, nil))}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.Serve(ctx) }()
		return s, func() {
			cancel()
			require.NoError(t, <-done)
		}
	}
	s, stop := run()
	info, err := os.Stat(s.TokenFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	_, err = Dev(t.Context(), DevConfig{StateDir: state})
	require.ErrorContains(t, err, "locked by a running process")

	at := client.At{Tenant: "any", Subject: "42", Field: "customer.email"}
	var ct string
	for _, cfg := range []client.Config{{Socket: s.Socket()}, {URL: s.URL(), TokenFile: s.TokenFile}} {
		c, err := client.New(cfg)
		require.NoError(t, err)
		ct, err = c.EncryptOne(t.Context(), at, []byte("jane\xff"))
		require.NoError(t, err)
		masked, null, err := c.MaskOne(t.Context(), "any", "email", "jane@example.com")
		require.NoError(t, err)
		require.False(t, null)
		require.NotContains(t, masked, "jane")
		c.Close()
	}
	token, err := os.ReadFile(s.TokenFile)
	require.NoError(t, err)
	stop()

	s, stop = run()
	defer stop()
	again, err := os.ReadFile(s.TokenFile)
	require.NoError(t, err)
	require.Equal(t, token, again, "a token that is there is kept")
	c, err := client.New(client.Config{URL: s.URL(), TokenFile: s.TokenFile})
	require.NoError(t, err)
	defer c.Close()
	plain, err := c.DecryptOne(t.Context(), at, ct)
	require.NoError(t, err)
	require.Equal(t, "jane\xff", string(plain))
}

func TestFromDeploymentSaysWhere(t *testing.T) {
	c, err := deployment.Parse("/d.yaml", []byte("version: 1\nkeys: {kek: \"file:/k\", keystore: \"sqlite:/s\"}\nlisten: {tcp: \"0.0.0.0:80\"}\n"))
	require.NoError(t, err)
	_, err = FromDeployment(&deployment.Deployment{Config: c})
	require.ErrorContains(t, err, "/d.yaml:3:10: ")
	require.ErrorContains(t, err, "not a loopback address")
}

func TestDeploy(t *testing.T) {
	t.Setenv(deployment.EnvPassphraseFile, "")
	c, err := deployment.Default(filepath.Join(folder(t), "state"))
	require.NoError(t, err)
	c.Listen.Diagnostics = "192.0.2.1:80"
	_, err = Deploy(t.Context(), c, Options{})
	require.ErrorContains(t, err, "embedded defaults: ")
	c.Listen.Diagnostics = ""
	s, err := Deploy(t.Context(), c, Options{})
	require.NoError(t, err, "what failed before left nothing open")
	require.Empty(t, s.URL())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Serve(ctx))
	require.NoFileExists(t, s.Socket())
}
