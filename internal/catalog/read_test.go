package catalog

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
)

// ugly has every shape that a catalog reader trips over.
const ugly = `
CREATE SCHEMA "Sales.EU";
CREATE SCHEMA "naïve ""quoted""";
CREATE EXTENSION pg_stat_statements;

CREATE DOMAIN code AS varchar(12);
CREATE DOMAIN strict_code AS code NOT NULL CHECK (VALUE <> '');
CREATE DOMAIN codes AS strict_code[];
CREATE DOMAIN names AS varchar(30)[] NOT NULL;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'très bien');
ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'ok';
CREATE DOMAIN my_mood AS mood;
CREATE TYPE pair AS (a int, b text);

CREATE TABLE "Sales.EU"."Order.Items" (
	"Id" bigint GENERATED ALWAYS AS IDENTITY,
	dropped text,
	"tab	and ""quote""" strict_code,
	many strict_code[],
	deep codes,
	list names,
	fixed char(7),
	free varchar,
	words varchar(20)[],
	matrix int[][],
	feeling my_mood DEFAULT 'ok',
	feelings mood[],
	p pair,
	span int4range,
	vec int2vector,
	tsv tsvector GENERATED ALWAYS AS (to_tsvector('simple', coalesce(free, ''))) STORED,
	at timestamptz NOT NULL DEFAULT now(),
	amount numeric(10,2),
	CONSTRAINT "pk.items" PRIMARY KEY ("Id", at)
);
ALTER TABLE "Sales.EU"."Order.Items" DROP COLUMN dropped;
COMMENT ON TABLE "Sales.EU"."Order.Items" IS 'lines of an order';
COMMENT ON COLUMN "Sales.EU"."Order.Items".fixed IS 'seven, always';
CREATE UNIQUE INDEX u_expr ON "Sales.EU"."Order.Items" (lower(free), fixed) WHERE amount > 0;
CREATE UNIQUE INDEX u_incl ON "Sales.EU"."Order.Items" (free) INCLUDE (fixed);
CREATE UNIQUE INDEX u_part ON "Sales.EU"."Order.Items" (fixed) WHERE free IS NOT NULL;
CREATE INDEX not_unique ON "Sales.EU"."Order.Items" (amount);

CREATE UNLOGGED TABLE "naïve ""quoted"""."ümlaut" (id serial PRIMARY KEY, t text);

CREATE TABLE event (id bigint, region text, day date, ref int, PRIMARY KEY (region, day, id)) PARTITION BY LIST (region);
CREATE TABLE event_eu PARTITION OF event FOR VALUES IN ('eu') PARTITION BY RANGE (day);
CREATE TABLE event_eu_24 PARTITION OF event_eu FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE event_us PARTITION OF event FOR VALUES IN ('us');
CREATE TABLE by_expr (id int, t text) PARTITION BY HASH ((id % 7), id);

CREATE TABLE target (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE chicken (id int PRIMARY KEY, egg int, x int, y int, FOREIGN KEY (y, x) REFERENCES target (a, b));
CREATE TABLE egg (id int PRIMARY KEY, chicken int REFERENCES chicken, self int REFERENCES egg);
ALTER TABLE chicken ADD CONSTRAINT hen FOREIGN KEY (egg) REFERENCES egg NOT VALID;
CREATE TABLE ref_event (id int PRIMARY KEY, region text, day date, eid bigint,
	CONSTRAINT to_root FOREIGN KEY (region, day, eid) REFERENCES event (region, day, id));
ALTER TABLE event ADD CONSTRAINT from_root FOREIGN KEY (ref) REFERENCES egg;
ALTER TABLE event_us ADD CONSTRAINT alone FOREIGN KEY (ref) REFERENCES chicken;

CREATE TABLE animal (id int PRIMARY KEY, name text);
CREATE TABLE pet (owner text) INHERITS (animal);
CREATE TABLE flying (wings int);
CREATE TABLE parrot () INHERITS (pet, flying);

CREATE TABLE walled (id int, who text);
ALTER TABLE walled ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE VIEW looking AS SELECT * FROM walled;
CREATE MATERIALIZED VIEW frozen AS SELECT id, t FROM by_expr WITH NO DATA;
CREATE UNIQUE INDEX frozen_id ON frozen (id);

CREATE SEQUENCE fresh START 100 INCREMENT -5 MAXVALUE 1000;
CREATE SEQUENCE used AS int;
SELECT nextval('used'), nextval('used');
CREATE SEQUENCE restarted;
ALTER SEQUENCE restarted RESTART WITH 77;
`

