package guard_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func name(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

func comment(t *testing.T, uri string) string {
	t.Helper()
	var s string
	require.NoError(t, pgtest.Connect(t, uri).QueryRow(t.Context(),
		"SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = current_database()").Scan(&s))
	return s
}

func setComment(t *testing.T, uri, text string) {
	t.Helper()
	pgtest.Exec(t, uri, fmt.Sprintf("COMMENT ON DATABASE %q IS %s", name(t, uri), guard.Literal(text)))
}

func TestMarkKeepsTheComment(t *testing.T) {
	uri := pgtest.Database(t)
	setComment(t, uri, `staging of the shop's "c:\new" data`)
	before := time.Now().UTC().Truncate(time.Second)
	first, err := guard.Mark(t.Context(), uri)
	require.NoError(t, err)
	m, err := guard.ParseMark(first.Mark)
	require.NoError(t, err)
	require.True(t, m.Time.After(before), "the time is rounded up")
	require.Equal(t, name(t, uri), first.Name)
	require.Equal(t, `staging of the shop's "c:\new" data`+"\nprivet-target: "+first.Mark, comment(t, uri))

	shown, marked, err := guard.Show(t.Context(), uri)
	require.NoError(t, err)
	require.True(t, marked)
	require.Equal(t, first, shown)

	second, err := guard.Mark(t.Context(), uri)
	require.NoError(t, err)
	require.NotEqual(t, first.Mark, second.Mark)
	require.Equal(t, 1, strings.Count(comment(t, uri), "privet-target"), "the older mark is replaced")

	was, err := guard.Unmark(t.Context(), uri)
	require.NoError(t, err)
	require.True(t, was)
	require.Equal(t, `staging of the shop's "c:\new" data`, comment(t, uri))
	was, err = guard.Unmark(t.Context(), uri)
	require.NoError(t, err)
	require.False(t, was)
}

func TestMarkRefuses(t *testing.T) {
	uri := pgtest.Database(t)
	for _, db := range []string{"postgres", "template1"} {
		_, err := guard.Mark(t.Context(), pgtest.InDatabase(t, uri, db))
		require.Equal(t, fault.Guard, fault.KindOf(err), db)
		require.Empty(t, strings.Contains(comment(t, pgtest.InDatabase(t, uri, db)), "privet-target"))
	}
	stranger := pgtest.Role(t, uri, "guard_stranger")
	_, err := guard.Mark(t.Context(), stranger)
	require.Equal(t, fault.Config, fault.KindOf(err), "only the owner may mark")
	require.Contains(t, fault.HintOf(err), "owner")
	require.Empty(t, comment(t, uri))
}

func TestParseMarkRefusesOtherTexts(t *testing.T) {
	good := "2026-11-21T21:01:37Z 00112233445566778899aabbccddeeff"
	m, err := guard.ParseMark(good)
	require.NoError(t, err)
	require.Equal(t, good, m.String())
	for _, bad := range []string{"", "2026-11-21 00112233445566778899aabbccddeeff", good + " ", " " + good, good + "0",
		strings.ToUpper(good), "2026-13-41T21:01:37Z 00112233445566778899aabbccddeeff", strings.Replace(good, " ", "  ", 1)} {
		_, err := guard.ParseMark(bad)
		require.Error(t, err, "%q", bad)
	}
}

func FuzzFindMark(f *testing.F) {
	f.Add("text\nprivet-target: 2026-11-21T21:01:37Z 00112233445566778899aabbccddeeff\nmore")
	f.Fuzz(func(t *testing.T, s string) {
		rest := guard.WithoutMark(s)
		if _, ok := guard.FindMark(rest); ok {
			t.Fatalf("a mark is left in %q", rest)
		}
		if m, ok := guard.FindMark(s); ok {
			if again, err := guard.ParseMark(m.String()); err != nil || again != m {
				t.Fatalf("%v does not parse back", m)
			}
		}
	})
}

func TestStanzaIsYAML(t *testing.T) {
	require.Equal(t, "targets:\n  shop: {name: shop, mark: \"x\"}\n", guard.Target{Name: "shop", Mark: "x"}.Stanza())
	require.Equal(t, "targets:\n  \"Shop-1\": {name: \"Shop-1\", mark: \"x\"}\n", guard.Target{Name: "Shop-1", Mark: "x"}.Stanza())
	require.Contains(t, guard.Target{Name: "no", Mark: "x"}.Stanza(), `name: "no"`)
	require.Equal(t, "targets:\n  \"a_b_Ü\": {name: \"a \\\"b\\\".Ü\", mark: \"x\"}\n", guard.Target{Name: `a "b".Ü`, Mark: "x"}.Stanza(),
		"an entry's key has no spaces, dots or brackets")
}

// both opens a source and a target session.
func both(t *testing.T, source, target string) (*pgx.Conn, *pgx.Conn) {
	return pgtest.Connect(t, source), pgtest.Connect(t, target)
}

func TestCheck(t *testing.T) {
	source, target := pgtest.Database(t), pgtest.Database(t)
	src, dst := both(t, source, target)
	entry, err := guard.Mark(t.Context(), target)
	require.NoError(t, err)
	listed := map[string]guard.Target{"staging": entry, "other": {Name: "other", Mark: entry.Mark}}

	a, err := guard.Check(t.Context(), src, dst, listed)
	require.NoError(t, err)
	require.Equal(t, "staging", a.Entry)
	require.Equal(t, entry.Mark, a.Mark.String())
	var locks int
	require.NoError(t, src.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").Scan(&locks))
	require.Zero(t, locks, "advisory locks are given back")

	refused := func(reason error, targets map[string]guard.Target) {
		t.Helper()
		_, err := guard.Check(t.Context(), src, dst, targets)
		require.ErrorIs(t, err, reason)
		require.Equal(t, fault.Guard, fault.KindOf(err))
		require.NotEmpty(t, fault.HintOf(err))
	}
	refused(guard.ErrNotListed, nil)
	refused(guard.ErrNotListed, map[string]guard.Target{"staging": {Name: "another", Mark: entry.Mark}})
	refused(guard.ErrMarkDiffers, map[string]guard.Target{"staging": {Name: entry.Name, Mark: "2026-11-21T21:01:37Z 00112233445566778899aabbccddeeff"}})
	refused(guard.ErrMarkDiffers, map[string]guard.Target{"staging": {Name: entry.Name}})

	// The source carries the mark: a copy of the target, whatever it is called.
	setComment(t, source, "restored from staging, see privet-target "+entry.Mark)
	refused(guard.ErrSourceMarked, listed)
	// A mark of another database does no harm: staging may feed another target.
	_, err = guard.Mark(t.Context(), source)
	require.NoError(t, err)
	setComment(t, source, strings.Replace(comment(t, source), entry.Mark, "", 1))
	_, err = guard.Check(t.Context(), src, dst, listed)
	require.NoError(t, err)

	setComment(t, target, comment(t, target)+"\nprivet-target: 2026-11-21T21:01:37Z 00112233445566778899aabbccddeeff")
	refused(guard.ErrNotMarked, listed)
	_, err = guard.Unmark(t.Context(), target)
	require.NoError(t, err)
	refused(guard.ErrNotMarked, listed)
}

func TestCheckKnowsOneDatabaseByItsLocks(t *testing.T) {
	uri := pgtest.Database(t)
	entry, err := guard.Mark(t.Context(), uri)
	require.NoError(t, err)
	src, dst := both(t, uri, uri)
	_, err = guard.Check(t.Context(), src, dst, map[string]guard.Target{"x": entry})
	require.ErrorIs(t, err, guard.ErrSourceMarked)
}

// A standby shows the mark of its primary once it has replayed it; before, it is
// refused for not having come that far.
func TestCheckOnAStandby(t *testing.T) {
	source, target := pgtest.Database(t), pgtest.Database(t)
	standby := pgtest.Connect(t, pgtest.Standby(t, target))
	other := pgtest.Connect(t, pgtest.InDatabase(t, pgtest.Connect(t, target).Config().ConnString(), "postgres"))
	_, err := standby.Exec(t.Context(), "SELECT pg_wal_replay_pause()")
	require.NoError(t, err)
	entry, err := guard.Mark(t.Context(), target)
	require.NoError(t, err)
	listed := map[string]guard.Target{"staging": entry}
	dst := pgtest.Connect(t, target)

	_, err = guard.Check(t.Context(), standby, dst, listed)
	require.ErrorIs(t, err, guard.ErrReplayBehind, "the mark has not arrived, and the source is the target's own copy")
	require.Equal(t, fault.Guard, fault.KindOf(err))

	_, err = standby.Exec(t.Context(), "SELECT pg_wal_replay_resume()")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err = other.Exec(context.Background(), "SELECT txid_current()")
		require.NoError(t, err)
		_, err = guard.Check(t.Context(), standby, dst, listed)
		return err != nil && fault.KindOf(err) == fault.Guard && strings.Contains(err.Error(), "carries the mark")
	}, 20*time.Second, 20*time.Millisecond)

	// A standby as source for another database of its own primary is fine, once
	// it has come past the mark.
	replica := pgtest.Connect(t, pgtest.InDatabase(t, standby.Config().ConnString(), name(t, source)))
	require.Eventually(t, func() bool {
		_, err := other.Exec(context.Background(), "SELECT txid_current()")
		require.NoError(t, err)
		_, err = guard.Check(t.Context(), replica, dst, listed)
		return err == nil
	}, 20*time.Second, 100*time.Millisecond)

	_, err = guard.Mark(t.Context(), pgtest.InDatabase(t, standby.Config().ConnString(), name(t, source)))
	require.Equal(t, fault.Guard, fault.KindOf(err), "a standby cannot be marked")
}
