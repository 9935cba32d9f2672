package copytext

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask"
)

const people = `CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note text)`

// stage is a source and a target database with one connection each.
type stage struct {
	t        *testing.T
	srcURI   string
	dstURI   string
	src, dst *pgx.Conn
}

// newStage makes both databases with the same tables, and fails the test where a
// goroutine stays behind.
func newStage(t *testing.T, schema, sourceRows string) *stage {
	t.Helper()
	s := &stage{t: t, srcURI: pgtest.Database(t), dstURI: pgtest.Database(t)}
	pgtest.Exec(t, s.srcURI, schema+";"+sourceRows)
	pgtest.Exec(t, s.dstURI, schema)
	s.src, s.dst = pgtest.Connect(t, s.srcURI), pgtest.Connect(t, s.dstURI)
	running := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, running) })
	return s
}

func (s *stage) pipe(ctx context.Context, r *Rewriter, progress func(rows, bytes int64)) (int64, error) {
	return Pipe(ctx, s.src.PgConn(), `COPY people TO STDOUT`, s.dst.PgConn(), `COPY people FROM STDIN`, r, progress)
}

// arrived counts the rows of the target over a connection of its own.
func (s *stage) arrived() int {
	s.t.Helper()
	var n int
	conn := pgtest.Connect(s.t, s.dstURI)
	require.NoError(s.t, conn.QueryRow(context.Background(), `SELECT count(*) FROM people`).Scan(&n))
	return n
}

func rows(n int) string {
	return fmt.Sprintf(`INSERT INTO people SELECT i, 'name' || i, repeat('note ', 20) FROM generate_series(1, %d) i`, n)
}

func TestPipeMasksEveryRow(t *testing.T) {
	s := newStage(t, people, rows(20000)+`; INSERT INTO people VALUES (0, E'C:\\Nancy\t', NULL)`)
	l := one(3, Field{1, withSubject})
	l.Subject = 0
	var seen, size int64
	n, err := s.pipe(t.Context(), NewRewriter(l), func(r, b int64) { seen += r; size += b })
	require.NoError(t, err)
	require.EqualValues(t, 20001, n)
	require.EqualValues(t, 20001, seen)
	require.Greater(t, size, int64(20001*100))
	for sql, want := range map[string]int{
		`SELECT count(*) FROM people WHERE name = id || ':name' || id AND note = repeat('note ', 20)`: 20000,
		`SELECT count(*) FROM people WHERE name = E'0:C:\\Nancy\t' AND note IS NULL`:                  1,
	} {
		var got int
		require.NoError(t, s.dst.QueryRow(t.Context(), sql).Scan(&got))
		require.Equal(t, want, got)
	}
}

func TestPipePassesEveryShapeUnharmed(t *testing.T) {
	all := one(8)
	for i := range all.Columns {
		all.Fields = append(all.Fields, Field{i, same})
	}
	for name, r := range map[string]*Rewriter{"nil": nil, "nothing masked": NewRewriter(one(8)), "all decoded and encoded": NewRewriter(all)} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, shapes, "")
			fill(t, s.src, 400)
			n, err := Pipe(t.Context(), s.src.PgConn(), `COPY v TO STDOUT`, s.dst.PgConn(), `COPY v FROM STDIN`, r, nil)
			require.NoError(t, err)
			require.EqualValues(t, 400, n)
			sum := func(conn *pgx.Conn) (sum string) {
				require.NoError(t, conn.QueryRow(t.Context(), `SELECT md5(string_agg(v::text, '|' ORDER BY id)) FROM v`).Scan(&sum))
				return sum
			}
			require.Equal(t, sum(s.src), sum(s.dst))
		})
	}
}