func connect(t *testing.T, sql string) (string, *pgx.Conn) {
	t.Helper()
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, sql)
	return uri, pgtest.Connect(t, uri)
}

func mustRead(t *testing.T, conn *pgx.Conn) *Catalog {
	t.Helper()
	c, err := Read(t.Context(), conn)
	require.NoError(t, err)
	return c
}

func TestReadListsEveryRelationOnce(t *testing.T) {
	_, conn := connect(t, ugly)
	_, err := conn.Exec(t.Context(), `CREATE TEMP TABLE fleeting (id serial)`)
	require.NoError(t, err)
	c := mustRead(t, conn)
	var got []string
	for _, tab := range c.Tables {
		got = append(got, tab.Kind.String()+" "+tab.SQL())
	}
	require.Equal(t, []string{
		`table "Sales.EU"."Order.Items"`,
		`table "naïve ""quoted"""."ümlaut"`,
		`table "public"."animal"`,
		`partitioned table "public"."by_expr"`,
		`table "public"."chicken"`,
		`table "public"."egg"`,
		`partitioned table "public"."event"`,
		`partitioned table "public"."event_eu"`,
		`table "public"."event_eu_24"`,
		`table "public"."event_us"`,
		`table "public"."flying"`,
		`materialized view "public"."frozen"`,
		`table "public"."parrot"`,
		`table "public"."pet"`,
		`table "public"."ref_event"`,
		`table "public"."target"`,
		`table "public"."walled"`,
	}, got)
	require.Equal(t, []View{{"public", "looking"}}, c.Views, "an extension's views are its own")
	require.Equal(t, []string{"pg_stat_statements", "plpgsql"}, c.Extensions)
	require.GreaterOrEqual(t, c.ServerVersion, MinVersion)
	require.NotEmpty(t, c.Database)
	require.Same(t, c.Tables[0], c.Table("Sales.EU", "Order.Items"))
	require.Nil(t, c.Table("Sales", "EU.Order.Items"))
}

// A policy decides by the names of types: a user's own must not pass for another.
func TestUserTypeIsNotTakenForABuiltInOne(t *testing.T) {
	_, conn := connect(t, `CREATE SCHEMA app;
		CREATE TYPE app.int8 AS (secret text);
		CREATE TYPE app.uuid AS RANGE (subtype = text);
		CREATE DOMAIN app.date AS app.uuid;
		CREATE TABLE plain (a app.int8, b app.uuid[], c app.date, d int8);`)
	tab := mustRead(t, conn).Table("public", "plain")
	var got []string
	for _, c := range tab.Columns {
		got = append(got, c.BaseType)
	}
	require.Equal(t, []string{"app.int8", "app.uuid", "app.uuid", "int8"}, got)
}

