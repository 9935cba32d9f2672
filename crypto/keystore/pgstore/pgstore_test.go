package pgstore_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/keystoretest"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/internal/db"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t *testing.T, uri string) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), uri)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	keystoretest.Run(t, func(t *testing.T) keystore.Store { return open(t, pgtest.Database(t)) })
}

func TestShared(t *testing.T) {
	uri := pgtest.Database(t)
	keystoretest.RunShared(t, func(t *testing.T) keystore.Store { return open(t, uri) })
}

func TestWatch(t *testing.T) {
	uri := pgtest.Database(t)
	keystoretest.RunWatch(t, func(t *testing.T) keystore.Store { return open(t, uri) })
}

// Processes that start at once on an empty database migrate it once.
func TestConcurrentFirstOpen(t *testing.T) {
	uri := pgtest.Database(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			s, err := pgstore.Open(t.Context(), uri)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			_ = s.Close()
		})
	}
	group.Wait()
	var versions, distinct int
	require.NoError(t, pgtest.Connect(t, uri).QueryRow(t.Context(),
		`SELECT count(*), count(DISTINCT version_id) FROM privet.keystore_version WHERE version_id > 0`).Scan(&versions, &distinct))
	require.Positive(t, versions)
	require.Equal(t, distinct, versions)
}

// The grants of the package documentation are enough, and no more is needed.
func TestServesWithDocumentedGrants(t *testing.T) {
	uri := pgtest.Database(t)
	service := pgtest.Role(t, uri, "keystore_service")
	_, err := pgstore.Open(t.Context(), service)
	require.Error(t, err)
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), "grant")

	require.NoError(t, open(t, uri).Close())
	pgtest.Exec(t, uri, `GRANT USAGE ON SCHEMA privet TO keystore_service;
		GRANT SELECT ON privet.keystore_version, privet.keystore_change TO keystore_service;
		GRANT SELECT, INSERT, UPDATE ON privet.keyring TO keystore_service`)
	s := open(t, service)
	defer s.Close()
	r := keystore.Record{ID: keystore.ID{Tenant: "acme", Purpose: "value"}, State: keystore.Active, Wrapped: []byte("w")}
	require.NoError(t, s.Create(t.Context(), r))
	told := make(chan keystore.ID, 1)
	stop, err := s.Watch(t.Context(), func(id keystore.ID) {
		if id == r.ID {
			told <- id
		}
	})
	require.NoError(t, err)
	defer stop()
	r.Version, r.Wrapped = 1, []byte("other")
	require.NoError(t, s.Update(t.Context(), r))
	<-told
}

// Another program that writes to the table cannot bring an erased keyring back.
func TestTombstoneStaysForOtherPrograms(t *testing.T) {
	uri := pgtest.Database(t)
	s := open(t, uri)
	defer s.Close()
	require.NoError(t, s.Create(t.Context(), keystore.Record{ID: keystore.ID{Tenant: "acme", Purpose: "subject", Subject: "x"}, State: keystore.Erased}))
	_, err := pgtest.Connect(t, uri).Exec(t.Context(), `UPDATE privet.keyring SET state = 1, wrapped = '\x00'`)
	require.ErrorContains(t, err, "erased keyring")
}

func TestRefusesNewerTables(t *testing.T) {
	uri := pgtest.Database(t)
	require.NoError(t, open(t, uri).Close())
	pgtest.Exec(t, uri, `INSERT INTO privet.keystore_version (version_id, is_applied) VALUES (99, true)`)
	_, err := pgstore.Open(t.Context(), uri)
	require.ErrorIs(t, err, db.ErrNewer)
}

// What cannot be opened is explained, and no password is shown.
func TestOpenErrors(t *testing.T) {
	uri := pgtest.Database(t)
	for _, conn := range []string{
		"postgres://u:hunter2secret@127.0.0.1:1/x?connect_timeout=2",
		"postgres://u:hunter2secret@127.0.0.1:1/x?sslmode=sideways",
		"host=127.0.0.1 port=1 password=hunter2secret dbname=x connect_timeout=2",
		"host=127.0.0.1 port=one password=hunter2secret",
		"service=nosuchservice",
	} {
		_, err := pgstore.Open(t.Context(), conn)
		require.Error(t, err, conn)
		require.Equal(t, fault.Config, fault.KindOf(err))
		require.NotEmpty(t, fault.HintOf(err))
		require.False(t, strings.Contains(err.Error(), "hunter2"), "%v", err)
	}
	_, err := pgstore.Open(t.Context(), pgtest.InDatabase(t, uri, "no_such_database"))
	require.ErrorAs(t, err, new(*pgconn.PgError))
	require.Contains(t, fault.HintOf(err), "create the database")
}