func TestPipeOfNoRows(t *testing.T) {
	s := newStage(t, people, "")
	n, err := s.pipe(t.Context(), NewRewriter(one(3, Field{1, same})), nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestARuleThatFailsLeavesNothing(t *testing.T) {
	refused := errors.New("no digits in it")
	for _, inTx := range []bool{false, true} {
		t.Run(fmt.Sprintf("transaction=%v", inTx), func(t *testing.T) {
			s := newStage(t, people, rows(20000))
			l := one(3, Field{1, maskFunc(func(dst, src []byte, _ mask.Row) ([]byte, bool, error) {
				if string(src) == "name15000" {
					return dst, false, refused
				}
				return append(dst, src...), false, nil
			})})
			l.Keys = []int{0}
			if inTx {
				_, err := s.dst.Exec(t.Context(), `BEGIN; TRUNCATE people`)
				require.NoError(t, err)
			}
			_, err := s.pipe(t.Context(), NewRewriter(l), nil)
			require.ErrorIs(t, err, refused)
			re, ok := errors.AsType[*RowError](err)
			require.True(t, ok)
			require.EqualValues(t, 15000, re.Row)
			require.Equal(t, []string{"15000"}, re.Key)
			require.NotContains(t, err.Error(), "name15000")
			require.False(t, s.dst.IsClosed(), "the target is told, not cut off")
			if inTx {
				_, err := s.dst.Exec(t.Context(), `COMMIT`)
				require.NoError(t, err)
			}
			require.Zero(t, s.arrived())
		})
	}
}

func TestATargetThatRefusesIsTheCause(t *testing.T) {
	for name, tc := range map[string]struct{ source, target, code, says string }{
		"constraint": {rows(20000), `ALTER TABLE people ADD CONSTRAINT short CHECK (id < 100)`, "23514", "short"},
		"NOT NULL":   {rows(20000), `ALTER TABLE people ADD also int NOT NULL`, "23502", "also"},
		"type":       {rows(20000), `ALTER TABLE people ALTER name TYPE int USING 0`, "22P02", "line 1, column name"},
		"function under another's code": {rows(20000), `CREATE FUNCTION c(text) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''saw %'', $1 USING ERRCODE = ''check_violation''; END';
			ALTER TABLE people ADD CHECK (c(name))`, "23514", "a row was refused"},
		"no table": {rows(20000), `DROP TABLE people`, "42P01", "people"},
		"at the end": {rows(3), `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''saw %'', NEW.name; END';
			CREATE CONSTRAINT TRIGGER tr AFTER INSERT ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f()`, "P0001", "a row was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, people, tc.source)
			pgtest.Exec(t, s.dstURI, tc.target)
			_, err := Pipe(t.Context(), s.src.PgConn(), `COPY people (id, name, note) TO STDOUT`,
				s.dst.PgConn(), `COPY people (id, name, note) FROM STDIN`, NewRewriter(one(3, Field{2, same})), nil)
			require.ErrorIs(t, err, ErrTarget)
			require.NotErrorIs(t, err, ErrSource)
			require.NotErrorIs(t, err, context.Canceled)
			pg, ok := errors.AsType[*pgconn.PgError](err)
			require.True(t, ok)
			require.Equal(t, tc.code, pg.Code)
			require.ErrorContains(t, err, tc.says)
			require.NotContains(t, err.Error(), "name1", "no value of a row")
			require.Empty(t, pg.Detail)
		})
	}
}

func TestASourceThatFailsIsTheCause(t *testing.T) {
	t.Run("error of the server", func(t *testing.T) {
		s := newStage(t, people, rows(20000))
		_, err := Pipe(t.Context(), s.src.PgConn(), `COPY (SELECT id, name, (100 / (15000 - id))::text FROM people ORDER BY id) TO STDOUT`,
			s.dst.PgConn(), `COPY people FROM STDIN`, NewRewriter(one(3, Field{1, same})), nil)
		require.ErrorIs(t, err, ErrSource)
		require.NotErrorIs(t, err, ErrTarget)
		pg, _ := errors.AsType[*pgconn.PgError](err)
		require.Equal(t, "22012", pg.Code)
		require.Zero(t, s.arrived())
	})
	t.Run("killed", func(t *testing.T) {
		s := newStage(t, people, rows(50000))
		pid := s.src.PgConn().PID()
		admin := pgtest.Connect(t, s.srcURI)
		killed := false
		_, err := s.pipe(t.Context(), NewRewriter(one(3, Field{1, same})), func(int64, int64) {
			if !killed {
				killed = true
				_, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, pid)
				require.NoError(t, err)
			}
		})
		require.ErrorIs(t, err, ErrSource)
		require.NotErrorIs(t, err, ErrTarget)
		require.Zero(t, s.arrived())
	})
	t.Run("no table", func(t *testing.T) {
		s := newStage(t, people, "DROP TABLE people")
		_, err := s.pipe(t.Context(), nil, nil)
		require.ErrorIs(t, err, ErrSource)
		require.False(t, s.src.IsClosed())
		require.False(t, s.dst.IsClosed())
	})
}

