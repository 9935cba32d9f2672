package column_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := pgbin.FindServer(); errors.Is(err, pgbin.ErrNotFound) && os.Getenv("CI") != "true" {
		// The example needs a server, and has no way of its own to be skipped.
		_ = flag.Set("test.skip", "^Example$")
	}
	os.Exit(pgtest.Main(m))
}

// A row is what is stored, in all forms of columns.
type row struct {
	ID     int64                          `classify:"internal,subject"`
	Raw    column.Encrypted[string]       `classify:"confidential,encrypt=row.raw"`
	Text   column.EncryptedText[[]byte]   `classify:"confidential,encrypt=row.text"`
	Null   column.Encrypted[int]          `classify:"confidential,encrypt=row.null"`
	NoText *column.EncryptedText[float64] `classify:"confidential,encrypt=row.no_text"`
	Plain  string                         `classify:"confidential,encrypt=row.plain"`
	Bytes  []byte                         `classify:"confidential,encrypt=row.bytes"`
}

const rowTable = `CREATE TABLE r (id bigint PRIMARY KEY, raw bytea, "text" text, "null" bytea, no_text text, plain text, bytes bytea)`

func newRow(id int64) *row {
	return &row{ID: id, Raw: column.Of(secret), Text: column.TextOf([]byte{0, 0xff}), Plain: "plain", Bytes: []byte{1, 2}}
}

// A database is what both drivers can do.
type database struct {
	exec  func(ctx context.Context, sql string, args ...any) error
	query func(ctx context.Context, sql string, args []any, dest ...any) error
}

func viaPgx(conn *pgx.Conn) database {
	return database{
		exec: func(ctx context.Context, sql string, args ...any) error {
			_, err := conn.Exec(ctx, sql, args...)
			return err
		},
		query: func(ctx context.Context, sql string, args []any, dest ...any) error {
			return conn.QueryRow(ctx, sql, args...).Scan(dest...)
		},
	}
}

func viaSQL(t *testing.T, driver, dsn string) database {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return database{
		exec: func(ctx context.Context, sql string, args ...any) error {
			_, err := db.ExecContext(ctx, sql, args...)
			return err
		},
		query: func(ctx context.Context, sql string, args []any, dest ...any) error {
			return db.QueryRowContext(ctx, sql, args...).Scan(dest...)
		},
	}
}

func TestColumnsThroughDrivers(t *testing.T) {
	for _, name := range []string{"pgx", "pgx simple protocol", "database/sql with pgx", "database/sql with SQLite"} {
		t.Run(name, func(t *testing.T) {
			var db database
			switch name {
			case "pgx":
				db = viaPgx(pgtest.Connect(t, pgtest.Database(t)))
			case "pgx simple protocol":
				cfg, err := pgx.ParseConfig(pgtest.Database(t))
				require.NoError(t, err)
				cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
				conn, err := pgx.ConnectConfig(t.Context(), cfg)
				require.NoError(t, err)
				t.Cleanup(func() { _ = conn.Close(context.Background()) })
				db = viaPgx(conn)
			case "database/sql with pgx":
				db = viaSQL(t, "pgx", pgtest.Database(t))
			case "database/sql with SQLite":
				db = viaSQL(t, "sqlite", "file:"+t.TempDir()+"/db")
			}
			roundTrip(t, db)
		})
	}
}

func roundTrip(t *testing.T, db database) {
	c, ctx := newClient(t, nil), t.Context()
	base := crypto.Context{Tenant: "acme"}
	require.NoError(t, db.exec(ctx, rowTable))
	insert := `INSERT INTO r (id, raw, "text", "null", no_text, plain, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7)`
	sel := `SELECT id, raw, "text", "null", no_text, plain, bytes FROM r WHERE id = $1`

	fresh := newRow(1)
	err := db.exec(ctx, insert, fresh.ID, fresh.Raw, fresh.Text, fresh.Null, fresh.NoText, "", nil)
	require.ErrorIs(t, err, column.ErrNotSealed, "a plaintext is not written")

	// By value and by pointer.
	for id, byPointer := range map[int64]bool{1: false, 2: true} {
		r := newRow(id)
		require.NoError(t, c.Seal(ctx, r, base))
		args := []any{r.ID, r.Raw, r.Text, r.Null, r.NoText, r.Plain, r.Bytes}
		if byPointer {
			args[1], args[2], args[3] = &r.Raw, &r.Text, &r.Null
		}
		require.NoError(t, db.exec(ctx, insert, args...))

		var raw, bytes []byte
		var text, plain string
		var null []byte
		var noText *string
		var gotID int64
		require.NoError(t, db.query(ctx, sel, []any{id}, &gotID, &raw, &text, &null, &noText, &plain, &bytes))
		require.Nil(t, null)
		require.Nil(t, noText)
		want, err := r.Raw.Ciphertext()
		require.NoError(t, err)
		require.Equal(t, want, raw, "bytea holds the ciphertext itself")
		want, err = r.Text.Ciphertext()
		require.NoError(t, err)
		require.Equal(t, crypto.EncodeText(want), text, "text holds its text form")
		require.Equal(t, r.Plain, plain)
		require.Equal(t, r.Bytes, bytes)

		var got row
		require.NoError(t, db.query(ctx, sel, []any{id}, &got.ID, &got.Raw, &got.Text, &got.Null, &got.NoText, &got.Plain, &got.Bytes))
		require.NoError(t, c.Open(ctx, &got, base))
		s, err := got.Raw.Plaintext()
		require.NoError(t, err)
		require.Equal(t, secret, s)
		b, err := got.Text.Plaintext()
		require.NoError(t, err)
		require.Equal(t, []byte{0, 0xff}, b)
		require.True(t, got.Null.IsNull())
		require.Nil(t, got.NoText)
		require.Equal(t, "plain", got.Plain)
		require.Equal(t, []byte{1, 2}, got.Bytes)
	}

	// What was read is written back as it is, unopened.
	var moved column.Encrypted[string]
	require.NoError(t, db.query(ctx, `SELECT raw FROM r WHERE id = $1`, []any{1}, &moved))
	require.NoError(t, db.exec(ctx, `UPDATE r SET raw = $1 WHERE id = $2`, moved, 1))
	var again column.Encrypted[string]
	require.NoError(t, db.query(ctx, `SELECT raw FROM r WHERE id = $1`, []any{1}, &again))
	require.Equal(t, moved, again)
}

