package verify

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

func TestChanceLimit(t *testing.T) {
	for _, tt := range []struct {
		expected float64
		want     int64
	}{
		{0, 0}, {0.0009, 0}, {math.NaN(), 0}, {0.002, 2}, {0.28, 6}, {1, 10}, {100, 156}, {1e6, 1_005_300},
	} {
		require.Equal(t, tt.want, chanceLimit(tt.expected), "%v", tt.expected)
	}
	last := int64(0)
	for e := 0.001; e < 2e5; e *= 1.07 {
		l := chanceLimit(e)
		require.GreaterOrEqual(t, l, last, "grows with the expectation, at %v", e)
		require.Greater(t, float64(l), e)
		last = l
	}
}

// names masks n rows of people whose names come from a list of real ones, by a
// function of the name into another list, and returns the check.
func judgeNames(t *testing.T, originals []string, become func(string) string, domain float64) Check {
	k := newKeyed()
	p := valuePrint{k: k}
	b := &budget{}
	b.left.Store(1 << 30)
	from, to := newSpool(16, 2, b, t.TempDir()), newSpool(16, 2, b, t.TempDir())
	fw, tw := from.writer(), to.writer()
	rec := make([]byte, 16)
	for i, o := range originals {
		binary.LittleEndian.PutUint64(rec, k.rowKey([][]byte{fmt.Append(nil, i)}))
		binary.LittleEndian.PutUint64(rec[8:], p.of([]byte(o)))
		require.NoError(t, fw.add(rec))
		binary.LittleEndian.PutUint64(rec[8:], p.of([]byte(become(o))))
		require.NoError(t, tw.add(rec))
	}
	require.NoError(t, fw.flush())
	require.NoError(t, tw.flush())
	c := Column{Name: "first_name", Type: classify.FirstName, Rule: "first_name", Traits: mask.Traits{Output: mask.OutputSynthetic, Domain: domain}}
	id, err := joinRows(from, to, []Column{c})
	require.NoError(t, err)
	require.Equal(t, int64(len(originals)), id.columns[0].compared)
	return judgeIdentity(&c, 0, &id.columns[0])
}

// byName maps every name to one of the list, differently for every seed.
func byName(list []string, seed uint64) func(string) string {
	return func(s string) string {
		h := seed
		for _, c := range []byte(s) {
			h = (h ^ uint64(c)) * 0x9e3779b97f4a7c15
		}
		return list[rand.New(rand.NewPCG(h, seed)).IntN(len(list))]
	}
}

func nameList(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("Name", i)
	}
	return list
}

// Of 599 first names 460 are in a list of 1611: the overlap is no leak, under any
// key, and whether the list's length is known or not.
func TestNamesOverlapByChance(t *testing.T) {
	list := nameList(1611)
	originals := append([]string{}, list[:460]...)
	for i := range 139 {
		originals = append(originals, fmt.Sprint("RARE", i))
	}
	for seed := range uint64(300) {
		for _, domain := range []float64{0, 1611} {
			k := judgeNames(t, originals, byName(list, seed), domain)
			require.Equal(t, Pass, k.Result, "seed %d: %+v", seed, k)
		}
	}
	unmasked := func(s string) string { return s }
	require.Equal(t, Fail, judgeNames(t, originals, unmasked, 1611).Result)
	require.Equal(t, Fail, judgeNames(t, originals, unmasked, 0).Result)
	require.Equal(t, Fail, judgeNames(t, originals[:2], unmasked, 1611).Result)
	partly := func(s string) string { // one name in ten left as it was
		if s[len(s)-1] == '7' {
			return s
		}
		return byName(list, 1)(s)
	}
	require.Equal(t, Fail, judgeNames(t, originals, partly, 1611).Result)
	require.Equal(t, Fail, judgeNames(t, originals, partly, 0).Result)
}