func TestReadResolvesColumnTypes(t *testing.T) {
	_, conn := connect(t, ugly)
	tab := mustRead(t, conn).Table("Sales.EU", "Order.Items")
	mood := []string{"sad", "so-so", "ok", "très bien"}
	for _, want := range []Column{
		{Name: "Id", Num: 1, Type: "bigint", BaseType: "int8", TypeKind: 'b', NotNull: true, Identity: true},
		{Name: "tab\tand \"quote\"", Num: 3, Type: "public.strict_code", BaseType: "varchar", TypeKind: 'b', Domain: "public.strict_code", MaxLen: 12, NotNull: true},
		{Name: "many", Num: 4, Type: "public.strict_code[]", BaseType: "varchar", TypeKind: 'b', Array: true, Domain: "public.strict_code", MaxLen: 12},
		{Name: "deep", Num: 5, Type: "public.codes", BaseType: "varchar", TypeKind: 'b', Array: true, Domain: "public.codes", MaxLen: 12},
		{Name: "list", Num: 6, Type: "public.names", BaseType: "varchar", TypeKind: 'b', Array: true, Domain: "public.names", MaxLen: 30, NotNull: true},
		{Name: "fixed", Num: 7, Type: "character(7)", BaseType: "bpchar", TypeKind: 'b', MaxLen: 7, Comment: "seven, always"},
		{Name: "free", Num: 8, Type: "character varying", BaseType: "varchar", TypeKind: 'b'},
		{Name: "words", Num: 9, Type: "character varying(20)[]", BaseType: "varchar", TypeKind: 'b', Array: true, MaxLen: 20},
		{Name: "matrix", Num: 10, Type: "integer[]", BaseType: "int4", TypeKind: 'b', Array: true},
		{Name: "feeling", Num: 11, Type: "public.my_mood", BaseType: "mood", TypeKind: 'e', Domain: "public.my_mood", Enum: mood, HasDefault: true},
		{Name: "feelings", Num: 12, Type: "public.mood[]", BaseType: "mood", TypeKind: 'e', Array: true, Enum: mood},
		{Name: "p", Num: 13, Type: "public.pair", BaseType: "pair", TypeKind: 'c'},
		{Name: "span", Num: 14, Type: "int4range", BaseType: "int4range", TypeKind: 'r'},
		{Name: "vec", Num: 15, Type: "int2vector", BaseType: "int2vector", TypeKind: 'b'},
		{Name: "tsv", Num: 16, Type: "tsvector", BaseType: "tsvector", TypeKind: 'b', Generated: true},
		{Name: "at", Num: 17, Type: "timestamp with time zone", BaseType: "timestamptz", TypeKind: 'b', NotNull: true, HasDefault: true},
		{Name: "amount", Num: 18, Type: "numeric(10,2)", BaseType: "numeric", TypeKind: 'b'},
	} {
		got := tab.Column(want.Name)
		require.NotNil(t, got, want.Name)
		require.Equal(t, want, *got)
	}
	require.Len(t, tab.Columns, 17)
	require.Nil(t, tab.Column("dropped"))
	require.Equal(t, "lines of an order", tab.Comment)
}

func TestReadKeys(t *testing.T) {
	_, conn := connect(t, ugly)
	c := mustRead(t, conn)
	tab := c.Table("Sales.EU", "Order.Items")
	require.Equal(t, []string{"Id", "at"}, tab.PrimaryKey)
	require.Equal(t, []Unique{
		{Name: "pk.items", Columns: []string{"Id", "at"}, Primary: true},
		{Name: "u_expr", Columns: []string{"fixed", "free", "amount"}, Expression: true, Partial: true},
		{Name: "u_incl", Columns: []string{"free"}},
		{Name: "u_part", Columns: []string{"fixed"}, Partial: true},
	}, tab.Uniques)
	require.Equal(t, []string{"id"}, c.Table("public", "frozen").Uniques[0].Columns)
	require.Nil(t, c.Table("public", "walled").PrimaryKey)

	var got []string
	for _, f := range c.ForeignKeys {
		got = append(got, f.Name+": "+f.String())
	}
	require.Equal(t, []string{
		"chicken_y_x_fkey: public.chicken(y, x) -> public.target(a, b)",
		"hen: public.chicken(egg) -> public.egg(id)",
		"egg_chicken_fkey: public.egg(chicken) -> public.chicken(id)",
		"egg_self_fkey: public.egg(self) -> public.egg(id)",
		"alone: public.event(ref) -> public.chicken(id)",
		"from_root: public.event(ref) -> public.egg(id)",
		"to_root: public.ref_event(region, day, eid) -> public.event(region, day, id)",
	}, got)
	for _, f := range c.ForeignKeys {
		require.Equal(t, f.Name != "hen", f.Validated, f.Name)
	}
}

