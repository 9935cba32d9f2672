package sqliteledger_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/ledgertest"
	"github.com/privet-dev/privet/crypto/ledger/sqliteledger"
)

func open(t *testing.T, path string) *sqliteledger.Store {
	t.Helper()
	s, err := sqliteledger.Open(t.Context(), path)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	ledgertest.Run(t, func(t *testing.T) ledger.Store { return open(t, filepath.Join(t.TempDir(), "ledger.db")) })
}

func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	ledgertest.RunShared(t, func(t *testing.T) ledger.Store { return open(t, path) })
}

// Whatever program writes to the table, and whoever owns the file, what was
// entered stays.
func TestEntriesStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	s := open(t, path)
	want, _, err := s.Append(t.Context(), ledger.Entry{Tenant: "acme", Subject: "x", Action: ledger.Shred, Time: time.Now()})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	raw, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer raw.Close()
	for _, statement := range []string{
		`UPDATE ledger_entry SET reason = 'other'`,
		`UPDATE ledger_entry SET seq = 7`,
		`DELETE FROM ledger_entry`,
		`REPLACE INTO ledger_entry VALUES ('acme', 1, x'00', 0, 1, 0, '')`,
		`INSERT OR REPLACE INTO ledger_entry VALUES ('acme', 2, x'78', 0, 1, 0, '')`,
	} {
		_, err := raw.Exec(statement)
		require.ErrorContains(t, err, "cannot be changed or removed", statement)
	}
	s = open(t, path)
	defer s.Close()
	page, err := s.List(t.Context(), "acme", 0, 0)
	require.NoError(t, err)
	require.Equal(t, []ledger.Entry{want}, page)
}
