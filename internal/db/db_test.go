package db_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/db"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// schema returns a store's tables at a version: each version adds a table.
func schema(name string, version int) db.Schema {
	files := fstest.MapFS{}
	for v := 1; v <= version; v++ {
		file := fmt.Sprintf("%05d_table.sql", v)
		files["sqlite/"+file] = &fstest.MapFile{Data: fmt.Appendf(nil, "-- +goose Up\nCREATE TABLE %s_%d (n INTEGER);\n", name, v)}
		files["postgres/"+file] = &fstest.MapFile{Data: fmt.Appendf(nil, "-- +goose Up\nCREATE TABLE privet.%s_%d (n int);\n", name, v)}
	}
	return db.Schema{Name: name, Files: files}
}

// engines opens the same database again and again, and reads its tables.
func engines(t *testing.T) map[string]struct {
	open  func(db.Schema) error
	count func(table string) error
} {
	path, uri := filepath.Join(t.TempDir(), "x.db"), ""
	sqlite := func(s db.Schema, do func(*db.SQLite) error) error {
		d, err := db.OpenSQLite(t.Context(), path, s)
		if err != nil {
			return err
		}
		defer d.Close()
		return do(d)
	}
	uri = pgtest.Database(t)
	return map[string]struct {
		open  func(db.Schema) error
		count func(table string) error
	}{
		"SQLite": {
			open: func(s db.Schema) error { return sqlite(s, func(*db.SQLite) error { return nil }) },
			count: func(table string) error {
				return sqlite(schema("x", 1), func(d *db.SQLite) error {
					var n int
					return d.Read.QueryRow(`SELECT count(*) FROM ` + table).Scan(&n)
				})
			},
		},
		"PostgreSQL": {
			open: func(s db.Schema) error {
				pool, err := db.OpenPostgres(t.Context(), uri, s)
				if err != nil {
					return err
				}
				pool.Close()
				return nil
			},
			count: func(table string) error {
				var n int
				return pgtest.Connect(t, uri).QueryRow(t.Context(), `SELECT count(*) FROM privet.`+table).Scan(&n)
			},
		},
	}
}

func TestMigrations(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, e.open(schema("keys", 1)))
			require.NoError(t, e.open(schema("keys", 1)), "nothing to do")
			require.NoError(t, e.open(schema("log", 2)), "another store beside it")
			require.Error(t, e.count("keys_2"))
			require.NoError(t, e.open(schema("keys", 3)))
			for _, table := range []string{"keys_1", "keys_2", "keys_3", "log_1", "log_2"} {
				require.NoError(t, e.count(table))
			}
			err := e.open(schema("keys", 2))
			require.ErrorIs(t, err, db.ErrNewer)
			require.Equal(t, fault.Config, fault.KindOf(err))

			broken := schema("keys", 4)
			broken.Files.(fstest.MapFS)["sqlite/00004_table.sql"].Data = []byte("-- +goose Up\nCREATE TABLE keys_4 (n INTEGER); CREATE NONSENSE;")
			broken.Files.(fstest.MapFS)["postgres/00004_table.sql"].Data = []byte("-- +goose Up\nCREATE TABLE privet.keys_4 (n int); CREATE NONSENSE;")
			require.Error(t, e.open(broken))
			require.Error(t, e.count("keys_4"), "a migration is done whole or not at all")
			require.NoError(t, e.open(schema("keys", 4)))
			require.NoError(t, e.count("keys_4"))
		})
	}
}

// Processes that start at once on an empty database migrate it once between them.
func TestConcurrentFirstOpen(t *testing.T) {
	for name, e := range engines(t) {
		t.Run(name, func(t *testing.T) {
			var group sync.WaitGroup
			for i := range 8 {
				group.Go(func() {
					if err := e.open(schema([]string{"keys", "log"}[i%2], 3)); err != nil {
						t.Errorf("open: %v", err)
					}
				})
			}
			group.Wait()
		})
	}
}

// Readers cannot write, and a writer does not wait for readers.
func TestSQLiteRoles(t *testing.T) {
	d, err := db.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "x.db"), schema("keys", 1))
	require.NoError(t, err)
	defer d.Close()
	_, err = d.Read.Exec(`INSERT INTO keys_1 VALUES (1)`)
	require.ErrorContains(t, err, "readonly")
	rows, err := d.Read.Query(`SELECT n FROM keys_1`)
	require.NoError(t, err)
	defer rows.Close()
	_, err = d.Write.Exec(`INSERT INTO keys_1 VALUES (1)`)
	require.NoError(t, err)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000"} {
		var got string
		require.NoError(t, d.Write.QueryRow(`PRAGMA `+pragma).Scan(&got))
		require.Equal(t, want, got, pragma)
	}
}
