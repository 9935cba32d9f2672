package discover

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/policy"
)

// proposeFor proposes a policy for a database and holds the proposal to its
// promise: it parses, resolves, and leaves undecided exactly what it marks.
func proposeFor(t *testing.T, uri string) (string, *catalog.Catalog, *policy.Resolution) {
	t.Helper()
	cat, err := catalog.Read(t.Context(), pgtest.Connect(t, uri))
	require.NoError(t, err)
	text, err := Propose(cat)
	require.NoError(t, err)
	again, err := Propose(cat)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))

	p, err := policy.Parse("privet.yaml", text)
	require.NoError(t, err, "%s", text)
	r, err := p.Resolve(cat)
	require.NoError(t, err, "%s", text)
	marked := []string{}
	for _, table := range p.Tables {
		for _, c := range table.Columns {
			if c.IsUndecided() {
				for _, cat := range cat.Tables {
					if !cat.IsPartition && table.Name.Match(cat.Schema, cat.Name) {
						marked = append(marked, cat.String()+"."+c.Name)
					}
				}
			}
		}
	}
	undecided := []string{}
	for _, td := range r.Tables {
		for _, c := range td.Columns {
			if c.Action == policy.Undecided && !td.Table.IsPartition {
				undecided = append(undecided, td.Table.String()+"."+c.Column.Name)
			}
		}
	}
	require.ElementsMatch(t, marked, undecided, "%s", text)
	require.Empty(t, r.Unused)
	return string(text), cat, r
}

func columnOf(t *testing.T, r *policy.Resolution, cat *catalog.Catalog, schema, table, column string) *policy.ColumnDecision {
	t.Helper()
	tab := cat.Table(schema, table)
	require.NotNil(t, tab, table)
	d := r.Table(tab).Column(column)
	require.NotNil(t, d, column)
	return d
}

func TestProposeOnAShop(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `
		CREATE TYPE order_status AS ENUM ('new', 'paid');
		CREATE TYPE sexes AS ENUM ('f', 'm', 'x');
		CREATE TABLE customer (
			customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
			email varchar(200) NOT NULL UNIQUE, email_verified bool NOT NULL, email_hash text,
			first_name text, "lastName" varchar(40), name text, phone text, phone_type text,
			date_of_birth date, gender sexes, active bool, is_vip bool, is_pregnant bool, sex_type sexes, phones text[],
			password_hash text NOT NULL, api_token text UNIQUE, reset_token text, facebook_id bigint,
			profile jsonb, tags text[], notes text, photo bytea, last_ip inet, currency char(3), loyalty text,
			balance numeric(10,2), login_count int, created_at timestamptz, last_update timestamp,
			lower_email text GENERATED ALWAYS AS (lower(email)) STORED);
		CREATE TABLE orders (
			id uuid PRIMARY KEY, customer_id bigint REFERENCES customer, contact_email varchar(200) REFERENCES customer (email),
			status order_status, shipping_address text, postal_code char(5), amount numeric, order_date date, tax_id bigint, region text);
		CREATE TABLE product (id int PRIMARY KEY, name text, sku varchar(12) UNIQUE, description text, supplier_name text, lat float8);
		CREATE TABLE member (nick varchar(20) PRIMARY KEY, born date);
		CREATE TABLE post (id int PRIMARY KEY, author_nick varchar(20) REFERENCES member, short_nick varchar(15) REFERENCES member (nick), body text);
		CREATE TABLE empty ();
		CREATE TABLE keys_only (id int PRIMARY KEY, other_id uuid, at_id int8);
		CREATE MATERIALIZED VIEW per_city AS SELECT count(*) FROM customer;`)
	text, cat, r := proposeFor(t, uri)
	if os.Getenv("SHOW") != "" {
		t.Log(text)
	}

	for column, want := range map[string]string{
		"customer.customer_id": "keep", "customer.email": "email", "customer.email_verified": "keep", "customer.email_hash": "undecided",
		"customer.first_name": "first_name", "customer.lastName": "last_name", "customer.name": "full_name", "customer.phone": "phone",
		"customer.phone_type": "undecided", "customer.date_of_birth": "date_shift(days=180, by=subject)", "customer.gender": "undecided",
		"customer.active": "keep", "customer.is_vip": "keep", "customer.is_pregnant": "undecided", "customer.sex_type": "undecided", "customer.phones": "phone", "customer.password_hash": "hash", "customer.api_token": "null",
		"customer.reset_token": "null", "customer.facebook_id": "undecided", "customer.profile": "undecided", "customer.tags": "undecided",
		"customer.notes": "redact_text", "customer.photo": "null", "customer.last_ip": "constant(192.0.2.1)", "customer.currency": "keep",
		"customer.loyalty": "undecided", "customer.balance": "undecided", "customer.login_count": "keep", "customer.created_at": "keep",
		"customer.last_update": "keep", "customer.lower_email": "generated",
		"orders.id": "keep", "orders.customer_id": "keep", "orders.contact_email": "email", "orders.status": "keep",
		"orders.shipping_address": "street_address", "orders.postal_code": "partial(keep_first=2)", "orders.amount": "undecided",
		"orders.order_date": "undecided", "orders.tax_id": "undecided", "orders.region": "undecided",
		"product.id": "keep", "product.name": "undecided", "product.sku": "undecided", "product.description": "redact_text",
		"product.supplier_name": "company", "product.lat": "undecided",
		"member.nick": "undecided", "post.author_nick": "undecided", "post.short_nick": "undecided", "post.body": "redact_text",
		"keys_only.id": "keep", "keys_only.other_id": "keep", "keys_only.at_id": "keep",
	} {
		table, name, _ := strings.Cut(column, ".")
		d := columnOf(t, r, cat, "public", table, name)
		got := d.Action.String()
		if d.Action == policy.Mask {
			got = d.Rule.String()
		}
		require.Equal(t, want, got, column)
	}
	require.Equal(t, "customer_id", r.Table(cat.Table("public", "customer")).Subject)
	require.Equal(t, "customer_id", r.Table(cat.Table("public", "orders")).Subject)
	require.Contains(t, text, "#   public.per_city")
}