func TestReadFamilies(t *testing.T) {
	_, conn := connect(t, ugly)
	c := mustRead(t, conn)
	leaf := c.Table("public", "event_eu_24")
	root := c.Table("public", "event")
	require.True(t, leaf.IsPartition)
	require.Equal(t, "public.event_eu", leaf.Parent.String())
	require.Same(t, root, leaf.Root())
	require.Same(t, root, root.Root())
	require.Equal(t, []string{"region"}, root.PartitionKey)
	require.False(t, root.PartitionExpression)
	byExpr := c.Table("public", "by_expr")
	require.Equal(t, []string{"id"}, byExpr.PartitionKey)
	require.True(t, byExpr.PartitionExpression)

	parrot := c.Table("public", "parrot")
	require.False(t, parrot.IsPartition)
	require.Equal(t, "public.pet", parrot.Parent.String())
	require.Len(t, parrot.Inherits, 2)
	require.Same(t, parrot, parrot.Root())

	require.True(t, c.Table(`naïve "quoted"`, "ümlaut").Unlogged)
	require.False(t, root.Unlogged)
}

func TestReadRowsAndBytes(t *testing.T) {
	_, conn := connect(t, ugly+`
		INSERT INTO animal SELECT i, 'n' FROM generate_series(1, 1000) i;
		ANALYZE animal;`)
	c := mustRead(t, conn)
	require.EqualValues(t, 1000, c.Table("public", "animal").Rows)
	require.GreaterOrEqual(t, c.Table("public", "animal").Bytes, int64(8192))
	require.EqualValues(t, -1, c.Table("public", "pet").Rows)
	require.Zero(t, c.Table("public", "event").Bytes)
}

