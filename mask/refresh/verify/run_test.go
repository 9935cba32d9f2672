package verify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask"
)

const shopSchema = `
	CREATE TABLE customer (
		id int PRIMARY KEY, first_name text, last_name text NOT NULL, email text UNIQUE, phone text, card text,
		address text, iban varchar(40), born date, salary numeric(10,2), notes text, status text, bio text);
	CREATE TABLE message (
		id bigint PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, body text, raw bytea, code bigint);
	CREATE TABLE profile (customer_id int PRIMARY KEY REFERENCES customer, data jsonb, tags text[]);
	CREATE TABLE event (at timestamptz, email text, what text);
	CREATE TABLE visit (id int, day date, ip inet, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
	CREATE TABLE visit_old PARTITION OF visit FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
	CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM ('2024-01-01') TO ('2028-01-01');
	CREATE TABLE audit_log (id int PRIMARY KEY, line text);
	CREATE MATERIALIZED VIEW bodies AS SELECT body FROM message WITH NO DATA;`

// firstNames and others stand for the lists of names that everybody shares.
const shopRows = `
	CREATE TEMP TABLE first_names AS SELECT i, 'Name' || i AS name FROM generate_series(0, 199) i;
	INSERT INTO customer SELECT i, (SELECT name FROM first_names WHERE first_names.i = c.i * 7 %% 150), 'Lee' || c.i %% 90,
		CASE WHEN i %% 50 > 0 THEN 'Person' || i || '@mail' || i %% 7 || '.com' END,
		'+1 (415) ' || 200 + i %% 700 || '-' || lpad((i * 37 %% 10000)::text, 4, '0'),
		'4' || lpad((i::bigint * 7919 %% 1000000000000)::text, 12, '0') || lpad((i %% 1000)::text, 3, '0'),
		i || ' Maple Street', 'DE' || 10 + i %% 80 || ' ' || 1000 + i %% 9000 || ' 0044 0532 ' || lpad(i::text, 4, '0') || ' 00',
		date '1950-01-01' + i * 5, 1000 + i %% 300 * 10.5,
		CASE WHEN i %% 3 = 0 THEN 'wrote from second' || i || '@private.net about it' ELSE 'likes the colour ' || i %% 10 END,
		CASE WHEN i %% 2 = 0 THEN 'n/a' ELSE 'vip customer number ' || i END,
		'a longer story of nine words and more about person ' || i
		FROM generate_series(1, %[1]d) AS c(i);
	INSERT INTO message SELECT i, i / 2 + 1, 'order ' || i || ' was sent on 2026-01-02, thank you', NULL, 1000000 + i
		FROM generate_series(1, %[1]d) AS m(i);
	INSERT INTO profile SELECT i, jsonb_build_object('lang', 'en', 'n', i), ARRAY['blue', 'n' || i]
		FROM generate_series(1, %[1]d) AS p(i);
	INSERT INTO event SELECT '2026-01-01'::timestamptz + i * interval '1 minute', 'Person' || i || '@mail' || i %% 7 || '.com', 'login'
		FROM generate_series(1, %[1]d) AS e(i);
	INSERT INTO visit SELECT i, date '2021-01-01' + i %% 2000, ('84.' || i / 65536 || '.' || i / 256 %% 256 || '.' || i %% 256)::inet FROM generate_series(1, %[1]d) AS v(i);
	INSERT INTO audit_log VALUES (1, 'secret');
	ANALYZE;`

