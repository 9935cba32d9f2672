package shop_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/examples/shop"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// small has every kind of row and takes a moment.
var small = shop.Size{Customers: 500, Orders: 900}

// open makes a shop and connects to it.
func open(t *testing.T, size shop.Size) *pgx.Conn {
	conn := pgtest.Connect(t, pgtest.Database(t))
	require.NoError(t, shop.Create(t.Context(), conn, size))
	return conn
}

// one returns the only value of a query.
func one[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&v), sql)
	return v
}

func TestTheShopHasWhatItSays(t *testing.T) {
	conn := open(t, small)
	for _, rows := range small.Tables() {
		require.Equal(t, rows.Count, one[int](t, conn, `SELECT count(*) FROM `+rows.Table), rows.Table)
	}
	for what, sql := range map[string]string{
		"a cycle of foreign keys": `SELECT EXISTS (SELECT FROM pg_constraint a JOIN pg_constraint b ON a.conrelid = b.confrelid AND a.confrelid = b.conrelid
			WHERE a.contype = 'f' AND b.contype = 'f' AND a.conrelid <> a.confrelid)`,
		"a foreign key by value":          `SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = 'newsletter'::regclass)`,
		"a unique e-mail":                 `SELECT count(*) = count(DISTINCT email) FROM customer`,
		"a partitioned table":             `SELECT count(*) >= 4 FROM pg_inherits WHERE inhparent = 'payment'::regclass`,
		"rows in every partition":         `SELECT count(DISTINCT tableoid) = 4 FROM payment`,
		"an identity column":              `SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'customer'::regclass AND attidentity = 'a')`,
		"a generated column":              `SELECT bool_and(full_name = first_name || ' ' || last_name) FROM customer`,
		"an enum column":                  `SELECT count(DISTINCT status) = 4 FROM customer`,
		"an array column":                 `SELECT max(cardinality(tags)) = 2 FROM customer`,
		"a domain column":                 `SELECT count(*) > 0 FROM information_schema.columns WHERE domain_name = 'phone_number'`,
		"a profile that agrees":           `SELECT bool_and(profile->>'email' = email AND profile->'name'->>'first' = first_name) FROM customer`,
		"an address copied to orders":     `SELECT bool_and(o.contact_email = c.email) FROM orders o JOIN customer c USING (customer_id)`,
		"messages that name their author": `SELECT count(*) > 20 FROM message m JOIN customer c USING (customer_id) WHERE position(c.email IN m.body) > 0`,
		"letters beyond ASCII":            `SELECT count(*) > 5 FROM customer WHERE octet_length(first_name) > char_length(first_name)`,
		"NULLs":                           `SELECT count(*) FILTER (WHERE phone IS NULL) > 0 AND count(*) FILTER (WHERE default_address_id IS NULL) > 0 FROM customer`,
		"a filled materialized view":      `SELECT sum(orders) = (SELECT count(*) FROM orders) FROM revenue_by_month`,
		"a sequence owned by nothing":     `SELECT nextval('invoice_number') > (SELECT max(invoice_no) FROM orders)`,
		"a trigger":                       `SELECT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'customer_touch')`,
		"names that vary":                 `SELECT count(DISTINCT first_name) > 200 AND count(DISTINCT last_name) > 150 FROM customer`,
		"identities that go on":           `SELECT nextval(pg_get_serial_sequence('customer', 'customer_id')) = max(customer_id) + 1 FROM customer`,
	} {
		require.True(t, one[bool](t, conn, sql), what)
	}
}

func TestTheSameSizeIsTheSameShop(t *testing.T) {
	digest := func(conn *pgx.Conn) string {
		var b strings.Builder
		for _, rows := range small.Tables() {
			b.WriteString(one[string](t, conn, fmt.Sprintf(`SELECT coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)), '') FROM %s r`, rows.Table)))
		}
		return b.String()
	}
	a, b := digest(open(t, small)), digest(open(t, small))
	require.Equal(t, a, b)

	// A bigger shop begins with the same customers.
	bigger := open(t, shop.Size{Customers: 600, Orders: 10})
	query := `SELECT md5(string_agg(r::text, '|' ORDER BY customer_id)) FROM customer r WHERE customer_id <= 500`
	require.Equal(t, one[string](t, open(t, small), query), one[string](t, bigger, query))
}

func TestTheSmallestShop(t *testing.T) {
	conn := open(t, shop.Size{Customers: 1, Orders: 1})
	require.Equal(t, 1, one[int](t, conn, `SELECT count(*) FROM orders`))

	err := shop.Create(t.Context(), conn, shop.Size{Customers: 0, Orders: 1})
	require.ErrorContains(t, err, "at least one customer")
}

func TestCardsAndAccountsCheck(t *testing.T) {
	conn := open(t, small)
	// Luhn and MOD 97 by the database, which shares no code with the generator.
	require.True(t, one[bool](t, conn, `SELECT bool_and((SELECT sum(CASE WHEN i % 2 = 1 THEN (d * 2) / 10 + (d * 2) % 10 ELSE d END) % 10 = 0
		FROM (SELECT i, substr(card_number, i, 1)::int AS d FROM generate_series(1, 16) i) x)) FROM payment WHERE card_number IS NOT NULL`))
	require.True(t, one[bool](t, conn, `SELECT bool_and((SELECT string_agg(CASE WHEN c ~ '[A-Z]' THEN (ascii(c) - 55)::text ELSE c END, '' ORDER BY n)
		FROM regexp_split_to_table(substr(iban, 5) || substr(iban, 1, 4), '') WITH ORDINALITY AS x(c, n))::numeric % 97 = 1) FROM payment WHERE iban IS NOT NULL`))
}
