package walk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/internal/walk"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t *testing.T, uri string) *pgx.Conn {
	t.Helper()
	target, err := pgconnect.Parse("test", uri)
	require.NoError(t, err)
	conn, err := target.Open(t.Context(), pgconnect.Options{AppName: "walk test"})
	require.NoError(t, err)
	t.Cleanup(func() { pgconnect.Close(conn) })
	return conn
}

func keyOf(t *testing.T, conn *pgx.Conn, schema, name string) (*walk.Key, error) {
	t.Helper()
	cat, err := catalog.Read(t.Context(), conn)
	require.NoError(t, err)
	table := cat.Table(schema, name)
	require.NotNil(t, table)
	return walk.KeyOf(t.Context(), conn, table)
}

// seen walks a table and returns the values of the first expression.
func seen(t *testing.T, conn *pgx.Conn, cfg walk.Config) []string {
	t.Helper()
	var out []string
	_, err := walk.Run(t.Context(), conn, cfg, func(_ context.Context, rows []walk.Row, _ bool) (walk.Step, error) {
		for _, r := range rows {
			out = append(out, string(r.Values[0]))
		}
		return walk.Step{}, nil
	})
	require.NoError(t, err)
	return out
}

func TestEveryRowOfEveryKindOfKeyIsSeenOnce(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy'); CREATE DOMAIN public."my code" AS varchar(20)`)
	conn := open(t, uri)
	citext := true
	if _, err := conn.Exec(t.Context(), `CREATE EXTENSION citext SCHEMA public`); err != nil {
		citext = false
	}
	for name, tt := range map[string]struct{ columns, key, rows string }{
		"bigint":          {"k bigint", "k", "SELECT -i FROM generate_series(1, 23) i"},
		"uuid":            {"k uuid", "k", "SELECT gen_random_uuid() FROM generate_series(1, 23)"},
		"text, collation": {`k text COLLATE "C"`, "k", "SELECT chr(60 + i) || 'x' FROM generate_series(1, 23) i"},
		"domain, quoted":  {`"K y""" public."my code"`, `"K y"""`, "SELECT 'a b' || i FROM generate_series(1, 23) i"},
		"float":           {"k float8", "k", "SELECT 1 / i::float8 FROM generate_series(1, 22) i UNION ALL SELECT 'NaN'"},
		"time":            {"k timestamptz", "k", "SELECT now() - i * interval '1.000001 s' FROM generate_series(1, 23) i"},
		"bytea":           {"k bytea", "k", `SELECT decode(lpad(to_hex(i), 2, '0'), 'hex') FROM generate_series(0, 22) i`},
		"char":            {"k char(6)", "k", "SELECT 'c' || i FROM generate_series(1, 23) i"},
		"compound":        {"b int, a text, n int", "a, b", "SELECT i, 'x' || i % 3, i FROM generate_series(1, 23) i"},
		"compound, enum":  {"m public.mood, b int", "m, b", "SELECT (enum_range(NULL::public.mood))[1 + i % 3], i FROM generate_series(1, 23) i"},
		"citext":          {"k public.citext", "k", "SELECT chr(CASE i % 2 WHEN 0 THEN 65 ELSE 97 END + i) FROM generate_series(1, 23) i"},
		"compound citext": {"n int, k public.citext", "n, k", "SELECT i % 2, chr(CASE i % 3 WHEN 0 THEN 65 ELSE 97 END + i) FROM generate_series(1, 23) i"},
	} {
		t.Run(name, func(t *testing.T) {
			if !citext && slices.Contains([]string{"citext", "compound citext"}, name) {
				t.Skip("no citext on this server")
			}
			_, err := conn.Exec(t.Context(), fmt.Sprintf(`CREATE TABLE public."t 1" (%s, PRIMARY KEY (%s)); INSERT INTO public."t 1" %s`, tt.columns, tt.key, tt.rows))
			require.NoError(t, err)
			defer func() {
				_, err := conn.Exec(context.Background(), `DROP TABLE public."t 1"`)
				require.NoError(t, err)
				require.NoError(t, conn.DeallocateAll(context.Background()), "the next table has the same name")
			}()
			key, err := keyOf(t, conn, "public", "t 1")
			require.NoError(t, err)
			found := 0
			_, err = walk.Run(t.Context(), conn, walk.Config{Key: key, Job: "j", Page: 4, Select: []string{"CAST(t AS text)"}},
				func(_ context.Context, rows []walk.Row, _ bool) (walk.Step, error) {
					require.LessOrEqual(t, len(rows), 4)
					found += len(rows)
					return walk.Step{Write: func(ctx context.Context, tx pgx.Tx) (bool, error) {
						for _, r := range rows {
							var args []any
							for _, v := range r.Key {
								args = append(args, v)
							}
							tag, err := tx.Exec(ctx, "DELETE FROM "+key.From()+" WHERE "+key.Equal(func(i int) string { return fmt.Sprintf("$%d::text", i+1) }), args...)
							if err != nil {
								return false, err
							}
							require.EqualValues(t, 1, tag.RowsAffected(), "the key finds its row")
						}
						return false, nil
					}}, nil
				})
			require.NoError(t, err)
			require.Equal(t, 23, found)
			var rest int
			require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM public."t 1"`).Scan(&rest))
			require.Zero(t, rest)
		})
	}
}

func numbers(t *testing.T) (string, *pgx.Conn, *walk.Key) {
	t.Helper()
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE n (id int PRIMARY KEY, v text); INSERT INTO n SELECT i, i FROM generate_series(1, 50) i; ANALYZE n`)
	conn := open(t, uri)
	key, err := keyOf(t, conn, "public", "n")
	require.NoError(t, err)
	return uri, conn, key
}

func TestResumesAfterTheLastCommittedPage(t *testing.T) {
	uri, conn, key := numbers(t)
	crash := errors.New("crash")
	pages := 0
	write := func(rows []walk.Row) walk.Step {
		return walk.Step{Write: func(ctx context.Context, tx pgx.Tx) (bool, error) {
			for _, r := range rows {
				if _, err := tx.Exec(ctx, "UPDATE public.n SET v = v || '!' WHERE id = $1::text::int", r.Key[0]); err != nil {
					return false, err
				}
			}
			if pages++; pages == 3 {
				return false, crash // after its writes, before its commit
			}
			return false, nil
		}}
	}
	cfg := walk.Config{Key: key, Job: "j", Page: 7, Select: []string{"t.v"}, Store: walk.Postgres{}}
	handler := func(_ context.Context, rows []walk.Row, _ bool) (walk.Step, error) { return write(rows), nil }
	rows, err := walk.Run(t.Context(), conn, cfg, handler)
	require.ErrorIs(t, err, crash)
	require.EqualValues(t, 14, rows)

	var last walk.Progress
	cfg.Progress = func(p walk.Progress) { last = p }
	rows, err = walk.Run(t.Context(), open(t, uri), cfg, handler)
	require.NoError(t, err)
	require.EqualValues(t, 50, rows)
	require.EqualValues(t, 50, last.Total)
	require.Positive(t, last.PerSecond)
	var once, left int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM public.n WHERE v = id || '!'`).Scan(&once))
	require.Equal(t, 50, once)
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM privet.walk`).Scan(&left))
	require.Zero(t, left, "a walk that is over leaves no key behind")
}

