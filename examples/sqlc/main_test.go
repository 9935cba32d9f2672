package main

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/examples/sqlc/shopdb"
	"github.com/privet-dev/privet/internal/pgtest"
)

//go:embed schema.sql
var schema string

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const card = "4111 1111 1111 1111"

// shop returns a database with the table.
func shop(t *testing.T) string {
	t.Helper()
	database := pgtest.Database(t)
	pgtest.Exec(t, database, schema)
	return database
}

func open(t *testing.T) (*customers, *pgxpool.Pool) {
	t.Helper()
	database := shop(t)
	db, err := pgxpool.New(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	keys, err := openKeys(t.Context(), database, filepath.Join(t.TempDir(), "kek.json"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return &customers{db: shopdb.New(db), keys: keys}, db
}

func TestProgramFindsWhomItAdded(t *testing.T) {
	database, kek := shop(t), filepath.Join(t.TempDir(), "kek.json")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, database, kek, "Ann@example.com"))
	require.Equal(t, "customer 1 is new\n1 DE Ann@example.com\n", out.String())

	out.Reset()
	require.NoError(t, run(t.Context(), &out, database, kek, "ann@EXAMPLE.com"), "with its keys read back")
	require.Equal(t, "customer 1 is here already\n1 DE Ann@example.com\n", out.String())
}

func TestAddressesAreUniqueAndChange(t *testing.T) {
	customers, _ := open(t)
	ctx := t.Context()
	ann, err := customers.Insert(ctx, "DE", "ann@example.com", card)
	require.NoError(t, err)
	bob, err := customers.Insert(ctx, "FR", "bob@example.com", card)
	require.NoError(t, err)

	_, err = customers.Insert(ctx, "DE", " ANN@example.com", card)
	require.ErrorIs(t, err, errTaken)
	require.ErrorIs(t, customers.ChangeEmail(ctx, bob, "Ann@Example.com"), errTaken)
	require.NoError(t, customers.ChangeEmail(ctx, ann, "ann@example.org"))
	require.ErrorIs(t, customers.ChangeEmail(ctx, 4711, "eve@example.com"), errNotFound)

	_, err = customers.ByEmail(ctx, "ann@example.com")
	require.ErrorIs(t, err, errNotFound)
	found, err := customers.ByEmail(ctx, "ann@example.org")
	require.NoError(t, err)
	require.Equal(t, ann, found.ID)
	got, err := found.Card.Plaintext()
	require.NoError(t, err)
	require.Equal(t, card, got)
}

func TestPageIsOpened(t *testing.T) {
	customers, _ := open(t)
	ctx := t.Context()
	for _, email := range []string{"ann@example.com", "bob@example.com", "cleo@example.com"} {
		_, err := customers.Insert(ctx, "DE", email, card)
		require.NoError(t, err)
	}
	page, err := customers.Page(ctx, 1, 2)
	require.NoError(t, err)
	var emails []string
	for _, c := range page {
		email, err := c.Email.Plaintext()
		require.NoError(t, err)
		emails = append(emails, email)
	}
	require.Equal(t, []string{"bob@example.com", "cleo@example.com"}, emails)
}

func TestDatabaseSeesNoPlaintext(t *testing.T) {
	customers, db := open(t)
	ctx := t.Context()
	_, err := customers.Insert(ctx, "DE", "ann@example.com", card)
	require.NoError(t, err)
	var email, index, number []byte
	require.NoError(t, db.QueryRow(ctx, `SELECT email, email_index, card FROM customer`).Scan(&email, &index, &number))
	for _, stored := range [][]byte{email, index, number} {
		require.NotEmpty(t, stored)
		require.NotContains(t, string(stored), "ann")
		require.NotContains(t, string(stored), "4111")
	}
}
