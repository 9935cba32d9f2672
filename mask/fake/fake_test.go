package fake

import (
	"slices"
	"strings"
	"testing"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/stretchr/testify/require"
)

func all() []*List {
	return []*List{FirstNames(), LastNames(), Cities(), Companies(), Streets()}
}

func TestListsAreFrozen(t *testing.T) {
	require.NoError(t, Check(), "fingerprint %s", Fingerprint())
}

func TestAChangedListIsRefused(t *testing.T) {
	l := newList("first_names", append([]string{"Privet"}, FirstNames().words...))
	changed := fingerprint(l, LastNames(), Cities(), Companies(), Streets())
	err := check(changed, frozen)
	require.Error(t, err)
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.NotEmpty(t, fault.HintOf(err))
	// A word that moves from one list's end to the next one's start is a change too.
	a := fingerprint(newList("x", []string{"a", "b"}), newList("y", []string{"c"}))
	b := fingerprint(newList("x", []string{"a"}), newList("y", []string{"b", "c"}))
	require.NotEqual(t, a, b)
}

func TestListsAreSortedUniqueAndPrintable(t *testing.T) {
	least := map[string]int{"first_names": 1500, "last_names": 450, "cities": 90, "companies": 500, "streets": 190}
	for _, l := range all() {
		require.GreaterOrEqual(t, l.Len(), least[l.Name()], l.Name())
		for i := range l.Len() {
			w := l.At(i)
			require.Equal(t, strings.TrimSpace(w), w, l.Name())
			require.True(t, printable(w), "%s: %q", l.Name(), w)
			require.LessOrEqual(t, len(w), l.Longest())
			if i > 0 {
				require.Less(t, l.At(i-1), w, l.Name())
			}
		}
	}
}

func TestIndexCoversTheRangeEvenly(t *testing.T) {
	require.Equal(t, 0, Index(0, 7))
	require.Equal(t, 6, Index(^uint64(0), 7))
	counts := make([]int, 7)
	const steps = 7000
	for i := range uint64(steps) {
		counts[Index(i*(^uint64(0)/steps), 7)]++
	}
	for _, n := range counts {
		require.InDelta(t, steps/7, n, 2)
	}
}

func TestPickIsTheWordAtTheIndex(t *testing.T) {
	l := FirstNames()
	require.Equal(t, l.At(0), l.Pick(0))
	require.Equal(t, l.At(l.Len()-1), l.Pick(^uint64(0)))
	require.True(t, slices.Contains(l.words, l.Pick(1<<63)))
}
