package verify

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask"
)

// Two million rows under 16 MiB give the same as under 512, and memory does not
// grow with the rows.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("2,000,000 rows")
	}
	const rows, limit = 2_000_000, 16 << 20
	source, target := pgtest.Database(t), pgtest.Database(t)
	pgtest.Exec(t, source, `CREATE UNLOGGED TABLE t (id int PRIMARY KEY, email text);
		INSERT INTO t SELECT i, 'p' || i || '@mail.com' FROM generate_series(1, 2000000) i`)
	pgtest.Exec(t, target, `CREATE UNLOGGED TABLE t (id int PRIMARY KEY, email text);
		INSERT INTO t SELECT i, 'u' || i * 7 || '@example.org' FROM generate_series(1, 2000000) i;
		UPDATE t SET email = 'p' || id + 1 || '@mail.com' WHERE id % 100000 = 0`)
	read := func(uri string) *catalog.Table {
		cat, err := catalog.Read(t.Context(), pgtest.Connect(t, uri))
		require.NoError(t, err)
		return cat.Table("public", "t")
	}
	in := Input{Source: opener(source), Target: opener(target), TempDir: t.TempDir(), Tables: []Table{{
		Source: read(source), Target: read(target), Key: []string{"id"}, SourceRows: rows, Columns: []Column{{
			Name: "email", Type: classify.Email, Rule: "email", Identifying: true,
			Traits: mask.Traits{Output: mask.OutputFictional, Injective: true, Domain: 1 << 62}}}}}}

	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	check := func(memory int64) *Report {
		in.MemoryLimit = memory
		started := time.Now()
		r, err := Run(t.Context(), in)
		require.NoError(t, err)
		t.Logf("%d MiB: %s for %d rows on each side, peak heap %d MiB", memory>>20, time.Since(started).Round(time.Millisecond), rows, peak.Load()>>20)
		require.Equal(t, []string{"originals public.t.email <- public.t.email"}, failures(r), text(t, r))
		require.Equal(t, int64(19), r.Failed()[0].Found, "person 2000001 is not in the source")
		return r
	}
	in.Progress = func(Progress) {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		if used := now.HeapInuse - min(now.HeapInuse, before.HeapInuse); used > peak.Load() {
			peak.Store(used)
		}
	}
	tight := check(limit)
	// The collector lets the heap double before it runs.
	require.Less(t, peak.Load(), uint64(2*limit+16<<20))
	roomy := check(512 << 20)
	require.Equal(t, roomy.Originals, tight.Originals)
	require.Equal(t, roomy.Failed(), tight.Failed())
}
