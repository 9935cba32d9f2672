package sqlitestore_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/keystoretest"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/internal/db"
)

func open(t *testing.T, path string) *sqlitestore.Store {
	t.Helper()
	s, err := sqlitestore.Open(t.Context(), path)
	require.NoError(t, err)
	return s
}

func TestConformance(t *testing.T) {
	keystoretest.Run(t, func(t *testing.T) keystore.Store {
		return open(t, filepath.Join(t.TempDir(), "keys.db"))
	})
}

func TestShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	keystoretest.RunShared(t, func(t *testing.T) keystore.Store { return open(t, path) })
}

func TestWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	keystoretest.RunWatch(t, func(t *testing.T) keystore.Store { return open(t, path) })
}

func TestSurvivesReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with ? and % and #", "keys.db")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	s := open(t, path)
	r := keystore.Record{ID: keystore.ID{Tenant: "acme", Purpose: "value"}, State: keystore.Active, Wrapped: []byte("w")}
	require.NoError(t, s.Create(t.Context(), r))
	require.NoError(t, s.Close())
	s = open(t, path)
	recs, err := s.Get(t.Context(), []keystore.ID{r.ID})
	require.NoError(t, err)
	require.NotNil(t, recs[0])
	require.NoError(t, s.Close())
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	require.NoError(t, s.Create(t.Context(), keystore.Record{
		ID: keystore.ID{Tenant: "acme", Purpose: "value"}, State: keystore.Active, Wrapped: []byte("w"),
	}))
	files, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Contains(t, files, path+"-wal")
	for _, f := range files {
		info, err := os.Stat(f)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f)
	}
	require.NoError(t, s.Close())
	require.NoError(t, os.Chmod(path, 0o640))
	_, err = sqlitestore.Open(t.Context(), path)
	require.ErrorIs(t, err, db.ErrLoose)
}

// Another program that writes to the table cannot bring an erased keyring back.
func TestTombstoneStaysForOtherPrograms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	require.NoError(t, s.Create(t.Context(), keystore.Record{ID: keystore.ID{Tenant: "acme", Purpose: "subject", Subject: "x"}, State: keystore.Erased}))
	require.NoError(t, s.Close())
	raw, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer raw.Close()
	_, err = raw.Exec(`UPDATE keyring SET state = 1, wrapped = x'00'`)
	require.ErrorContains(t, err, "erased keyring")
}

func TestRefusesWhatItCannotOpen(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlitestore.Open(t.Context(), filepath.Join(dir, "none", "keys.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
	garbage := filepath.Join(dir, "garbage.db")
	require.NoError(t, os.WriteFile(garbage, []byte("this is no database, and longer than a header of a hundred bytes, which is where SQLite looks first for what it is."), 0o600))
	_, err = sqlitestore.Open(t.Context(), garbage)
	require.Error(t, err)
	newer := filepath.Join(dir, "newer.db")
	require.NoError(t, open(t, newer).Close())
	raw, err := sql.Open("sqlite", newer)
	require.NoError(t, err)
	_, err = raw.Exec(`INSERT INTO keystore_version (version_id, is_applied) VALUES (99, 1)`)
	require.NoError(t, err)
	require.NoError(t, raw.Close())
	_, err = sqlitestore.Open(t.Context(), newer)
	require.ErrorIs(t, err, db.ErrNewer)
}
