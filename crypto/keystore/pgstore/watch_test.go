package pgstore_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/internal/pgtest"
)

// A pooler stands before the server, and can keep notifications back, as those do
// that give every transaction another session, or break all connections.
type pooler struct {
	uri  string
	deaf atomic.Bool
	kept atomic.Int64 // notifications that were kept back

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func newPooler(t *testing.T, uri string) *pooler {
	t.Helper()
	cfg, err := pgconn.ParseConfig(uri)
	require.NoError(t, err)
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	p := &pooler{conns: map[net.Conn]struct{}{}}
	u := url.URL{Scheme: "postgresql", Path: "/" + cfg.Database, RawQuery: url.Values{
		"host": {dir}, "port": {"5432"}, "user": {cfg.User}, "password": {cfg.Password}, "sslmode": {"disable"},
	}.Encode()}
	p.uri = u.String()
	var group sync.WaitGroup
	group.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			p.hold(client, server)
			group.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
			group.Go(func() { p.answer(client, server); _ = client.Close(); _ = server.Close() })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.breakAll()
		group.Wait()
	})
	return p
}

func (p *pooler) hold(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
}

// breakAll breaks every connection.
func (p *pooler) breakAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

// answer passes the server's messages on: a type, a length, a body.
func (p *pooler) answer(client, server net.Conn) {
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'A' && p.deaf.Load() {
			p.kept.Add(1)
			continue
		}
		if _, err := client.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// watched opens the keystore behind p, and sends what is told of it.
func watched(t *testing.T, p *pooler) <-chan keystore.ID {
	t.Helper()
	s := open(t, p.uri)
	told := make(chan keystore.ID, 1000)
	stop, err := s.Watch(t.Context(), func(id keystore.ID) { told <- id })
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		require.NoError(t, s.Close())
	})
	return told
}

// requireTold waits until id is told; others may come before.
func requireTold(t *testing.T, told <-chan keystore.ID, id keystore.ID) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case got := <-told:
			if got == id {
				return
			}
		case <-deadline:
			require.FailNow(t, "not told", "%s", id)
		}
	}
}

func subject(name string) keystore.Record {
	return keystore.Record{
		ID:    keystore.ID{Tenant: "acme", Purpose: "subject", Subject: name},
		State: keystore.Active, Wrapped: []byte("w"), Version: 1,
	}
}

// listening waits until n sessions listen.
func listening(t *testing.T, uri string, n int) {
	t.Helper()
	conn := pgtest.Connect(t, uri)
	require.Eventually(t, func() bool {
		var got int
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`).Scan(&got)
		return err == nil && got == n
	}, 20*time.Second, 10*time.Millisecond)
}

// A listener that is lost costs everything that was kept, at once and again when
// another listens; then changes are told one by one as before.
func TestLostListenerForgetsEverything(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for time to pass")
	}
	uri := pgtest.Database(t)
	p := newPooler(t, uri)
	s := open(t, uri)
	defer s.Close()
	probe, erased := subject("probe"), subject("x")
	require.NoError(t, s.Create(t.Context(), probe))
	require.NoError(t, s.Create(t.Context(), erased))
	told := watched(t, p)
	listening(t, uri, 1)
	probe.State, probe.Wrapped = keystore.Erased, nil
	require.NoError(t, s.Update(t.Context(), probe))
	requireTold(t, told, probe.ID)

	p.breakAll()
	requireTold(t, told, keystore.ID{})
	requireTold(t, told, keystore.ID{})
	erased.State, erased.Wrapped = keystore.Erased, nil
	require.NoError(t, s.Update(t.Context(), erased))
	requireTold(t, told, erased.ID)
}

// Behind a pooler that gives every transaction another session no notification
// arrives: the start finds that out, and polling tells.
func TestPollingReplacesADeafListener(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for time to pass")
	}
	uri := pgtest.Database(t)
	p := newPooler(t, uri)
	p.deaf.Store(true)
	s := open(t, uri)
	defer s.Close()
	early, late := subject("early"), subject("late")
	require.NoError(t, s.Create(t.Context(), early))
	require.NoError(t, s.Create(t.Context(), late))
	told := watched(t, p)
	// One change while the listener still tries to prove itself, one when it gave up.
	early.State, early.Wrapped = keystore.Erased, nil
	require.NoError(t, s.Update(t.Context(), early))
	requireTold(t, told, early.ID)
	listening(t, uri, 0)
	require.Positive(t, p.kept.Load())
	late.State, late.Wrapped = keystore.Erased, nil
	require.NoError(t, s.Update(t.Context(), late))
	requireTold(t, told, late.ID)
}

// Whatever writes to the table, psql included, is told of; what no ID can be made of
// stands for everything.
func TestOtherProgramsAreHeard(t *testing.T) {
	uri := pgtest.Database(t)
	s := open(t, uri)
	defer s.Close()
	r := subject("x")
	require.NoError(t, s.Create(t.Context(), r))
	told := watched(t, newPooler(t, uri))
	listening(t, uri, 1)
	pgtest.Exec(t, uri, `UPDATE privet.keyring SET state = 2, wrapped = ''`)
	requireTold(t, told, r.ID)
	for _, payload := range []string{`[]`, `nonsense`, `["acme","subject","zz"]`, `["acme","subject"]`, `[1,2,3]`} {
		_, err := pgtest.Connect(t, uri).Exec(t.Context(), `SELECT pg_notify('privet_keystore', $1)`, payload)
		require.NoError(t, err)
		requireTold(t, told, keystore.ID{})
	}
}

func TestWatchNeedsTheTables(t *testing.T) {
	uri := pgtest.Database(t)
	s := open(t, uri)
	defer s.Close()
	pgtest.Exec(t, uri, `DROP TABLE privet.keystore_change`)
	_, err := s.Watch(t.Context(), func(keystore.ID) {})
	require.True(t, errors.As(err, new(*pgconn.PgError)), "%v", err)
}
