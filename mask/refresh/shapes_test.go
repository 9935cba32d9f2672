package refresh_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
)

// structure is a database's structure as pg_dump prints it.
func structure(t *testing.T, uri string) string {
	t.Helper()
	dump, err := pgbin.Find("pg_dump")
	require.NoError(t, err)
	out, err := exec.Command(dump, "--schema-only", "--no-owner", "--no-privileges", "--dbname="+uri).Output()
	require.NoError(t, err)
	var kept []string
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "--") && !strings.HasPrefix(line, `\`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestTheStructureArrivesWhole(t *testing.T) {
	p := newPair(t)
	pgtest.Role(t, p.source, "structure_tenant")
	pgtest.Exec(t, p.source, `
		ALTER TABLE country ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own ON country TO structure_tenant USING (code = 'DE');
		ALTER TABLE country ADD CONSTRAINT short CHECK (length(name) < 30) NOT VALID;
		CREATE STATISTICS both_names ON first_name, last_name FROM customer;
		CREATE RULE quiet AS ON DELETE TO scratch DO INSTEAD NOTHING;
		COMMENT ON TABLE country IS 'ISO 3166';
		CREATE SEQUENCE counter INCREMENT -5 MAXVALUE 100 START 40; SELECT nextval('counter'), nextval('counter');
		CREATE AGGREGATE longest(text) (SFUNC = text_larger, STYPE = text);
		CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
		CREATE TYPE pair AS (a int, b text);
		CREATE TABLE parent (id int PRIMARY KEY, kind text); CREATE TABLE child (extra int) INHERITS (parent);
		INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3);
		CREATE TABLE columnless (); INSERT INTO columnless SELECT FROM generate_series(1, 3000);`)
	cfg := p.config(testdata(t, "privet.yaml") + "  public.parent: {columns: {kind: {keep: labels}}}\n  public.child: {columns: {kind: {keep: labels}, extra: {keep: numbers}}}\n")
	_, err := refresh.Run(ctx(t), cfg)
	require.NoError(t, err)
	require.Equal(t, structure(t, p.source), structure(t, p.target))
	for _, sql := range []string{"SELECT * FROM ONLY parent", "SELECT * FROM child", "SELECT count(*) FROM columnless", "SELECT last_value, is_called FROM counter"} {
		require.Equal(t, query(t, p.source, sql), query(t, p.target, sql), sql)
	}
}

// What connects a database to the world outside is left out, and said.
func TestLiveWiresAreLeftOut(t *testing.T) {
	p := newPair(t)
	pgtest.Exec(t, p.source, `CREATE PUBLICATION everything FOR ALL TABLES;
		CREATE FUNCTION event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
		CREATE EVENT TRIGGER loud ON ddl_command_start EXECUTE FUNCTION event();
		CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
		CREATE USER MAPPING FOR CURRENT_USER SERVER elsewhere OPTIONS (password 'hunter2');`)
	res, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	for _, catalog := range []string{"pg_publication", "pg_event_trigger", "pg_user_mapping"} {
		require.Equal(t, []string{"0"}, query(t, p.target, "SELECT count(*) FROM "+catalog), catalog)
	}
	notes := strings.Join(res.Notes, "\n")
	require.Equal(t, 1, strings.Count(notes, "event trigger"), notes)
	require.Contains(t, notes, "publication - everything is not copied")
	require.Contains(t, notes, "user mapping")
	require.NotContains(t, notes, "hunter2")
}

func TestPolicyRolesMustExistOnTheTarget(t *testing.T) {
	p := newPair(t)
	other, err := pgtest.Start(t.Context(), pgtest.Options{TCP: true}) // with a password
	require.NoError(t, err)
	target, admin := p.target, p.admin
	defer func() {
		p.target, p.admin = target, admin
		require.NoError(t, other.Stop())
	}()
	require.NoError(t, other.Exec(t.Context(), "postgres", "CREATE DATABASE staging"))
	p.target, p.admin = other.TCPURI("staging"), other.URI("postgres")
	pgtest.Exec(t, p.target, "CREATE TABLE old_content (x text); INSERT INTO old_content VALUES ('still here')")
	p.mark()
	pgtest.Role(t, p.source, "policy_tenant")
	pgtest.Exec(t, p.source, "CREATE POLICY own ON country TO policy_tenant USING (true)")
	p.refused(p.config(testdata(t, "privet.yaml")), fault.Config, "policy_tenant")
	pgtest.Exec(t, p.target, "CREATE ROLE policy_tenant NOLOGIN")
	_, err = refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err, "two servers")
	require.Equal(t, []string{"500"}, query(t, p.target, "SELECT count(*) FROM customer"))
}

// Tenants by column have keys of their own; subjects are found through another
// table; documents are masked by path.
func TestTenantsSubjectsAndDocuments(t *testing.T) {
	leaks(t)
	p := emptyPair(t)
	pgtest.Exec(t, p.source, `
		CREATE TABLE person (person_id int PRIMARY KEY, org text NOT NULL, email text, born date, profile jsonb);
		CREATE TABLE booking (id int PRIMARY KEY, org text NOT NULL, person_id int REFERENCES person, day date);
		INSERT INTO person SELECT i, 'org' || i % 3, 'same@source-mail.net', date '1980-01-01' + i,
			jsonb_build_object('email', 'p' || i || '@source-mail.net', 'langs', jsonb_build_array('de', 'fr'), 'age', i, 'card', '4111111111111111') FROM generate_series(1, 90) i;
		INSERT INTO booking SELECT i, 'org' || i % 3, i, date '1980-01-01' + i FROM generate_series(1, 90) i;`)
	cfg := p.config(`version: 1