// A frequent name that becomes itself keeps thousands of rows, which by rows looks
// like a leak and is chance.
func TestFrequentNameBecomesItself(t *testing.T) {
	list := nameList(300)
	var originals []string
	for i := range 20_000 {
		originals = append(originals, list[min(i%7*i%300, i%300)])
	}
	same := 0
	for seed := range uint64(40) {
		k := judgeNames(t, originals, byName(list, seed), 300)
		require.Equal(t, Pass, k.Result, "seed %d: %+v", seed, k)
		if k.Found > 0 {
			same++
		}
	}
	require.Positive(t, same, "some name becomes itself under some key")
}

// With more names than the sample holds the outcome is the same.
func TestManyNamesAreSampled(t *testing.T) {
	list := nameList(100_000)
	originals := nameList(150_000)
	k := judgeNames(t, originals, byName(list, 1), 0)
	require.Equal(t, Pass, k.Result, "%+v", k)
	partly := func(s string) string {
		if len(s) == 7 { // 900 of them
			return s
		}
		return byName(list, 1)(s)
	}
	k = judgeNames(t, originals, partly, 1e5)
	require.Equal(t, Fail, k.Result, "%+v", k)
}

func TestSketch(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000, 10_000, 300_000} {
		s := newSketch(12)
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		for range n {
			fp := rng.Uint64()
			s.add(fp)
			s.add(fp)
		}
		require.InDelta(t, n, s.estimate(), 1+0.05*float64(n))
	}
	require.Zero(t, (*sketch)(nil).estimate())
}

func TestFilter(t *testing.T) {
	for _, limit := range []int64{1 << 20, 1 << 14} {
		f := newFilter(50_000, limit)
		require.LessOrEqual(t, int64(8*len(f.words)), limit)
		rng := rand.New(rand.NewPCG(1, 2))
		var in []uint64
		for range 50_000 {
			in = append(in, rng.Uint64())
			f.add(in[len(in)-1])
		}
		for _, fp := range in {
			require.True(t, f.has(fp))
		}
		strangers := 0
		for range 100_000 {
			if f.has(rng.Uint64()) {
				strangers++
			}
		}
		if limit == 1<<20 {
			require.Less(t, strangers, 1000)
		}
	}
}

// A frequent value is written down a few times, and every value once at least.
func TestRecentLosesNothing(t *testing.T) {
	var r recent
	written, frequent := map[mark]bool{}, 0
	for i := range uint64(50000) {
		for _, m := range []mark{{fp: (i + 1) * 0x9e3779b97f4a7c15, tag: tag(i % 3)}, {fp: 7}, {fp: 7, tag: 1}} {
			if !r.seen(m) {
				written[m] = true
				if m.fp == 7 && m.tag == 0 {
					frequent++
				}
			}
		}
	}
	require.Equal(t, 50002, len(written))
	require.Less(t, frequent, 50001)
	for i := range 1000 {
		require.Equal(t, i > 0, r.seen(mark{fp: 11}), i)
	}
}

func TestSpoolKeepsEverything(t *testing.T) {
	for _, memory := range []int64{0, 50_000, 1 << 30} {
		dir := t.TempDir()
		b := &budget{}
		b.left.Store(memory)
		s := newSpool(12, 3, b, dir)
		want := map[mark]int{}
		rng := rand.New(rand.NewPCG(3, 4))
		writers := []*spoolWriter{s.writer(), s.writer()}
		for i := range 40_000 {
			m := mark{rng.Uint64(), tag(rng.Uint32())}
			want[m]++
			require.NoError(t, writers[i%2].add(appendMark(nil, m.fp, m.tag)))
		}
		for _, w := range writers {
			require.NoError(t, w.flush())
		}
		require.Equal(t, memory < 1<<30, s.spilled())
		names, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, names, "the file has no name")
		got := map[mark]int{}
		var buf []byte
		for p := range s.parts {
			buf, err = s.load(p, buf)
			require.NoError(t, err)
			for _, m := range marks(nil, buf) {
				require.Equal(t, p, int(m.fp>>61))
				got[m]++
			}
		}
		require.Equal(t, want, got)
		s.close()
		s.close()
		require.Equal(t, memory, b.left.Load(), "the memory is given back")
	}
}
