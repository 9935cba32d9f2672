package refresh_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// plainRoles gives the pair a reader of the source and a loader of the target
// with no more rights than the package's page names. The target belongs to a
// role of its own.
func (p *pair) plainRoles(prefix string) {
	p.t.Helper()
	reader := pgtest.Role(p.t, p.source, prefix+"_reader", "IN ROLE pg_read_all_data")
	pgtest.Role(p.t, p.target, prefix+"_owner")
	loader := pgtest.Role(p.t, p.target, prefix+"_loader", "CREATEDB", "IN ROLE pg_signal_backend")
	pgtest.Exec(p.t, p.target, fmt.Sprintf("GRANT %s_owner TO %s_loader; ALTER DATABASE %q OWNER TO %s_owner", prefix, prefix, database(p.t, p.target), prefix))
	admin := p.target
	p.t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), admin)
		require.NoError(p.t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), fmt.Sprintf("ALTER DATABASE %q OWNER TO postgres; REASSIGN OWNED BY %s_owner, %s_loader TO postgres; DROP OWNED BY %s_owner, %s_loader",
			database(p.t, admin), prefix, prefix, prefix, prefix))
		require.NoError(p.t, err)
	})
	p.source, p.target = reader, loader
}

func TestPlainRoles(t *testing.T) {
	leaks(t)
	p := newPair(t)
	admin := p.target
	pgtest.Exec(t, p.source, `CREATE STATISTICS both_names ON first_name, last_name FROM customer;
		CREATE TEXT SEARCH CONFIGURATION words (COPY = simple); CREATE TEXT SEARCH DICTIONARY stems (TEMPLATE = simple);
		CREATE COLLATION plainly (LOCALE = 'C'); CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)`)
	p.plainRoles("plain")
	res, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.Empty(t, res.Notes, "nothing had to be left out")
	require.Equal(t, []string{"plain_owner"}, query(t, admin, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"))
	require.Equal(t, []string{"plain_owner"}, query(t, admin, `SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class
		WHERE relkind IN ('r', 'p', 'S', 'v', 'm') AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'`))
	require.Equal(t, []string{"plain_owner"}, query(t, admin, "SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))
	require.Equal(t, []string{"plain_owner"}, query(t, admin, "SELECT DISTINCT pg_get_userbyid(typowner) FROM pg_type WHERE typname IN ('mood', 'postcode')"))
	require.Equal(t, []string{"plain_owner|5"}, query(t, admin, `SELECT pg_get_userbyid(o), count(*) FROM (SELECT stxowner FROM pg_statistic_ext
		UNION ALL SELECT cfgowner FROM pg_ts_config WHERE oid >= 16384 UNION ALL SELECT dictowner FROM pg_ts_dict WHERE oid >= 16384
		UNION ALL SELECT collowner FROM pg_collation WHERE oid >= 16384 UNION ALL SELECT oprowner FROM pg_operator WHERE oid >= 16384) x(o) GROUP BY 1`))
}

// What a database hands on: its owner, privileges, settings, limit and comment,
// and inside it those of objects of the same name.
func TestOwnersPrivilegesAndSettingsAreCarriedOver(t *testing.T) {
	leaks(t)
	p := newPair(t)
	for _, role := range []string{"carry_app", "carry_report", "carry_sales"} {
		pgtest.Role(t, p.target, role)
	}
	name := database(t, p.target)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), pgtest.InDatabase(t, p.target, name))
		require.NoError(t, err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), fmt.Sprintf(`ALTER DATABASE %q OWNER TO postgres; REASSIGN OWNED BY carry_app, carry_report, carry_sales TO postgres;
			DROP OWNED BY carry_app, carry_report, carry_sales`, name))
		require.NoError(t, err)
	})
	pgtest.Exec(t, p.target, fmt.Sprintf(`
		ALTER DATABASE %[1]q OWNER TO carry_app;
		REVOKE ALL ON DATABASE %[1]q FROM PUBLIC;
		GRANT CONNECT ON DATABASE %[1]q TO carry_report WITH GRANT OPTION;
		ALTER DATABASE %[1]q CONNECTION LIMIT 77;
		ALTER DATABASE %[1]q SET search_path = sales, "$user", public;
		ALTER DATABASE %[1]q SET work_mem = '7MB';
		ALTER DATABASE %[1]q SET app.name = 'the shop''s';
		ALTER ROLE carry_report IN DATABASE %[1]q SET statement_timeout = '9s';
		CREATE SCHEMA sales AUTHORIZATION carry_sales;
		GRANT USAGE ON SCHEMA sales TO carry_report;
		CREATE TABLE sales.orders (id int, note text); ALTER TABLE sales.orders OWNER TO carry_sales;
		GRANT SELECT, INSERT ON sales.orders TO carry_report;
		CREATE TABLE customer (id int, email text);
		GRANT SELECT (id), UPDATE (email) ON customer TO carry_report;
		CREATE TABLE gone (id int); GRANT SELECT ON gone TO PUBLIC;
		CREATE VIEW customer_names AS SELECT 1 AS x; GRANT SELECT ON customer_names TO PUBLIC;
		CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
		REVOKE ALL ON FUNCTION shout() FROM PUBLIC; GRANT EXECUTE ON FUNCTION shout() TO carry_report;
		CREATE TYPE mood AS ENUM ('x'); ALTER TYPE mood OWNER TO carry_sales;
		ALTER DEFAULT PRIVILEGES FOR ROLE carry_sales IN SCHEMA sales GRANT SELECT ON TABLES TO carry_report;
		ALTER DEFAULT PRIVILEGES FOR ROLE carry_sales REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;`, name))
	before := func() []string {
		out := query(t, p.target, `SELECT datname, pg_get_userbyid(datdba), datacl::text, datconnlimit, datallowconn, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()`)
		out = append(out, query(t, p.target, `SELECT coalesce(setrole::regrole::text, ''), setconfig::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database() ORDER BY 1`)...)
		out = append(out, query(t, p.target, `SELECT nspname, pg_get_userbyid(nspowner), nspacl::text FROM pg_namespace WHERE nspname IN ('sales', 'public') ORDER BY 1`)...)
		out = append(out, query(t, p.target, `SELECT relname, pg_get_userbyid(relowner), relacl::text FROM pg_class WHERE relname IN ('orders', 'customer_names') ORDER BY 1`)...)
		out = append(out, query(t, p.target, `SELECT attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL AND attrelid = 'public.customer'::regclass ORDER BY 1`)...)
		out = append(out, query(t, p.target, `SELECT proname, proacl::text FROM pg_proc WHERE proname = 'shout'`)...)
		out = append(out, query(t, p.target, `SELECT typname, pg_get_userbyid(typowner) FROM pg_type WHERE typname = 'mood'`)...)
		return append(out, query(t, p.target, `SELECT defaclrole::regrole, defaclnamespace::regnamespace, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1, 2, 3`)...)
	}
	was := before()
	res, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.Equal(t, was, before())
	require.Empty(t, res.Notes)
	require.Equal(t, []string{"carry_app"}, query(t, p.target, "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'payment'"), "what is new belongs to the database's owner")
	require.Equal(t, []string{"<nil>"}, query(t, p.target, "SELECT relacl FROM pg_class WHERE relname = 'payment'"))
	require.Equal(t, []string{"7MB"}, query(t, p.target, "SHOW work_mem"))
}