func sequence(t *testing.T, c *Catalog, name string) *Sequence {
	t.Helper()
	i := slices.IndexFunc(c.Sequences, func(s *Sequence) bool { return s.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return c.Sequences[i]
}

func TestReadSequences(t *testing.T) {
	_, conn := connect(t, ugly)
	c := mustRead(t, conn)
	require.Len(t, c.Sequences, 5)
	for _, want := range []struct {
		name    string
		typ     string
		last    int64
		called  bool
		ownedBy string
	}{
		{"fresh", "bigint", 100, false, ""},
		{"used", "integer", 2, true, ""},
		{"restarted", "bigint", 77, false, ""},
		{"Order.Items_Id_seq", "bigint", 1, false, "Sales.EU.Order.Items.Id"},
		{"ümlaut_id_seq", "integer", 1, false, `naïve "quoted".ümlaut.id`},
	} {
		s := sequence(t, c, want.name)
		require.False(t, s.Unreadable, want.name)
		require.Equal(t, want.last, *s.LastValue, want.name)
		require.Equal(t, want.called, s.IsCalled, want.name)
		require.Equal(t, want.typ, s.Type, want.name)
		require.Equal(t, want.ownedBy, s.OwnedBy, want.name)
	}
	require.True(t, sequence(t, c, "Order.Items_Id_seq").Identity)
	require.False(t, sequence(t, c, "ümlaut_id_seq").Identity)
	require.EqualValues(t, -5, sequence(t, c, "fresh").Increment)
	require.EqualValues(t, 100, sequence(t, c, "fresh").Start)
}

func TestReadAsARoleThatMayNotSeeEverything(t *testing.T) {
	uri, _ := connect(t, ugly)
	limited := pgtest.Role(t, uri, "catalog_limited")
	pgtest.Exec(t, uri, `
		GRANT SELECT ON animal, walled, "Sales.EU"."Order.Items" TO catalog_limited;
		GRANT SELECT ON SEQUENCE used TO catalog_limited;
		GRANT USAGE ON SEQUENCE restarted TO catalog_limited;
		GRANT SELECT ON SEQUENCE "Sales.EU"."Order.Items_Id_seq" TO catalog_limited`)
	c := mustRead(t, pgtest.Connect(t, limited))

	require.EqualValues(t, 2, *sequence(t, c, "used").LastValue)
	for _, name := range []string{"fresh", "restarted", "Order.Items_Id_seq"} {
		s := sequence(t, c, name)
		require.True(t, s.Unreadable, name)
		require.Nil(t, s.LastValue, name)
	}
	require.True(t, c.Table("public", "animal").Selectable)
	require.False(t, c.Table("public", "pet").Selectable)
	require.False(t, c.Table("Sales.EU", "Order.Items").Selectable, "no USAGE on its schema")
	walled := c.Table("public", "walled")
	require.True(t, walled.RowSecurity && walled.ForceRowSecurity && walled.RowSecurityActive)
	require.Equal(t, pgtest.Superuser, walled.Owner)
}

func TestReadIsTheSameTwice(t *testing.T) {
	_, conn := connect(t, ugly)
	require.Equal(t, mustRead(t, conn), mustRead(t, conn))
}

func TestReadStaysInTheCallersTransaction(t *testing.T) {
	uri, conn := connect(t, `CREATE TABLE before (id int)`)
	tx, err := conn.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SET LOCAL search_path = public, pg_temp; CREATE TABLE mine (id int)`)
	require.NoError(t, err)
	pgtest.Exec(t, uri, `CREATE TABLE after (id int)`)

	c := mustRead(t, conn)
	require.NotNil(t, c.Table("public", "before"))
	require.NotNil(t, c.Table("public", "mine"))
	require.Nil(t, c.Table("public", "after"), "the transaction's snapshot is older")
	var path string
	require.NoError(t, tx.QueryRow(t.Context(), `SHOW search_path`).Scan(&path))
	require.Equal(t, "public, pg_temp", path)
	require.NoError(t, tx.Rollback(t.Context()))
	require.NoError(t, conn.QueryRow(t.Context(), `SHOW search_path`).Scan(&path))
	require.Equal(t, `"$user", public`, path)
}

// queryCounter counts statements.
type queryCounter struct{ n int }

func (q *queryCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.n++
	return ctx
}
func (q *queryCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestReadAsksAFixedNumberOfQuestions(t *testing.T) {
	count := func(tables int) int {
		uri := pgtest.Database(t)
		pgtest.Exec(t, uri, fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
			EXECUTE format('CREATE TABLE t%%s (id serial PRIMARY KEY, t text UNIQUE)', i);
			END LOOP; END $$`, tables))
		config, err := pgx.ParseConfig(uri)
		require.NoError(t, err)
		q := &queryCounter{}
		config.Tracer = q
		conn, err := pgx.ConnectConfig(t.Context(), config)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.Len(t, mustRead(t, conn).Tables, tables)
		return q.n
	}
	require.Equal(t, count(1), count(150))
}

// testData returns a file of the folder with public data sets, which is not part
// of the repository; without it the test is skipped.
func testData(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("PRIVET_TEST_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if os.IsNotExist(err) {
		t.Skipf("%s is not here; set PRIVET_TEST_DATA to the folder that holds it", name)
	}
	require.NoError(t, err)
	return data
}

func TestReadPagila(t *testing.T) {
	sql := testData(t, "pagila.sql")
	uri := pgtest.Database(t)
	psql, err := pgbin.Find("psql")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), psql, "-qX", "-v", "ON_ERROR_STOP=1", "-d", uri)
	cmd.Stdin = bytes.NewReader(sql)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	c := mustRead(t, pgtest.Connect(t, uri))
	year := c.Table("public", "film").Column("release_year")
	require.Equal(t, "int4", year.BaseType)
	require.Equal(t, "public.year", year.Domain)
	require.True(t, c.Table("public", "film").Column("special_features").Array)
	require.Equal(t, []string{"G", "PG", "PG-13", "R", "NC-17"}, c.Table("public", "film").Column("rating").Enum)
	leaf := c.Table("public", "payment_p2022_01")
	require.Equal(t, "public.payment", leaf.Root().String())
	for _, f := range c.ForeignKeys {
		require.False(t, f.Table.IsPartition, f.String())
		require.NotEmpty(t, f.Columns, f.String())
	}
}