// masked holds, for each table, its columns and the query that masks them: plain
// SQL, so that nothing of the refresh is needed to test this package.
var masked = []struct{ table, columns, query string }{
	{"customer", "id, first_name, last_name, email, phone, card, address, iban, born, salary, notes, status, bio", `SELECT id,
		'Name' || abs(hashtext(first_name || 'k')) % 200, 'Lee' || abs(hashtext(last_name || 'k')) % 120,
		'u' || md5(email || 'k') || '@example.org', '+999' || lpad((abs(hashtext(phone || 'k'))::bigint * 7 % 10000000000)::text, 10, '0'),
		substr(card, 1, 1) || lpad((('x' || substr(md5(card || 'k'), 1, 12))::bit(48)::bigint % 1000000000000000)::text, 15, '0'),
		abs(hashtext(address || 'k')) % 99999 || ' Oak Avenue', 'XX' || md5(iban || 'k'), born + 1 + abs(hashtext(id || 'k')) % 30,
		salary + 1 + abs(hashtext(salary || 'k')) % 50,
		regexp_replace(notes, '\S+@\S+', '[email]'), 'n/a', NULL FROM customer`},
	{"message", "id, customer_id, body, raw, code", "SELECT * FROM message"},
	{"profile", "customer_id, data, tags", "SELECT * FROM profile"},
	{"event", "at, email, what", "SELECT at, 'u' || md5(email || 'k') || '@example.org', what FROM event"},
	{"visit", "id, day, ip", "SELECT id, day, ('10.' || id / 10000 || '.' || id / 100 % 100 || '.' || id % 100)::inet FROM visit"},
}

// A shop is a source, and a copy of it that a test may spoil.
type shop struct {
	source, target string
	rows           int
}

func newSource(t testing.TB, rows int) string {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, shopSchema+fmt.Sprintf(shopRows, rows))
	return uri
}

func newShop(t testing.TB, source string, rows int) *shop {
	s := &shop{source: source, target: pgtest.Database(t), rows: rows}
	from, to := pgtest.Connect(t, s.source), pgtest.Connect(t, s.target)
	pgtest.Exec(t, s.target, shopSchema)
	for _, m := range masked {
		var buf bytes.Buffer
		_, err := from.PgConn().CopyTo(t.Context(), &buf, "COPY ("+m.query+") TO STDOUT")
		require.NoError(t, err, m.table)
		_, err = to.PgConn().CopyFrom(t.Context(), &buf, "COPY "+m.table+" ("+m.columns+") FROM STDIN")
		require.NoError(t, err, m.table)
	}
	return s
}

func opener(uri string) func(context.Context) (*pgx.Conn, error) {
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.Connect(ctx, uri) }
}

// input is what a refresh by the shop's policy would ask for.
func (s *shop) input(t testing.TB) Input {
	read := func(uri string) *catalog.Catalog {
		conn := pgtest.Connect(t, uri)
		cat, err := catalog.Read(t.Context(), conn)
		require.NoError(t, err)
		return cat
	}
	source, target := read(s.source), read(s.target)
	list := func(name string, typ classify.Type, rule string, traits mask.Traits) Column {
		return Column{Name: name, Type: typ, Rule: rule, Traits: traits, Identifying: Identifying(typ, rule)}
	}
	email := mask.Traits{Output: mask.OutputFictional, Injective: true, Domain: 1 << 62}
	columns := map[string][]Column{
		"customer": {
			list("first_name", classify.FirstName, "first_name", mask.Traits{Output: mask.OutputSynthetic, Domain: 200}),
			list("last_name", classify.LastName, "last_name", mask.Traits{Output: mask.OutputSynthetic, Domain: 120}),
			list("email", classify.Email, "email", email),
			list("phone", classify.Phone, "phone", mask.Traits{Output: mask.OutputFictional, Domain: 1e7}),
			list("card", classify.CardNumber, "fpe", mask.Traits{Output: mask.OutputPermutation, Injective: true, Domain: 1e15}),
			list("address", classify.StreetAddress, "street_address", mask.Traits{Output: mask.OutputSynthetic, Domain: 1e8}),
			list("iban", classify.IBAN, "hash", mask.Traits{Output: mask.OutputFictional, Injective: true, Domain: 1e38}),
			list("born", classify.DateOfBirth, "date_shift(days=30)", mask.Traits{Output: mask.OutputSynthetic, Domain: 60}),
			list("salary", classify.Salary, "number_noise(abs=50)", mask.Traits{Output: mask.OutputSynthetic}),
			list("notes", classify.FreeText, "redact_text", mask.Traits{Output: mask.OutputPartial}),
			list("status", classify.FreeText, `constant("n/a")`, mask.Traits{Output: mask.OutputConstant, Domain: 1}),
			list("bio", classify.FreeText, "null", mask.Traits{Output: mask.OutputConstant, Domain: 1}),
		},
		"event":     {list("email", classify.Email, "email", email)},
		"visit_old": {list("ip", classify.IPAddress, "hash", mask.Traits{Output: mask.OutputFictional})},
		"visit_new": {list("ip", classify.IPAddress, "hash", mask.Traits{Output: mask.OutputFictional})},
	}
	in := Input{Source: opener(s.source), Target: opener(s.target), TempDir: t.TempDir()}
	for _, table := range source.Tables {
		copied := target.Table(table.Schema, table.Name)
		if copied == nil {
			copied = table
		}
		in.Tables = append(in.Tables, Table{Source: table, Target: copied, Key: table.PrimaryKey,
			Columns: columns[table.Name], SourceRows: -1, NoRows: table.Name == "audit_log"})
	}
	return in
}

