package refresh

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/pgtest"
)

// hole forwards one connection to the server until it is told to swallow what the
// server says.
type hole struct {
	io.Writer
	swallows *atomic.Bool
}

// Write forwards p, or nothing.
func (h hole) Write(p []byte) (int, error) {
	if h.swallows.Load() {
		return len(p), nil
	}
	return h.Writer.Write(p)
}

// A network that swallows everything ends the watch: nobody could tell any more
// whether production waits.
func TestAWatcherThatHearsNothing(t *testing.T) {
	uri := pgtest.Database(t)
	config, err := pgx.ParseConfig(uri)
	require.NoError(t, err)
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	require.NoError(t, err)
	defer listener.Close()
	var swallows atomic.Bool
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		network, address := pgconn.NetworkAddress(config.Host, config.Port)
		server, err := net.Dial(network, address)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, client) }()
		_, _ = io.Copy(hole{client, &swallows}, server)
	}()
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", listener.Addr().String())
	}
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	require.NoError(t, look(t.Context(), conn, "nobody", time.Minute))
	swallows.Store(true)
	require.ErrorContains(t, watch(t.Context(), conn, "nobody", 4*time.Millisecond, 100*time.Millisecond), "watch for waiting sessions")
}
