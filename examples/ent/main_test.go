package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/column"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const card = "4111 1111 1111 1111"

// shop returns a table, and another way into its database.
func shop(t *testing.T) (*customers, *pgx.Conn) {
	t.Helper()
	database := pgtest.Database(t)
	db, err := open(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	keys, err := openKeys(t.Context(), database, filepath.Join(t.TempDir(), "kek.json"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return &customers{db: db, keys: keys}, pgtest.Connect(t, database)
}

func TestProgramFindsWhomItAdded(t *testing.T) {
	database, kek := pgtest.Database(t), filepath.Join(t.TempDir(), "kek.json")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, database, kek, "Ann@example.com"))
	require.Equal(t, "new\nDE Ann@example.com\n", out.String())

	out.Reset()
	require.NoError(t, run(t.Context(), &out, database, kek, "ann@EXAMPLE.com"), "with its keys read back, and the table migrated again")
	require.Equal(t, "here already\nDE Ann@example.com\n", out.String())
}

func TestAddressesAreUniqueAndChange(t *testing.T) {
	customers, _ := shop(t)
	ctx := t.Context()
	ann, err := customers.Insert(ctx, "DE", "ann@example.com", card)
	require.NoError(t, err)
	bob, err := customers.Insert(ctx, "FR", "bob@example.com", card)
	require.NoError(t, err)

	_, err = customers.Insert(ctx, "DE", " ANN@example.com", card)
	require.ErrorIs(t, err, errTaken)
	require.ErrorIs(t, customers.ChangeEmail(ctx, bob, "Ann@Example.com"), errTaken)
	require.NoError(t, customers.ChangeEmail(ctx, ann, "ann@example.org"))
	require.ErrorIs(t, customers.ChangeEmail(ctx, uuid.New(), "eve@example.com"), errNotFound)

	_, err = customers.ByEmail(ctx, "ann@example.com")
	require.ErrorIs(t, err, errNotFound)
	found, err := customers.ByEmail(ctx, "ann@example.org")
	require.NoError(t, err)
	require.Equal(t, ann, found.ID)
	require.Equal(t, "DE", found.Country)
	got, err := found.Card.Plaintext()
	require.NoError(t, err)
	require.Equal(t, card, got)
}

func TestPageIsOpened(t *testing.T) {
	customers, _ := shop(t)
	ctx := t.Context()
	var ids []uuid.UUID
	for _, email := range []string{"ann@example.com", "bob@example.com", "cleo@example.com"} {
		id, err := customers.Insert(ctx, "DE", email, card)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	page, err := customers.Page(ctx, ids[0], 2)
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
	customers, db := shop(t)
	ctx := t.Context()
	_, err := customers.Insert(ctx, "DE", "ann@example.com", card)
	require.NoError(t, err)
	var email, index, number []byte
	require.NoError(t, db.QueryRow(ctx, `SELECT email, email_index, card FROM customers`).Scan(&email, &index, &number))
	for _, stored := range [][]byte{email, index, number} {
		require.NotEmpty(t, stored)
		require.NotContains(t, string(stored), "ann")
		require.NotContains(t, string(stored), "4111")
	}

	unsealed := customers.db.Customer.Create().SetID(uuid.New()).SetCountry("DE").SetEmail(column.Of("eve@example.com"))
	require.ErrorIs(t, unsealed.Exec(ctx), column.ErrNotSealed)
}