func TestCursorOfAnotherKeyIsNotUsed(t *testing.T) {
	_, conn, key := numbers(t)
	stop := errors.New("stop")
	pages := 0
	cfg := walk.Config{Key: key, Job: "j", Page: 10, Select: []string{"t.v"}, Store: walk.Postgres{}}
	_, err := walk.Run(t.Context(), conn, cfg, func(context.Context, []walk.Row, bool) (walk.Step, error) {
		if pages++; pages == 3 {
			return walk.Step{}, stop
		}
		return walk.Step{}, nil
	})
	require.ErrorIs(t, err, stop)
	_, err = conn.Exec(t.Context(), `ALTER TABLE public.n DROP CONSTRAINT n_pkey; ALTER TABLE public.n ADD PRIMARY KEY (v)`)
	require.NoError(t, err)
	cfg.Key, err = keyOf(t, conn, "public", "n")
	require.NoError(t, err)
	require.Len(t, seen(t, conn, cfg), 50)
}

func TestRestartAndWhere(t *testing.T) {
	_, conn, key := numbers(t)
	cfg := walk.Config{Key: key, Job: "j", Page: 10, Select: []string{"t.v"}, Where: "t.id % 25 = 0 OR NULL", Store: walk.Postgres{}}
	require.Equal(t, []string{"25", "50"}, seen(t, conn, cfg))
	_, err := conn.Exec(t.Context(), `UPDATE public.n SET v = NULL WHERE id = 25`)
	require.NoError(t, err)
	cfg.Restart = true
	require.Equal(t, []string{"", "50"}, seen(t, conn, cfg))
}