// failures returns the report's failed checks as "name table.column <- source".
func failures(r *Report) []string {
	var out []string
	for _, c := range r.Failed() {
		s := c.Name
		if w := c.Where(); w != "" {
			s += " " + w
		}
		if c.From != "" {
			s += " <- " + c.From
		}
		out = append(out, s)
	}
	return out
}

func text(t testing.TB, r *Report) string {
	var b strings.Builder
	require.NoError(t, r.WriteText(&b, true))
	return b.String()
}

func TestCleanCopyPasses(t *testing.T) {
	pgtest.Shared(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := newShop(t, newSource(t, 2000), 2000)
	in := s.input(t)
	var last Progress
	in.Jobs, in.Progress = 1, func(p Progress) { last = p }
	r, err := Run(t.Context(), in)
	require.NoError(t, err)
	require.True(t, r.OK, text(t, r))
	require.Positive(t, r.Originals)
	require.Equal(t, Progress{Phase: "target", Table: last.Table, Rows: 10000, Tables: 8, Of: 8}, last)

	var names *Check
	for i, c := range r.Checks {
		if c.Name == CheckIdentity && c.Column == "first_name" {
			names = &r.Checks[i]
		}
	}
	require.NotNil(t, names)
	require.LessOrEqual(t, names.Distinct, names.Limit)
	require.Contains(t, text(t, r), "no primary key is kept", "public.event is compared by column only")
	require.Contains(t, text(t, r), "verified: 8 tables, 10,000 rows")
}

// Each leak that is planted fails the check that is there for it, and no other.
func TestPlantedLeaksFail(t *testing.T) {
	const rows = 400
	pgtest.Shared(t)
	source := newSource(t, rows)
	original := func(column string) string {
		conn := pgtest.Connect(t, source)
		var v string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT "+column+"::text FROM customer WHERE id = 77").Scan(&v))
		return v
	}
	email, phone, card := original("email"), original("phone"), original("card")
	literal := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	digits := strings.NewReplacer("+", "", " ", "", "(", "", ")", "", "-", "").Replace(phone)
	for _, tt := range []struct {
		name, sql string
		want      []string
	}{
		{"e-mail in the middle of a note", `UPDATE message SET body = 'Dear all: ' || ` + literal(email) + ` || ', please answer' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.email", "originals public.message.body <- public.event.email"}},
		{"e-mail in upper case", `UPDATE message SET body = upper(` + literal(email) + `) || '.' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.email", "originals public.message.body <- public.event.email"}},
		{"e-mail in a materialized view", `UPDATE message SET body = 'to ` + email + `' WHERE id = 5; REFRESH MATERIALIZED VIEW bodies; UPDATE message SET body = '' WHERE id = 5`,
			[]string{"originals public.bodies.body <- public.customer.email", "originals public.bodies.body <- public.event.email"}},
		{"e-mail in a URL", `UPDATE message SET body = 'https://x.org/?to=' || replace(` + literal(email) + `, '@', '%40') || '&n=1' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.email", "originals public.message.body <- public.event.email"}},
		{"e-mail in a JSON leaf", `UPDATE profile SET data = data || jsonb_build_object('more', jsonb_build_array(1, jsonb_build_object('x', ` + literal(email) + `))) WHERE customer_id = 9`,
			[]string{"originals public.profile.data <- public.customer.email", "originals public.profile.data <- public.event.email"}},
		{"e-mail as a JSON name", `UPDATE profile SET data = data || jsonb_build_object(` + literal(email) + `, true) WHERE customer_id = 9`,
			[]string{"originals public.profile.data <- public.customer.email", "originals public.profile.data <- public.event.email"}},
		{"e-mail in an array", `UPDATE profile SET tags = tags || ` + literal(email) + `::text WHERE customer_id = 9`,
			[]string{"originals public.profile.tags <- public.customer.email", "originals public.profile.tags <- public.event.email"}},
		{"address in bytea", `UPDATE message SET raw = convert_to('lives at 77  MAPLE street.', 'UTF8') WHERE id = 5`,
			[]string{"originals public.message.raw <- public.customer.address"}},
		{"e-mail among other bytes", `UPDATE message SET raw = '\x00ff0a'::bytea || convert_to(` + literal(email) + `, 'UTF8') || '\xfe'::bytea WHERE id = 5`,
			[]string{"originals public.message.raw <- public.customer.email", "originals public.message.raw <- public.event.email"}},
		{"phone as a floating-point number", `ALTER TABLE message ADD f float8; UPDATE message SET f = ` + digits + ` WHERE id = 5`,
			[]string{"originals public.message.f <- public.customer.phone"}},
		{"e-mail in a user's range type", `CREATE TYPE span AS RANGE (subtype = text); ALTER TABLE message ADD s span; UPDATE message SET s = span(` + literal(email) + `, NULL) WHERE id = 5`,
			[]string{"originals public.message.s <- public.customer.email", "originals public.message.s <- public.event.email"}},
		{"phone with other separators", `UPDATE message SET body = 'call ` + digits[:1] + "." + digits[1:4] + "." + digits[4:7] + "." + digits[7:] + ` 2 times' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.phone"}},
		{"card in groups", `UPDATE message SET body = 'card ` + card[:4] + "-" + card[4:8] + "-" + card[8:12] + "-" + card[12:] + `' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.card"}},
		{"phone as a number", `UPDATE message SET code = ` + digits + ` WHERE id = 5`,
			[]string{"originals public.message.code <- public.customer.phone"}},
		{"IBAN without blanks", `UPDATE message SET body = 'IBAN: ' || replace(` + literal(original("iban")) + `, ' ', '') || '!' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.iban"}},
		{"what redact_text should have taken out", `UPDATE message SET body = 'from second300@private.net' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.notes"}},
		{"a long text elsewhere", `UPDATE message SET body = 'A longer story of nine words, and more about person 77' WHERE id = 5`,
			[]string{"originals public.message.body <- public.customer.bio"}},
		{"a row left unmasked", `UPDATE customer SET email = ` + literal(email) + ` WHERE id = 77`,
			[]string{"identity public.customer.email", "originals public.customer.email <- public.customer.email", "originals public.customer.email <- public.event.email"}},
		{"fpe left one value", `UPDATE customer SET card = ` + literal(card) + ` WHERE id = 77`,
			[]string{"identity public.customer.card", "originals public.customer.card <- public.customer.card"}},
		{"a date that was not shifted", `UPDATE customer SET born = ` + literal(original("born")) + ` WHERE id = 77`,
			[]string{"identity public.customer.born"}},
		{"injective column collapsed", `UPDATE customer SET card = (SELECT min(card) FROM customer)`,
			[]string{"distinct public.customer.card"}},
		{"a missing row", `DELETE FROM visit WHERE id = 3`, nil},
		{"another row instead", `UPDATE visit SET id = 1000000 WHERE id = 5`, nil},
		{"NULLs", `UPDATE customer SET phone = NULL WHERE id < 4`, []string{"nulls public.customer.phone"}},
		{"rows where only the structure belongs", `INSERT INTO audit_log VALUES (1, 'x')`, []string{"rows public.audit_log"}},
		{"a foreign key dropped", `ALTER TABLE message DROP CONSTRAINT message_customer_id_fkey`, []string{"foreign keys public.message"}},
		{"a foreign key not validated", `ALTER TABLE profile DROP CONSTRAINT profile_customer_id_fkey; ALTER TABLE profile ADD CONSTRAINT f FOREIGN KEY (customer_id) REFERENCES customer NOT VALID`,
			[]string{"foreign keys public.profile"}},
		{"a value where all should be NULL", `UPDATE customer SET bio = 'x' WHERE id = 1`, []string{"nulls public.customer.bio"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newShop(t, source, rows)
			pgtest.Exec(t, s.target, tt.sql)
			r, err := Run(t.Context(), s.input(t))
			require.NoError(t, err)
			require.False(t, r.OK)
			if tt.want == nil {
				require.Len(t, failures(r), 1, text(t, r))
				require.Contains(t, failures(r)[0], "rows public.visit_")
				return
			}
			require.Equal(t, tt.want, failures(r), text(t, r))
			for _, secret := range []string{email, phone, card, digits} {
				require.NotContains(t, text(t, r), secret, "a report holds no value")
			}
		})
	}
}

// Columns that were copied as they are fail, whatever their rules.
func TestUnmaskedColumnsFail(t *testing.T) {
	const rows = 500
	pgtest.Shared(t)
	s := newShop(t, newSource(t, rows), rows)
	columns := []string{"first_name", "last_name", "email", "phone", "card", "address", "iban", "born", "salary", "status"}
	list := strings.Join(columns, ", ")
	from, to := pgtest.Connect(t, s.source), pgtest.Connect(t, s.target)
	var buf bytes.Buffer
	_, err := from.PgConn().CopyTo(t.Context(), &buf, "COPY (SELECT id, "+list+" FROM customer) TO STDOUT")
	require.NoError(t, err)
	_, err = to.Exec(t.Context(), "CREATE TEMP TABLE original AS SELECT id, "+list+" FROM customer LIMIT 0")
	require.NoError(t, err)
	_, err = to.PgConn().CopyFrom(t.Context(), &buf, "COPY original FROM STDIN")
	require.NoError(t, err)
	_, err = to.Exec(t.Context(), "UPDATE customer c SET ("+list+") = (SELECT "+list+" FROM original o WHERE o.id = c.id)")
	require.NoError(t, err)
	r, err := Run(t.Context(), s.input(t))
	require.NoError(t, err)
	failed := failures(r)
	for _, column := range columns {
		require.Contains(t, failed, "identity public.customer."+column, text(t, r))
	}
}

// A rule for one place of JSON documents: the rest of them is kept.
func TestMaskedDocuments(t *testing.T) {
	pgtest.Shared(t)
	s := &shop{source: pgtest.Database(t), target: pgtest.Database(t)}
	const schema = "CREATE TABLE doc (id int PRIMARY KEY, d jsonb, e text[]);"
	pgtest.Exec(t, s.source, schema+`INSERT INTO doc SELECT i, jsonb_build_object('lang', 'lang' || i, 'to', jsonb_build_array(jsonb_build_object('email', 'p' || i || '@mail.com'))),
		ARRAY['q' || i || '@mail.com', NULL] FROM generate_series(1, 100) i`)
	pgtest.Exec(t, s.target, schema+`INSERT INTO doc SELECT i, jsonb_build_object('lang', 'lang' || i, 'to', jsonb_build_array(jsonb_build_object('email', 'u' || i || '@example.org'))),
		ARRAY['v' || i || '@example.org', NULL] FROM generate_series(1, 100) i`)
	fictional := mask.Traits{Output: mask.OutputFictional}
	in := s.input(t)
	in.Tables[0].Columns = []Column{
		{Name: "d", Path: "/to/*/email", Type: classify.Email, Rule: "email", Traits: fictional, Identifying: true},
		{Name: "e", Type: classify.Email, Rule: "email", Traits: fictional, Identifying: true},
	}
	r, err := Run(t.Context(), in)
	require.NoError(t, err)
	require.True(t, r.OK, text(t, r))
	require.Equal(t, int64(200), r.Originals, "what is kept in a document is no original")
	pgtest.Exec(t, s.target, `UPDATE doc SET d = jsonb_set(d, '{to,0,email}', '"p5@mail.com"') WHERE id = 5;
		UPDATE doc SET e[1] = 'q6@mail.com' WHERE id = 6`)
	r, err = Run(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []string{
		"originals public.doc.d <- public.doc.d/to/*/email", "identity public.doc.d/to/*/email",
		"identity public.doc.e", "originals public.doc.e <- public.doc.e"}, failures(r))
}

// Values that a rule leaves as they are by its nature say nothing of a leak.
func TestWhatRulesLeaveIsNoLeak(t *testing.T) {
	pgtest.Shared(t)
	s := &shop{source: pgtest.Database(t), target: pgtest.Database(t)}
	const schema = "CREATE TABLE doc (id int PRIMARY KEY, d jsonb, phones text[], n int[], days date[], ok bool, due numeric(10,2), pin text);"
	const fill = `INSERT INTO doc SELECT i, jsonb_build_object('n', CASE i %% 2 WHEN 0 THEN 0 ELSE i %[1]s END, 'hint', 'ab' %[2]s),
		CASE i %% 3 WHEN 0 THEN '{}' WHEN 1 THEN '{NULL,""}' ELSE ARRAY[i || '-%[3]s'] END, ARRAY[0, CASE i %% 2 WHEN 0 THEN 0 ELSE i %[1]s END],
		CASE i %% 2 WHEN 0 THEN '{infinity}' ELSE ARRAY[date '2020-01-01' + i %[1]s] END, %[4]s, %[5]s, lpad((i * 7919 %% 1000000)::text, 6, '0')
		FROM generate_series(1, 600) i`
	pgtest.Exec(t, s.source, schema+fmt.Sprintf(fill, "", "", "original", "i % 2 = 0", "i % 3"))
	pgtest.Exec(t, s.target, schema+fmt.Sprintf(fill, "+ 3", "", "masked", "true", "0"))
	pgtest.Exec(t, s.target, `UPDATE doc SET pin = lpad((id * 104729 % 1000000)::text, 6, '0'), d = d || '{"hint": "**"}'`)
	partial := mask.Traits{Output: mask.OutputPartial}
	synthetic := mask.Traits{Output: mask.OutputSynthetic}
	constant := mask.Traits{Output: mask.OutputConstant, Domain: 1}
	in := s.input(t)
	in.Tables[0].Columns = []Column{
		{Name: "d", Path: "/n", Rule: "number_noise(abs=5)", Traits: synthetic},
		{Name: "d", Path: "/hint", Rule: "partial", Traits: partial, Identifying: true},
		{Name: "phones", Rule: "phone", Traits: mask.Traits{Output: mask.OutputFictional}, Identifying: true},
		{Name: "n", Rule: "number_noise(abs=5)", Traits: synthetic},
		{Name: "days", Rule: "date_shift(days=3)", Traits: synthetic},
		{Name: "ok", Rule: "constant(true)", Traits: constant},
		{Name: "due", Rule: "constant(0)", Traits: constant},
		{Name: "pin", Rule: "fpe", Traits: mask.Traits{Output: mask.OutputPermutation, Domain: 1e6}},
	}
	r, err := Run(t.Context(), in)
	require.NoError(t, err)
	require.True(t, r.OK, text(t, r))
	pgtest.Exec(t, s.target, `UPDATE doc SET n[2] = n[2] - 3 WHERE id = 7; UPDATE doc SET phones[1] = '8-original' WHERE id = 8;
		UPDATE doc SET d = jsonb_set(d, '{n}', '9') WHERE id = 9; UPDATE doc SET due = id % 3`)
	r, err = Run(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []string{"identity public.doc.d/n", "identity public.doc.due", "identity public.doc.n",
		"identity public.doc.phones", "originals public.doc.phones <- public.doc.phones"}, failures(r), text(t, r))
}

// A source that goes on living after the copy explains rows that differ, and no
// leak.
func TestMovingSource(t *testing.T) {
	pgtest.Shared(t)
	s := newShop(t, newSource(t, 300), 300)
	pgtest.Exec(t, s.source, `
		INSERT INTO customer (id, last_name, email) VALUES (9001, 'Lee', 'new@mail.com');
		DELETE FROM message WHERE id = 7; UPDATE customer SET phone = NULL WHERE id = 3`)
	in := s.input(t)
	r, err := Run(t.Context(), in)
	require.NoError(t, err)
	require.False(t, r.OK)
	in.Moving = true
	r, err = Run(t.Context(), in)
	require.NoError(t, err)
	require.True(t, r.OK, text(t, r))
	require.Contains(t, text(t, r), "300 rows of 299")
}

// With hardly any memory the fingerprints go to disk, where no file stays, and
// the report says the same.
func TestSpillsAndSaysTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("200,000 rows in five tables")
	}
	pgtest.Shared(t)
	const rows = 40_000
	s := newShop(t, newSource(t, rows), rows)
	pgtest.Exec(t, s.target, `UPDATE message SET body = body || ' person77@mail0.com' WHERE id % 1000 = 0;
		UPDATE customer SET first_name = 'Name1', card = '4000000000000000' WHERE id % 2 = 0`)
	in := s.input(t)
	roomy, err := Run(t.Context(), in)
	require.NoError(t, err)
	in.MemoryLimit = 1
	dir := in.TempDir
	in.Progress = func(Progress) {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(names) > 1 {
			t.Errorf("files with a name: %v %v", names, err)
		}
	}
	tight, err := Run(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, roomy.Originals, tight.Originals)
	require.Equal(t, failures(roomy), failures(tight))
	require.NotEmpty(t, failures(tight))
	for i, c := range roomy.Checks {
		d := tight.Checks[i]
		require.Equal(t, []any{c.Name, c.Where(), c.Result, c.Found}, []any{d.Name, d.Where(), d.Result, d.Found})
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunErrors(t *testing.T) {
	pgtest.Shared(t)
	s := newShop(t, newSource(t, 10), 10)
	t.Run("a role that may not read", func(t *testing.T) {
		in := s.input(t)
		in.Source = opener(pgtest.Role(t, s.source, "verify_nobody"))
		_, err := Run(t.Context(), in)
		require.Error(t, err)
		require.Equal(t, fault.Config, fault.KindOf(err))
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		in := s.input(t)
		in.Progress = func(Progress) { cancel() }
		_, err := Run(ctx, in)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("no folder for what does not fit", func(t *testing.T) {
		s := newShop(t, newSource(t, 30_000), 30_000)
		in := s.input(t)
		in.TempDir, in.MemoryLimit = filepath.Join(t.TempDir(), "none"), 1
		_, err := Run(t.Context(), in)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("a table that is not there", func(t *testing.T) {
		pgtest.Exec(t, s.target, "DROP TABLE event")
		r, err := Run(t.Context(), s.input(t))
		require.NoError(t, err)
		require.Equal(t, []string{"rows public.event"}, failures(r))
	})
}