func TestProposeOnUglyNames(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `
		CREATE SCHEMA "Sales.EU"; CREATE SCHEMA "it's ""quoted"""; CREATE SCHEMA "tenant_*";
		CREATE DOMAIN mail AS varchar(80) NOT NULL; CREATE DOMAIN mails AS mail[]; CREATE TYPE pair AS (a text, b int);
		CREATE TABLE "Sales.EU"."Order.Items" ("Id" int PRIMARY KEY, "E-Mail" mail, "tab	\and ""quote""" text, "new
line" text, "null" text, "yes" bool, "42" int, "ключ: {a, b}" text, "# no comment" text, all_mails mails, p pair, "trailing " text,
			" " text, docs jsonb[], "it's" text, "'both""" text, "-" text, "*" int, "?" int, "&a" text, "é" text, "\u0041" text);
		CREATE TABLE "it's ""quoted"""."ümlaut *" (id int, vorname text, "straße" text);
		CREATE TABLE "tenant_*"."a?c" (id int, nachname text);
		CREATE TABLE "true" (id int);
		CREATE TABLE event (id int, email text, day date, PRIMARY KEY (email, day, id)) PARTITION BY LIST (email);
		CREATE TABLE event_a PARTITION OF event FOR VALUES IN ('a') PARTITION BY RANGE (day);
		CREATE TABLE event_a_1 PARTITION OF event_a FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
		CREATE TABLE animal (id int PRIMARY KEY, pet_name text); CREATE TABLE pet (owner_name text) INHERITS (animal);
		CREATE TABLE hen (id int PRIMARY KEY, egg int); CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen);
		ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
		CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
		CREATE FOREIGN TABLE elsewhere (line text) SERVER files OPTIONS (filename '/dev/null');`)
	text, cat, r := proposeFor(t, uri)
	if os.Getenv("SHOW") != "" {
		t.Log(text)
	}
	items := r.Table(cat.Table("Sales.EU", "Order.Items"))
	require.Equal(t, "email", items.Column("E-Mail").Rule.String())
	require.Equal(t, policy.Keep, items.Column("Id").Action)
	require.Equal(t, policy.Undecided, items.Column("42").Action)
	require.Equal(t, "street_address", columnOf(t, r, cat, `it's "quoted"`, "ümlaut *", "straße").Rule.String())
	require.Equal(t, "last_name", columnOf(t, r, cat, "tenant_*", "a?c", "nachname").Rule.String())
	require.Equal(t, policy.Undecided, columnOf(t, r, cat, "public", "event", "email").Action, "it is the partition key")
	require.Equal(t, policy.Keep, columnOf(t, r, cat, "public", "hen", "egg").Action)
	require.False(t, r.Table(cat.Table("public", "elsewhere")).Rows)
}

