package crypto

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func cacheKeyOf(i int) cacheKey { return cacheKey{"acme", fmt.Sprint(i)} }

// An intCache gives each value a whole life from when it is put.
type intCache struct {
	*cache[int]
	life time.Duration
}

func newIntCache(limit int, life time.Duration) *intCache {
	return &intCache{newCache[int](limit, newClock()), life}
}

func (c *intCache) put(k cacheKey, v *int) {
	now := c.clock.exact()
	c.cache.put(newEntry(k, v, now, now+c.life))
}

func (c *intCache) clear() { c.remove(func(cacheKey) bool { return true }) }

func TestCacheIsBounded(t *testing.T) {
	c := newIntCache(10, time.Hour)
	for i := range 1000 {
		c.put(cacheKeyOf(i), &i)
		require.Equal(t, i, *c.get(cacheKeyOf(i)))
		require.LessOrEqual(t, c.size(), 10)
	}
	found := 0
	for i := range 1000 {
		if v := c.get(cacheKeyOf(i)); v != nil {
			require.Equal(t, i, *v)
			found++
		}
	}
	require.Equal(t, 10, found)
}

func TestCacheKeepsWhatIsRead(t *testing.T) {
	c := newIntCache(8, time.Hour)
	hot := -1
	c.put(cacheKeyOf(hot), &hot)
	for i := range 100 {
		require.NotNil(t, c.get(cacheKeyOf(hot)), "after %d others", i)
		c.put(cacheKeyOf(i), &i)
	}
}

// What is read is handed out until it is due for a refresh, and found beyond that.
func TestCacheHandsOutWhatIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newIntCache(4, time.Minute)
		one, two := 1, 2
		c.put(cacheKeyOf(0), &one)
		due := c.lookup(cacheKeyOf(0)).due.get()
		require.GreaterOrEqual(t, due, 45*time.Second)
		require.LessOrEqual(t, due, 51*time.Second)
		time.Sleep(due - time.Millisecond)
		require.Equal(t, &one, c.get(cacheKeyOf(0)))
		time.Sleep(tickEvery + 2*time.Millisecond)
		require.Nil(t, c.get(cacheKeyOf(0)))
		require.Equal(t, &one, c.lookup(cacheKeyOf(0)).value)
		c.put(cacheKeyOf(0), &two)
		require.Equal(t, &two, c.get(cacheKeyOf(0)))
		require.Equal(t, 1, c.size())
	})
}

// Values that were loaded together are not refreshed together.
func TestCacheSpreadsRefreshes(t *testing.T) {
	c := newIntCache(1000, time.Hour)
	due := map[time.Duration]int{}
	for i := range 1000 {
		c.put(cacheKeyOf(i), &i)
		due[c.lookup(cacheKeyOf(i)).due.get().Truncate(time.Minute)]++
	}
	require.GreaterOrEqual(t, len(due), 6, "minutes of an hour")
}

// A key may be a few bytes of a request; the cache does not keep the request.
func TestCacheKeepsNoCallersMemory(t *testing.T) {
	c := newIntCache(4, time.Hour)
	request := []byte("acme 4711")
	text := unsafe.String(&request[0], len(request))
	one := 1
	c.put(cacheKey{text[:4], text[5:]}, &one)
	clear(request)
	require.NotNil(t, c.get(cacheKey{"acme", "4711"}))
}

func TestCacheDiscardsAndRemoves(t *testing.T) {
	c := newIntCache(100, time.Hour)
	for i := range 100 {
		c.put(cacheKeyOf(i), &i)
	}
	for i := 0; i < 100; i += 2 {
		c.discard(cacheKeyOf(i))
		c.discard(cacheKeyOf(i))
	}
	c.remove(func(k cacheKey) bool { return len(k.name) == 1 })
	for i := range 100 {
		require.Equal(t, i%2 == 1 && i >= 10, c.get(cacheKeyOf(i)) != nil, "%d", i)
	}
	require.Equal(t, 45, c.size())
	for i := range 300 {
		c.put(cacheKeyOf(i), &i)
	}
	require.Equal(t, 100, c.size())
}

func TestCacheClear(t *testing.T) {
	c := newIntCache(4, time.Hour)
	one := 1
	c.put(cacheKeyOf(0), &one)
	c.clear()
	require.Nil(t, c.get(cacheKeyOf(0)))
	c.put(cacheKeyOf(0), &one)
	require.NotNil(t, c.get(cacheKeyOf(0)))
}

// A cache behaves like a map that forgets: what it returns is what was put last.
func TestCacheAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newIntCache(rapid.IntRange(1, 9).Draw(t, "limit"), time.Hour)
		model := map[cacheKey]int{}
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := cacheKey{rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "tenant"), rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "name")}
			switch rapid.SampledFrom([]string{"put", "get", "discard"}).Draw(t, "do") {
			case "put":
				c.put(k, &i)
				model[k] = i
				require.NotNil(t, c.get(k))
			case "discard":
				c.discard(k)
				require.Nil(t, c.get(k))
			}
			if v := c.get(k); v != nil {
				require.Equal(t, model[k], *v)
			}
		}
		require.LessOrEqual(t, c.size(), c.limit)
	})
}

func TestCacheConcurrently(t *testing.T) {
	c := newIntCache(16, time.Hour)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				n := (i*7 + g) % 40
				if v := c.get(cacheKeyOf(n)); v != nil && *v != n {
					t.Errorf("%d under %d", *v, n)
				}
				switch {
				case i%3 == 0:
					c.put(cacheKeyOf(n), &n)
				case i%31 == 0:
					c.discard(cacheKeyOf(n))
				case i%997 == 0:
					c.remove(func(k cacheKey) bool { return len(k.name) == 1 })
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, c.size(), 16)
}
