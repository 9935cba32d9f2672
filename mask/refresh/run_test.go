package refresh_test

import (
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/receipt"
)

// The shop has a foreign key cycle, partitions (one with a masked key), identity
// and generated columns, an enum, a domain, an array, materialized views over
// each other, a trigger, quoted names, and a key of two tables by e-mail.
func TestRunReplacesTheTarget(t *testing.T) {
	leaks(t)
	p := newPair(t)
	pgtest.Exec(t, p.source, "SELECT nextval('sales.orders_id_seq')")
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	cfg := p.config(testdata(t, "privet.yaml"))
	cfg.Sign, cfg.KeyID = private, "file:/keys/local.json"
	var events []event.Event
	cfg.Recorder = recorder(&events)
	res, err := refresh.Run(ctx(t), cfg)
	require.NoError(t, err)
	require.True(t, res.Swapped)
	require.Empty(t, p.leftovers(), "nothing is left beside the target")
	require.Equal(t, "file:/keys/local.json", res.Receipt.Keys)
	require.Contains(t, string(res.Document), `"keys": "file:/keys/local.json"`)
	require.Len(t, events, 2)
	require.Equal(t, "ok", events[1].Outcome)
	require.EqualValues(t, res.Rows, events[1].Count)

	same := func(t *testing.T, sql string) {
		t.Helper()
		require.Equal(t, query(t, p.source, sql), query(t, p.target, sql), sql)
	}
	none := func(t *testing.T, sql string) {
		t.Helper()
		require.Empty(t, query(t, p.target, sql), sql)
	}
	t.Run("rows", func(t *testing.T) {
		same(t, "SELECT (SELECT count(*) FROM customer), (SELECT count(*) FROM sales.orders), (SELECT count(*) FROM payment), (SELECT count(*) FROM visit)")
		same(t, "SELECT * FROM country ORDER BY 1")
		same(t, "SELECT id, code, mood, favourite, created_at FROM customer ORDER BY 1")
		same(t, "SELECT id, customer_id, paid_at FROM payment ORDER BY 1")
		same(t, `SELECT "Key \ One" FROM "Odd Names"."It's ""quoted"" — ünï" ORDER BY 1`)
		same(t, "SELECT id, last_name IS NULL FROM customer ORDER BY 1")
		none(t, "SELECT * FROM audit_log")
		none(t, "SELECT FROM pg_class WHERE relname = 'old_content'")
	})
	t.Run("masks", func(t *testing.T) {
		for _, sql := range []string{
			"SELECT email FROM customer", "SELECT notes FROM customer", "SELECT phone FROM customer",
			"SELECT id, born FROM customer", "SELECT who FROM visit", `SELECT "select" FROM "Odd Names"."It's ""quoted"" — ünï"`,
		} {
			originals := map[string]bool{}
			for _, row := range query(t, p.source, sql) {
				originals[row] = true
			}
			for _, row := range query(t, p.target, sql) {
				require.False(t, originals[row], "an original survived: %s", sql)
			}
		}
		none(t, "SELECT FROM customer WHERE tags IS NOT NULL OR notes <> 'a note'")
		none(t, "SELECT FROM sales.orders WHERE note IS NOT NULL")
		none(t, "SELECT FROM customer WHERE full_text <> first_name || ' ' || coalesce(last_name, '')")
		none(t, "SELECT FROM customer WHERE first_name = upper(first_name)")
	})
	t.Run("integrity", func(t *testing.T) {
		none(t, "SELECT FROM sales.orders o LEFT JOIN customer c ON c.email = o.customer_email AND c.id = o.customer_id WHERE c.id IS NULL")
		same(t, "SELECT conrelid::regclass::text, conname, contype, convalidated FROM pg_constraint WHERE connamespace::regnamespace::text !~ '^(pg_|information)' ORDER BY 1, 2")
		same(t, "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid >= 16384 AND indrelid::regclass::text !~ 'pg_toast' ORDER BY 1")
		same(t, "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal")
		same(t, "SELECT relname, relpersistence FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
		same(t, "SELECT customer_id, total FROM spend ORDER BY 1")
		same(t, "SELECT count(*) FROM big_spend")
	})
	t.Run("sequences", func(t *testing.T) {
		same(t, "SELECT last_value, is_called FROM sales.orders_id_seq")
		same(t, "SELECT last_value, is_called FROM customer_id_seq")
	})
	t.Run("receipt", func(t *testing.T) {
		r, err := receipt.Verify(res.Document, public)
		require.NoError(t, err)
		require.Equal(t, res.Run, r.RunID)
		require.Equal(t, cfg.Policy.Hash(), r.Policy.SHA256)
		require.True(t, r.Verification.OK)
		require.NotContains(t, string(res.Document), "test-source.net")
		var email receipt.Column
		for _, c := range r.Columns {
			if c.Table == "public.customer" && c.Column == "email" {
				email = c
			}
		}
		require.EqualValues(t, 500, email.Changed)
		require.EqualValues(t, 0, email.Nulls)
	})
	t.Run("mark", func(t *testing.T) {
		require.Equal(t, []string{"privet-target: " + p.entry.Mark}, query(t, p.target, "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"))
	})
	t.Run("again", func(t *testing.T) {
		emails := query(t, p.target, "SELECT id, email, first_name, born FROM customer ORDER BY 1")
		_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
		require.NoError(t, err)
		require.Equal(t, emails, query(t, p.target, "SELECT id, email, first_name, born FROM customer ORDER BY 1"), "pseudonyms are stable")
	})
}

func TestRunKeepsTheOldDatabase(t *testing.T) {
	p := newPair(t)
	cfg := p.config(testdata(t, "privet.yaml"))
	cfg.KeepOld = true
	res, err := refresh.Run(ctx(t), cfg)
	require.NoError(t, err)
	require.Equal(t, []string{res.Old}, p.leftovers())
	require.Equal(t, []string{"still here"}, query(t, pgtest.InDatabase(t, p.target, res.Old), "SELECT x FROM old_content"))

	_, err = refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.Equal(t, []string{res.Old}, p.leftovers(), "the next run leaves it alone")
}
