package crypto

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What sealing by one of many thousand keyrings reads of it lies in two lines of the
// processor's cache: the hot half of its entry, and its primary key's sealer.
func TestKeyringLayout(t *testing.T) {
	const line = 64
	var r keyring
	entry, own := unsafe.Offsetof(r.entry), unsafe.Offsetof(r.own)
	require.Zero(t, unsafe.Sizeof(r)%line)
	require.Zero(t, (entry+unsafe.Offsetof(r.entry.next))%line)
	end := entry + unsafe.Offsetof(r.entry.key) + unsafe.Sizeof(r.entry.key)
	require.Zero(t, end%line)
	require.Equal(t, end, entry+unsafe.Offsetof(r.entry.read))
	require.LessOrEqual(t, own+unsafe.Offsetof(r.own.first)+unsafe.Sizeof(r.own.first), end+line)
}

// Names of all lengths are found again, in memory of the entry's own or not.
func TestCacheNamesOfAllLengths(t *testing.T) {
	c := newIntCache(100, time.Hour)
	for n := range 2 * inlineName {
		c.put(cacheKey{"acme", strings.Repeat("x", n)}, &n)
	}
	for n := range 2 * inlineName {
		v := c.get(cacheKey{"acme", strings.Repeat("x", n)})
		require.NotNil(t, v, "%d", n)
		require.Equal(t, n, *v)
	}
	require.Nil(t, c.get(cacheKey{"acme", strings.Repeat("x", inlineName) + "y"}))
}