// Clients that come back all the time see the old database, then the new one;
// an attempt may fail at the moment of the swap, but none finds neither.
func TestSwapUnderReconnectingClients(t *testing.T) {
	leaks(t)
	p := newPair(t)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]int{}
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				result := peek(p.target)
				mu.Lock()
				seen[result]++
				mu.Unlock()
			}
		}()
	}
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return peek(p.target) == "new" }, 5*time.Second, time.Millisecond)
	close(stop)
	wg.Wait()
	t.Log(seen)
	require.Positive(t, seen["old"])
	require.Positive(t, seen["new"])
	require.LessOrEqual(t, len(seen), 4)
	for what := range seen {
		require.True(t, what == "old" || what == "new" || what == "57P01" || what == "3D000" || what == "cut", what)
	}
}

// peek connects and says which database it found.
func peek(uri string) string {
	c, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(c, uri)
	if err == nil {
		defer func() {
			_ = conn.Close(context.Background())
			<-conn.PgConn().CleanupDone()
		}()
		var old bool
		err = conn.QueryRow(c, "SELECT to_regclass('public.old_content') IS NOT NULL").Scan(&old)
		if err == nil && old {
			return "old"
		}
		if err == nil {
			return "new"
		}
	}
	for _, code := range []string{"57P01", "3D000"} {
		if strings.Contains(err.Error(), code) {
			return code
		}
	}
	return "cut"
}