tenant: {column: org}
columns:
  - {name: "*id", sql: [int4], keep: key}
tables:
  public.person:
    subject: person_id
    columns:
      org: {keep: names of organisations}
      email: {type: email, mask: email}
      born: {type: date_of_birth, mask: "date_shift(days=300, by=subject)"}
      profile: {class: confidential, json: {/email: {type: email}, "/langs/*": {keep: language codes}, /age: {keep: coarse}, /card: {type: card_number, mask: fpe}}}
  public.booking:
    subject: {via: person_id -> public.person.person_id}
    columns:
      org: {keep: names of organisations}
      day: {class: confidential, mask: "date_shift(days=300, by=subject)"}
defaults: {email: email}
`)
	plan, err := refresh.MakePlan(ctx(t), refresh.PlanConfig{Source: p.source, Policy: cfg.Policy})
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, plan.WriteText(&text))
	require.Regexp(t, `profile +jsonb +mask by path \(partial\)`, text.String())

	_, err = refresh.Run(ctx(t), cfg)
	require.NoError(t, err)
	require.Equal(t, []string{"3"}, query(t, p.target, "SELECT count(DISTINCT email) FROM person"), "one pseudonym a tenant")
	for _, card := range query(t, p.target, "SELECT DISTINCT profile->>'card' FROM person") {
		require.False(t, luhn(card), "a path's type makes fpe mask cards, so that none passes for one")
	}
	require.Equal(t, []string{"90"}, query(t, p.target, "SELECT count(*) FROM person p JOIN booking b USING (person_id) WHERE p.born = b.day"),
		"one shift a subject, in both tables")
	require.Equal(t, []string{"0"}, query(t, p.target, "SELECT count(*) FROM person WHERE profile->>'email' LIKE '%source-mail%'"))
	require.Equal(t, query(t, p.source, "SELECT profile - 'email' - 'card' FROM person ORDER BY person_id"), query(t, p.target, "SELECT profile - 'email' - 'card' FROM person ORDER BY person_id"))
}

// luhn reports whether a number passes the check of card numbers.
func luhn(number string) bool {
	sum := 0
	for i, c := range number {
		d := int(c - '0')
		if (len(number)-i)%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// A standby is a source like another; its own primary is no target for it
// unless the database is another one.
func TestAStandbyAsSource(t *testing.T) {
	leaks(t)
	p := newPair(t)
	standby := pgtest.Standby(t, p.source)
	cfg := p.config(testdata(t, "privet.yaml"))
	cfg.Source = standby
	var err error
	var res *refresh.Result
	require.Eventually(t, func() bool {
		query(t, p.admin, "SELECT txid_current()")
		res, err = refresh.Run(ctx(t), cfg)
		return fault.KindOf(err) != fault.Guard
	}, 40*time.Second, 500*time.Millisecond)
	require.NoError(t, err)
	require.True(t, res.Swapped)
	require.Equal(t, []string{"1500"}, query(t, p.target, "SELECT count(*) FROM sales.orders"))
}

func TestAnEmptySource(t *testing.T) {
	p := emptyPair(t)
	res, err := refresh.Run(ctx(t), p.config("version: 1\ntenant: acme\n"))
	require.NoError(t, err)
	require.True(t, res.Swapped)
	require.Zero(t, res.Rows)
	require.Equal(t, []string{"0"}, query(t, p.target, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"))
}

// The copy has the encoding, the collation and the locale provider of its
// source, and the extensions with their types.
func TestLocalesAndExtensionsArriveToo(t *testing.T) {
	p := emptyPair(t)
	p.plainRoles("locale")
	icu := query(t, p.admin, "SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")[0] != "0" &&
		query(t, p.admin, "SELECT (current_setting('server_version_num')::int >= 150000)::text")[0] == "true"
	citext := query(t, p.admin, "SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'")[0] == "1"
	locales := []string{"ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"}
	if icu {
		locales = append(locales, "ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'")
	}
	for i, options := range locales {
		name := database(t, p.source) + "_" + string(rune('a'+i))
		pgtest.Exec(t, p.admin, "CREATE DATABASE "+name+" TEMPLATE template0 "+options)
		defer pgtest.Exec(t, p.admin, "DROP DATABASE "+name+" WITH (FORCE)")
		source := pgtest.InDatabase(t, p.admin, name)
		typ := "text"
		if citext {
			pgtest.Exec(t, source, "CREATE EXTENSION citext")
			typ = "public.citext"
		}
		pgtest.Exec(t, source, "CREATE TABLE person (id int PRIMARY KEY, town text, email "+typ+" UNIQUE); INSERT INTO person VALUES (1, 'Köln', 'Jörg@source-mail.net')")
		cfg := p.config(`version: 1