// Others hold a row for a while: the page is tried again, and nothing is done twice.
func TestLockedRowsAreTriedAgain(t *testing.T) {
	uri, conn, key := numbers(t)
	other, err := pgtest.Connect(t, uri).Begin(t.Context())
	require.NoError(t, err)
	_, err = other.Exec(t.Context(), `SELECT FROM n WHERE id = 20 FOR UPDATE`)
	require.NoError(t, err)
	tries := 0
	_, err = walk.Run(t.Context(), conn, walk.Config{Key: key, Job: "j", Page: 50, LockTimeout: 20 * time.Millisecond},
		func(_ context.Context, rows []walk.Row, _ bool) (walk.Step, error) {
			if tries++; tries == 3 {
				require.LessOrEqual(t, len(rows), 13, "the page got smaller")
				require.NoError(t, other.Rollback(t.Context()))
			}
			return walk.Step{Write: func(ctx context.Context, tx pgx.Tx) (bool, error) {
				ids := make([]int32, len(rows))
				for i, r := range rows {
					n, err := strconv.Atoi(r.Key[0])
					require.NoError(t, err)
					ids[i] = int32(n)
				}
				_, err := tx.Exec(ctx, `UPDATE public.n SET v = v || '!' WHERE id = ANY($1)`, ids)
				return false, err
			}}, nil
		})
	require.NoError(t, err)
	var once int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM public.n WHERE v = id || '!'`).Scan(&once))
	require.Equal(t, 50, once)
}

func TestGivesUpOnRowsThatStayLocked(t *testing.T) {
	uri, conn, key := numbers(t)
	other, err := pgtest.Connect(t, uri).Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(context.Background()) }()
	_, err = other.Exec(t.Context(), `LOCK TABLE n`)
	require.NoError(t, err)
	_, err = walk.Run(t.Context(), conn, walk.Config{Key: key, Job: "j", LockTimeout: 5 * time.Millisecond, Retries: 2},
		func(context.Context, []walk.Row, bool) (walk.Step, error) { return walk.Step{}, nil })
	require.Equal(t, fault.Stopped, fault.KindOf(err))
	require.Contains(t, err.Error(), "public.n")
}

func TestChangedRowsAreReadAgainAFewTimes(t *testing.T) {
	_, conn, key := numbers(t)
	var lasts []bool
	rows, err := walk.Run(t.Context(), conn, walk.Config{Key: key, Job: "j"}, func(_ context.Context, _ []walk.Row, last bool) (walk.Step, error) {
		lasts = append(lasts, last)
		return walk.Step{Write: func(context.Context, pgx.Tx) (bool, error) { return true, nil }}, nil
	})
	require.NoError(t, err)
	require.EqualValues(t, 50, rows)
	require.Equal(t, []bool{false, false, false, true}, lasts)
}

func TestRateIsKept(t *testing.T) {
	_, conn, key := numbers(t)
	start := time.Now()
	require.Len(t, seen(t, conn, walk.Config{Key: key, Job: "j", Page: 10, PerSecond: 200, Select: []string{"t.v"}}), 50)
	require.GreaterOrEqual(t, time.Since(start), 200*time.Millisecond, "4 pauses of 10 rows each")
}

func TestOneWalkOfAJobAtATime(t *testing.T) {
	uri, conn, key := numbers(t)
	second := open(t, uri)
	_, err := walk.Run(t.Context(), conn, walk.Config{Key: key, Job: "j"}, func(ctx context.Context, _ []walk.Row, _ bool) (walk.Step, error) {
		nothing := func(context.Context, []walk.Row, bool) (walk.Step, error) { return walk.Step{}, nil }
		_, err := walk.Run(ctx, second, walk.Config{Key: key, Job: "j"}, nothing)
		require.Equal(t, fault.Guard, fault.KindOf(err))
		_, err = walk.Run(ctx, second, walk.Config{Key: key, Job: "another"}, nothing)
		return walk.Step{}, err
	})
	require.NoError(t, err)
	require.Len(t, seen(t, second, walk.Config{Key: key, Job: "j", Select: []string{"t.v"}}), 50)
}

func TestRefusals(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE keyless (a int UNIQUE); CREATE MATERIALIZED VIEW mv AS SELECT 1; CREATE TABLE n (id int PRIMARY KEY)`)
	conn := open(t, uri)
	for _, name := range []string{"keyless", "mv"} {
		_, err := keyOf(t, conn, "public", name)
		require.Equal(t, fault.Policy, fault.KindOf(err))
		require.ErrorContains(t, err, "public."+name)
	}
	plain := open(t, pgtest.Role(t, uri, "walk_plain"))
	key, err := keyOf(t, conn, "public", "n")
	require.NoError(t, err)
	_, err = walk.Run(t.Context(), plain, walk.Config{Key: key, Job: "j", Store: walk.Postgres{}}, nil)
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), "CREATE TABLE IF NOT EXISTS privet.walk")
	_, err = walk.Run(t.Context(), plain, walk.Config{Key: key, Job: "j"}, nil)
	require.Equal(t, fault.Config, fault.KindOf(err), "no SELECT on the table")
}

func TestPartitionedTablesAreWalkedFromTheirRoot(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE p (id int PRIMARY KEY) PARTITION BY HASH (id);
		CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		INSERT INTO p SELECT generate_series(1, 30)`)
	conn := open(t, uri)
	key, err := keyOf(t, conn, "public", "p")
	require.NoError(t, err)
	got := seen(t, conn, walk.Config{Key: key, Job: "j", Page: 7, Select: []string{"CAST(t.id AS text)"}})
	require.Len(t, got, 30)
	require.Equal(t, "30", got[29])
}

func TestStopsWhenItsContextEnds(t *testing.T) {
	_, conn, key := numbers(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := walk.Run(ctx, conn, walk.Config{Key: key, Job: "j", Page: 10}, func(context.Context, []walk.Row, bool) (walk.Step, error) {
		cancel()
		return walk.Step{}, nil
	})
	require.ErrorIs(t, err, context.Canceled)
}