// A session that this role may not end: nothing changes, it is named, and resume
// swaps when it is gone.
func TestASessionThatCannotBeEnded(t *testing.T) {
	leaks(t)
	p := newPair(t)
	admin := p.target
	p.plainRoles("stay")
	holder := pgtest.Connect(t, admin) // a superuser's session
	_, err := holder.Exec(t.Context(), "SET application_name = 'nightly report'")
	require.NoError(t, err)
	cfg := p.config(testdata(t, "privet.yaml"))
	check := (&pair{t: t, target: admin}).untouched()
	res, err := refresh.Run(ctx(t), cfg)
	require.ErrorIs(t, err, refresh.ErrSwapPending)
	require.Equal(t, fault.Stopped, fault.KindOf(err))
	require.Contains(t, err.Error(), "nightly report")
	require.Contains(t, fault.HintOf(err), "resume")
	require.False(t, res.Swapped)
	require.NotEmpty(t, res.Document)
	check()
	require.Equal(t, []string{res.Database}, p.leftovers())
	require.Equal(t, []string{"false"}, query(t, p.admin, "SELECT datallowconn FROM pg_database WHERE datname = $1", res.Database))

	again, err := refresh.Resume(ctx(t), refresh.Config{Target: p.target, Targets: cfg.Targets})
	require.ErrorIs(t, err, refresh.ErrSwapPending)
	require.Nil(t, again)
	check()

	require.NoError(t, holder.Close(t.Context()))
	again, err = refresh.Resume(ctx(t), refresh.Config{Target: p.target, Targets: map[string]guard.Target{"x": {Name: cfg.Targets["staging"].Name, Mark: "2026-11-21T21:01:37Z 00112233445566778899aabbccddeeff"}}})
	require.ErrorIs(t, err, guard.ErrMarkDiffers, "marks are asked again")
	require.Nil(t, again)
	check()

	again, err = refresh.Resume(ctx(t), refresh.Config{Target: p.target, Targets: cfg.Targets})
	require.NoError(t, err)
	require.True(t, again.Swapped)
	require.Equal(t, res.Run, again.Run)
	require.Equal(t, []string{"500"}, query(t, admin, "SELECT count(*) FROM customer"))
	require.Empty(t, p.leftovers())

	_, err = refresh.Resume(ctx(t), refresh.Config{Target: p.target, Targets: cfg.Targets})
	require.Equal(t, fault.Config, fault.KindOf(err), "nothing waits any more")
}

// A mark that is removed while the run is under way stops the swap.
func TestTheMarkIsAskedAgain(t *testing.T) {
	leaks(t)
	p := newPair(t)
	p.progress.onStage = func(stage string) {
		if stage == "swap" {
			_, err := guard.Unmark(t.Context(), p.target)
			require.NoError(t, err)
		}
	}
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.ErrorIs(t, err, guard.ErrMarkDiffers)
	require.Equal(t, fault.Guard, fault.KindOf(err))
	require.Equal(t, []string{"still here"}, query(t, p.target, "SELECT x FROM old_content"))
	require.Len(t, p.leftovers(), 1)
	p.progress.onStage = nil
	p.mark()
	res, err := refresh.Resume(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.NoError(t, err)
	require.True(t, res.Swapped)
	require.Equal(t, []string{"500"}, query(t, p.target, "SELECT count(*) FROM customer"))
}

func TestAPreparedTransactionHoldsTheSwap(t *testing.T) {
	leaks(t)
	p := newPair(t)
	if query(t, p.target, "SHOW max_prepared_transactions")[0] == "0" {
		holder := pgtest.Connect(t, p.target)
		_, err := holder.Exec(t.Context(), "BEGIN; SELECT 1")
		require.NoError(t, err)
		res, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
		require.NoError(t, err, "a session in a transaction is ended")
		require.True(t, res.Swapped)
		return
	}
	pgtest.Exec(t, p.target, "BEGIN; CREATE TABLE x (); PREPARE TRANSACTION 'held'")
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.ErrorIs(t, err, refresh.ErrSwapPending)
	require.Contains(t, err.Error(), "prepared transaction")
	pgtest.Exec(t, p.target, "ROLLBACK PREPARED 'held'")
}
