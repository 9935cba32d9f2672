package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

var card = Card{Number: "4111 1111 1111 1111", Expires: "12/30"}

func open(t *testing.T) *customers {
	t.Helper()
	database := pgtest.Database(t)
	db, err := pgxpool.New(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	_, err = db.Exec(t.Context(), schema)
	require.NoError(t, err)
	keys, err := openKeys(t.Context(), database, filepath.Join(t.TempDir(), "kek.json"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })
	return &customers{db: db, keys: keys}
}

func TestProgramFindsWhomItAdded(t *testing.T) {
	database, kek := pgtest.Database(t), filepath.Join(t.TempDir(), "kek.json")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, database, kek, "Ann@example.com"))
	require.Equal(t, "customer 1 is new\n1 DE Ann@example.com\n", out.String())

	out.Reset()
	require.NoError(t, run(t.Context(), &out, database, kek, "ann@EXAMPLE.com"), "with its keys read back")
	require.Regexp(t, `^customer 1 has been here since \d{4}-\d\d-\d\d, card expires 12/30\n1 DE Ann@example.com\n$`, out.String())
}

func TestAddressesAreUniqueAndChange(t *testing.T) {
	customers, ctx := open(t), t.Context()
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

func TestDatabaseSeesNoPlaintext(t *testing.T) {
	customers, ctx := open(t), t.Context()
	_, err := customers.Insert(ctx, "DE", "ann@example.com", card)
	require.NoError(t, err)
	var email, index, number []byte
	require.NoError(t, customers.db.QueryRow(ctx, `SELECT email, email_index, card FROM customer`).Scan(&email, &index, &number))
	for _, stored := range [][]byte{email, index, number} {
		require.NotEmpty(t, stored)
		require.NotContains(t, string(stored), "ann")
		require.NotContains(t, string(stored), "4111")
	}
}

func TestPageLeavesOutErasedCustomers(t *testing.T) {
	customers, ctx := open(t), t.Context()
	for _, email := range []string{"ann@example.com", "bob@example.com", "cleo@example.com", "dan@example.com"} {
		_, err := customers.Insert(ctx, "DE", email, card)
		require.NoError(t, err)
	}
	_, err := customers.keys.client.Shred(ctx, tenant, "2", crypto.ShredOptions{Reason: "ticket 1234"})
	require.NoError(t, err)

	page, next, err := customers.Page(ctx, 0, 3)
	require.NoError(t, err)
	require.EqualValues(t, 3, next)
	require.Len(t, page, 2)
	var emails []string
	for _, c := range page {
		email, err := c.Email.Plaintext()
		require.NoError(t, err)
		require.False(t, c.Card.IsOpen())
		emails = append(emails, email)
	}
	require.Equal(t, []string{"ann@example.com", "cleo@example.com"}, emails)

	page, next, err = customers.Page(ctx, next, 3)
	require.NoError(t, err)
	require.Len(t, page, 1)
	require.Zero(t, next)

	_, err = customers.ByEmail(ctx, "bob@example.com")
	require.ErrorIs(t, err, crypto.ErrErased)

	// A row whose ciphertext was exchanged is not left out: it is an error.
	_, err = customers.db.Exec(ctx, `UPDATE customer SET email = (SELECT email FROM customer WHERE id = 1) WHERE id = 3`)
	require.NoError(t, err)
	_, _, err = customers.Page(ctx, 0, 3)
	require.ErrorIs(t, err, crypto.ErrDecrypt)
}