func TestNeitherSideWaitsForTheOther(t *testing.T) {
	const tooLong = 30 * time.Second
	t.Run("a target that fails stops a source that waits", func(t *testing.T) {
		s := newStage(t, people, "")
		pgtest.Exec(t, s.dstURI, `DROP TABLE people`)
		start := time.Now()
		_, err := Pipe(t.Context(), s.src.PgConn(), `COPY (SELECT 1, 'a', pg_sleep(60)::text) TO STDOUT`,
			s.dst.PgConn(), `COPY people FROM STDIN`, nil, nil)
		require.ErrorIs(t, err, ErrTarget)
		require.NotErrorIs(t, err, context.Canceled)
		require.Less(t, time.Since(start), tooLong)
	})
	t.Run("a source that fails cuts a target that waits for a lock", func(t *testing.T) {
		defer func(was time.Duration) { stopGrace = was }(stopGrace)
		stopGrace = 50 * time.Millisecond
		s := newStage(t, people, "")
		locker := pgtest.Connect(t, s.dstURI)
		_, err := locker.Exec(t.Context(), `BEGIN; LOCK TABLE people`)
		require.NoError(t, err)
		start := time.Now()
		_, err = Pipe(t.Context(), s.src.PgConn(), `COPY (SELECT 1, 'a', (1 / 0)::text) TO STDOUT`,
			s.dst.PgConn(), `COPY people FROM STDIN`, nil, nil)
		require.ErrorIs(t, err, ErrSource)
		require.NotErrorIs(t, err, ErrTarget)
		require.NotErrorIs(t, err, context.Canceled)
		require.Less(t, time.Since(start), tooLong)
		_, err = locker.Exec(t.Context(), `ROLLBACK`)
		require.NoError(t, err)
		require.Zero(t, s.arrived())
	})
}