tenant: acme
tables:
  public.person: {columns: {id: {keep: key}, town: {keep: towns}, email: {type: email, mask: email}}}
`)
		cfg.Source = pgtest.As(t, source, "locale_reader")
		_, err := refresh.Run(ctx(t), cfg)
		require.NoError(t, err, options)
		const look = "SELECT encoding, datcollate, datctype, to_jsonb(d)->>'datlocprovider', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') FROM pg_database d WHERE datname = current_database()"
		require.Equal(t, query(t, source, look), query(t, p.target, look))
		require.Equal(t, []string{"1|Köln"}, query(t, p.target, "SELECT id, town FROM person WHERE email <> 'Jörg@source-mail.net'"))
	}
}

// Forced row security binds owners too: the loader must be above it.
func TestForcedRowSecurity(t *testing.T) {
	p := newPair(t)
	pgtest.Exec(t, p.source, "ALTER TABLE country ENABLE ROW LEVEL SECURITY; ALTER TABLE country FORCE ROW LEVEL SECURITY; CREATE POLICY own ON country USING (code = 'DE')")
	source, admin := p.source, p.target
	p.plainRoles("forced")
	p.source = source
	check := (&pair{t: t, target: admin, admin: p.admin}).untouched()
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Contains(t, err.Error(), "public.country")
	require.Contains(t, fault.HintOf(err), "BYPASSRLS")
	check()
	pgtest.Exec(t, p.admin, "ALTER ROLE forced_loader BYPASSRLS")
	_, err = refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, query(t, admin, "SELECT count(*) FROM country"))
}

// A masked serial key: its sequence goes on after the largest masked value.
func TestSequencesPassMaskedKeys(t *testing.T) {
	p := emptyPair(t)
	pgtest.Exec(t, p.source, `CREATE TABLE ticket (no bigserial PRIMARY KEY, parent bigint REFERENCES ticket);
		INSERT INTO ticket (no) SELECT nextval('ticket_no_seq') + 1000000 FROM generate_series(1, 200);
		UPDATE ticket SET parent = no - 1 WHERE no > 1000001;
		CREATE TABLE voucher (code text PRIMARY KEY); CREATE SEQUENCE voucher_code OWNED BY voucher.code;
		ALTER TABLE voucher ALTER code SET DEFAULT 'V-' || nextval('voucher_code'); INSERT INTO voucher SELECT FROM generate_series(1, 7)`)
	_, err := refresh.Run(ctx(t), p.config(`version: 1
tenant: acme
tables:
  public.ticket: {columns: {"no": {class: confidential, mask: "fpe(domain=tickets)"}, parent: {class: confidential, mask: "fpe(domain=tickets)"}}}
  public.voucher: {columns: {code: {class: confidential, mask: hash}}}
`))
	require.NoError(t, err)
	require.NotEqual(t, query(t, p.source, "SELECT no FROM ticket ORDER BY 1"), query(t, p.target, "SELECT no FROM ticket ORDER BY 1"))
	require.Equal(t, []string{"199"}, query(t, p.target, "SELECT count(*) FROM ticket a JOIN ticket b ON a.parent = b.no"))
	require.Equal(t, []string{"true"}, query(t, p.target, "SELECT nextval('ticket_no_seq') > max(no) FROM ticket"))
	require.Equal(t, []string{"8"}, query(t, p.target, "SELECT nextval('voucher_code')"), "a text column's sequence stands where it stood")
}