func TestOldPlaintextsInPostgreSQL(t *testing.T) {
	m := crypto.NewMigration("customer.email")
	c := newClient(t, m)
	conn := pgtest.Connect(t, pgtest.Database(t))
	_, err := conn.Exec(t.Context(), `CREATE TABLE c (id int PRIMARY KEY, email text); INSERT INTO c VALUES (1, 'jo@example.com'), (2, '')`)
	require.NoError(t, err)
	for id := range 2 {
		var email column.EncryptedText[string]
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT email FROM c WHERE id = $1`, id+1).Scan(&email))
		here := crypto.Context{Tenant: "acme", Subject: fmt.Sprint(id + 1), Field: "customer.email"}
		require.NoError(t, email.Open(t.Context(), c, here))
		require.NoError(t, email.Seal(t.Context(), c, here))
		_, err = conn.Exec(t.Context(), `UPDATE c SET email = $1 WHERE id = $2`, email, id+1)
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, m.Reads("customer.email"))
	var plain int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM c WHERE email NOT LIKE 'pvt1.%'`).Scan(&plain))
	require.Zero(t, plain)
}

// Looked up by index value, over any number of keys and in the right table only.
func TestBlindIndexInPostgreSQL(t *testing.T) {
	c := newClient(t, nil)
	conn := pgtest.Connect(t, pgtest.Database(t))
	_, err := conn.Exec(t.Context(), `CREATE TABLE c (id int PRIMARY KEY, email bytea, email_index bytea);
		CREATE INDEX ON c (email_index)`)
	require.NoError(t, err)
	emails, err := crypto.NormalizerFor(classify.Email)
	require.NoError(t, err)
	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "customer.email", Bits: 12, Normalize: emails})
	require.NoError(t, err)
	write := func(id int) {
		value := fmt.Sprintf("Customer%d@Example.com", id)
		e := column.Of(value)
		require.NoError(t, e.Seal(t.Context(), c, crypto.Context{Tenant: "acme", Subject: fmt.Sprint(id), Field: "customer.email"}))
		index, err := x.Append(t.Context(), nil, []byte(value))
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `INSERT INTO c VALUES ($1, $2, $3)`, id, e, index)
		require.NoError(t, err)
	}
	for id := 1; id < 100; id++ {
		write(id)
	}
	_, err = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Domain: "blind_index/customer.email"})
	require.NoError(t, err)
	for id := 100; id < 200; id++ {
		write(id)
	}
	for _, id := range []int{1, 99, 100, 199} {
		want := fmt.Sprintf("customer%d@example.com", id)
		values, err := x.Values(t.Context(), []byte(want))
		require.NoError(t, err)
		rows, err := conn.Query(t.Context(), `SELECT id, email FROM c WHERE email_index = ANY($1)`, values)
		require.NoError(t, err)
		type hit struct {
			ID    int                      `classify:"internal,subject"`
			Email column.Encrypted[string] `classify:"confidential,encrypt=customer.email"`
		}
		hits, err := pgx.CollectRows(rows, pgx.RowToStructByPos[hit])
		require.NoError(t, err)
		require.NoError(t, c.Open(t.Context(), hits, crypto.Context{Tenant: "acme"}))
		found := 0
		for _, h := range hits {
			if email, err := h.Email.Plaintext(); err == nil && h.ID == id {
				require.Equal(t, fmt.Sprintf("Customer%d@Example.com", id), email)
				found++
			}
		}
		require.Equal(t, 1, found)
	}
}