func TestATargetThatIsKilledIsTheCause(t *testing.T) {
	s := newStage(t, people, rows(50000))
	pid := s.dst.PgConn().PID()
	admin := pgtest.Connect(t, s.srcURI)
	killed := false
	_, err := s.pipe(t.Context(), NewRewriter(one(3, Field{1, same})), func(int64, int64) {
		if !killed {
			killed = true
			_, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend($1, 10000)`, pid)
			require.NoError(t, err)
		}
	})
	require.ErrorIs(t, err, ErrTarget)
	require.NotErrorIs(t, err, context.Canceled)
	require.Zero(t, s.arrived())
}

func TestCancelStopsBothSides(t *testing.T) {
	reason := errors.New("enough")
	t.Run("while rows flow", func(t *testing.T) {
		s := newStage(t, people, rows(50000))
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := s.pipe(ctx, NewRewriter(one(3, Field{1, same})), func(int64, int64) { cancel(reason) })
		require.ErrorIs(t, err, reason)
		require.Zero(t, s.arrived())
	})
	t.Run("while the target waits for a lock", func(t *testing.T) {
		s := newStage(t, people, rows(50000))
		locker := pgtest.Connect(t, s.dstURI)
		_, err := locker.Exec(t.Context(), `BEGIN; LOCK TABLE people`)
		require.NoError(t, err)
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		_, err = s.pipe(ctx, NewRewriter(one(3, Field{1, same})), func(int64, int64) {
			if calls++; calls == inFlight {
				cancel(reason)
			}
		})
		require.ErrorIs(t, err, reason)
		_, err = locker.Exec(t.Context(), `ROLLBACK`)
		require.NoError(t, err)
		require.Zero(t, s.arrived())
	})
	t.Run("while the source waits", func(t *testing.T) {
		s := newStage(t, people, rows(1))
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, reason)
		defer cancel()
		_, err := Pipe(ctx, s.src.PgConn(), `COPY (SELECT 1, 'a', pg_sleep(60)::text) TO STDOUT`,
			s.dst.PgConn(), `COPY people FROM STDIN`, nil, nil)
		require.ErrorIs(t, err, reason)
		require.Zero(t, s.arrived())
	})
	t.Run("before the start", func(t *testing.T) {
		s := newStage(t, people, rows(1))
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(reason)
		_, err := s.pipe(ctx, nil, nil)
		require.ErrorIs(t, err, reason)
		require.Zero(t, s.arrived())
	})
}

func TestAMaskerThatPanicsLeavesNothing(t *testing.T) {
	s := newStage(t, people, rows(20000))
	boom := maskFunc(func(dst, src []byte, _ mask.Row) ([]byte, bool, error) {
		if string(src) == "name15000" {
			panic("boom")
		}
		return append(dst, src...), false, nil
	})
	require.PanicsWithValue(t, "boom", func() {
		_, _ = s.pipe(t.Context(), NewRewriter(one(3, Field{1, boom})), nil)
	})
	require.NoError(t, s.src.PgConn().Conn().Close())
	require.Zero(t, s.arrived())
}

func TestPipeMemoryDoesNotGrowWithTheTable(t *testing.T) {
	if testing.Short() {
		t.Skip("under the race detector pools forget, and every byte is counted here")
	}
	peak := func(n int) uint64 {
		s := newStage(t, people, rows(n))
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.pipe(t.Context(), NewRewriter(one(3, Field{1, same})), nil)
		require.NoError(t, err)
		runtime.ReadMemStats(&now)
		return now.TotalAlloc - before.TotalAlloc
	}
	small, large := peak(10000), peak(100000)
	require.Less(t, large, small+1<<20, "every byte allocated counts, also what was freed")
}

func TestRowsLargerThanABlock(t *testing.T) {
	s := newStage(t, people, `INSERT INTO people SELECT i, 'n', repeat(E'a\\b\n', i * 100000) FROM generate_series(1, 4) i`)
	n, err := s.pipe(t.Context(), NewRewriter(one(3, Field{2, same})), nil)
	require.NoError(t, err)
	require.EqualValues(t, 4, n)
	var same bool
	require.NoError(t, s.dst.QueryRow(t.Context(), `SELECT bool_and(note = repeat(E'a\\b\n', id * 100000)) FROM people`).Scan(&same))
	require.True(t, same)
}

// TestWritesMaySplitRows sends the same rows in pieces of every size.
func TestWritesMaySplitRows(t *testing.T) {
	in := []byte("1\ta\\\\b\t\\N\n22\t\tc\n333\tlong enough\td\n")
	for _, pass := range []bool{false, true} {
		for size := 1; size <= len(in); size++ {
			b := newBlocks()
			r := NewRewriter(one(3, Field{1, same}))
			w := &rowWriter{blocks: b, rewriter: r, pass: pass}
			for rest := in; len(rest) > 0; {
				n := min(size, len(rest))
				_, err := w.Write(rest[:n])
				require.NoError(t, err)
				rest = rest[n:]
			}
			require.NoError(t, w.finish())
			out, err := io.ReadAll(b)
			require.NoError(t, err)
			require.Equal(t, string(in), string(out))
			require.EqualValues(t, 3, w.rows)
		}
	}
}

func TestATruncatedRowIsNoEnd(t *testing.T) {
	for _, pass := range []bool{false, true} {
		b := newBlocks()
		w := &rowWriter{blocks: b, rewriter: NewRewriter(one(2, Field{1, same})), pass: pass}
		_, err := w.Write([]byte("1\ta\n2\tb"))
		require.NoError(t, err)
		require.ErrorIs(t, w.finish(), errTruncated, strconv.FormatBool(pass))
		b.stop()
		_, err = io.ReadAll(b)
		require.ErrorIs(t, err, errStopped)
	}
}