func TestProposeOnPagila(t *testing.T) {
	dir := os.Getenv("PRIVET_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	sql, err := os.ReadFile(filepath.Join(dir, "pagila.sql"))
	if os.IsNotExist(err) {
		t.Skip("pagila.sql is not here; set PRIVET_TEST_DATA to the folder that holds it")
	}
	require.NoError(t, err)
	uri := pgtest.Database(t)
	psql, err := pgbin.Find("psql")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d", uri)
	cmd.Stdin = bytes.NewReader(sql)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)

	text, cat, r := proposeFor(t, uri)
	if os.Getenv("SHOW") != "" {
		t.Log(text)
	}
	for column, rule := range map[string]string{
		"customer.first_name": "first_name", "customer.last_name": "last_name", "customer.email": "email",
		"staff.first_name": "first_name", "staff.email": "email", "staff.username": "username", "staff.password": "null",
		"staff.picture": "null", "actor.first_name": "first_name", "address.address": "street_address",
		"address.address2": "street_address", "address.phone": "phone", "address.postal_code": "partial(keep_first=2)", "city.city": "city",
	} {
		table, name, _ := strings.Cut(column, ".")
		require.Equal(t, rule, columnOf(t, r, cat, "public", table, name).Rule.String(), column)
	}
	for _, column := range []string{"customer.customer_id", "customer.activebool", "customer.last_update", "rental.customer_id", "film.rating"} {
		table, name, _ := strings.Cut(column, ".")
		require.Equal(t, policy.Keep, columnOf(t, r, cat, "public", table, name).Action, column)
	}
	for _, column := range []string{"film.title", "payment.amount", "film.special_features", "film.fulltext", "category.name"} {
		table, name, _ := strings.Cut(column, ".")
		require.Equal(t, policy.Undecided, columnOf(t, r, cat, "public", table, name).Action, column)
	}
}

func TestProposeOnTheExampleShop(t *testing.T) {
	uri := pgtest.Database(t)
	for _, file := range []string{"tables.sql", "keys.sql"} {
		sql, err := os.ReadFile(filepath.Join("..", "..", "examples", "shop", file))
		require.NoError(t, err)
		pgtest.Exec(t, uri, string(sql))
	}
	text, cat, r := proposeFor(t, uri)
	if os.Getenv("SHOW") != "" {
		t.Log(text)
	}
	for _, c := range []struct{ schema, table, column, rule string }{
		{"public", "customer", "email", "email"},
		{"public", "customer", "username", "username"},
		{"public", "customer", "phone", "phone"},
		{"public", "customer", "date_of_birth", "date_shift(days=180, by=subject)"},
		{"public", "address", "street", "street_address"},
		{"public", "payment", "card_number", "fpe(keep_last=4)"},
		{"public", "payment", "card_holder", "full_name"},
		{"staff", "employee", "last_name", "last_name"},
	} {
		require.Equal(t, c.rule, columnOf(t, r, cat, c.schema, c.table, c.column).Rule.String(), c.table+"."+c.column)
	}
	require.Equal(t, policy.Undecided, columnOf(t, r, cat, "public", "customer", "profile").Action)
	require.Equal(t, policy.Undecided, columnOf(t, r, cat, "staff", "employee", "salary").Action)
	require.Equal(t, "customer_id", r.Table(cat.Table("public", "orders")).Subject, "not the employee who handled it")
}

func TestProposeFromConnects(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE customer (id int PRIMARY KEY, email text)`)
	reader := pgtest.Role(t, uri, "discover_reader")
	text, err := ProposeFrom(t.Context(), reader)
	require.NoError(t, err)
	require.Contains(t, string(text), "email: {class: confidential, type: email, mask: email}")

	_, err = ProposeFrom(t.Context(), pgtest.InDatabase(t, uri, "no_such_database"))
	require.Equal(t, fault.Config, fault.KindOf(err))
}
