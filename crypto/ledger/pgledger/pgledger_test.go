package pgledger_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/ledgertest"
	"github.com/privet-dev/privet/crypto/ledger/pgledger"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t *testing.T, uri string) *pgledger.Store {
	t.Helper()
	s, err := pgledger.Open(t.Context(), uri)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Store { return open(t, pgtest.Database(t)) })
}

func TestShared(t *testing.T) {
	uri := pgtest.Database(t)
	ledgertest.RunShared(t, func(t *testing.T) ledger.Store { return open(t, uri) })
}

// Whatever program writes to the table, the server's superuser included, what was
// entered stays.
func TestEntriesStay(t *testing.T) {
	uri := pgtest.Database(t)
	s := open(t, uri)
	defer s.Close()
	want, _, err := s.Append(t.Context(), ledger.Entry{Tenant: "acme", Subject: "x", Action: ledger.Shred, Time: time.Now()})
	require.NoError(t, err)
	conn := pgtest.Connect(t, uri)
	for _, statement := range []string{
		`UPDATE privet.ledger_entry SET reason = 'other'`,
		`DELETE FROM privet.ledger_entry`,
		`TRUNCATE privet.ledger_entry`,
	} {
		_, err := conn.Exec(t.Context(), statement)
		require.ErrorContains(t, err, "cannot be changed or removed", statement)
	}
	page, err := s.List(t.Context(), "acme", 0, 0)
	require.NoError(t, err)
	require.Equal(t, []ledger.Entry{want}, page)
}

// The grants of the package documentation are enough, and give no right to change.
func TestServesWithDocumentedGrants(t *testing.T) {
	uri := pgtest.Database(t)
	service := pgtest.Role(t, uri, "ledger_service")
	require.NoError(t, open(t, uri).Close())
	pgtest.Exec(t, uri, `GRANT USAGE ON SCHEMA privet TO ledger_service;
		GRANT SELECT ON privet.ledger_version TO ledger_service;
		GRANT SELECT, INSERT ON privet.ledger_entry TO ledger_service`)
	s := open(t, service)
	defer s.Close()
	e := ledger.Entry{Tenant: "acme", Subject: "x", Action: ledger.Shred, Time: time.Now()}
	for _, added := range []bool{true, false} {
		stored, got, err := s.Append(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, added, got)
		require.EqualValues(t, 1, stored.Seq)
	}
	names, err := s.Tenants(t.Context(), "", 0)
	require.NoError(t, err)
	require.Equal(t, []string{"acme"}, names)
	_, err = pgtest.Connect(t, service).Exec(t.Context(), `DELETE FROM privet.ledger_entry`)
	require.ErrorContains(t, err, "permission denied")
}
