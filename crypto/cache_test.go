package crypto

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func cacheKeyOf(i int) cacheKey { return cacheKey{"acme", fmt.Sprint(i)} }

func TestCacheIsBounded(t *testing.T) {
	c := newCache[int](10, time.Hour)
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
	c := newCache[int](8, time.Hour)
	hot := -1
	c.put(cacheKeyOf(hot), &hot)
	for i := range 100 {
		require.NotNil(t, c.get(cacheKeyOf(hot)), "after %d others", i)
		c.put(cacheKeyOf(i), &i)
	}
}

func TestCacheExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[int](4, time.Minute)
		one, two := 1, 2
		c.put(cacheKeyOf(0), &one)
		time.Sleep(time.Minute - 1)
		require.Equal(t, &one, c.get(cacheKeyOf(0)))
		time.Sleep(time.Nanosecond)
		require.Nil(t, c.get(cacheKeyOf(0)))
		c.put(cacheKeyOf(0), &two)
		require.Equal(t, &two, c.get(cacheKeyOf(0)))
		require.Equal(t, 1, c.size())
	})
}

func TestCacheClear(t *testing.T) {
	c := newCache[int](4, time.Hour)
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
		c := newCache[int](rapid.IntRange(1, 9).Draw(t, "limit"), time.Hour)
		model := map[cacheKey]int{}
		for i := range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := cacheKey{rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "tenant"), rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "name")}
			if rapid.Bool().Draw(t, "put") {
				c.put(k, &i)
				model[k] = i
				require.NotNil(t, c.get(k))
			}
			if v := c.get(k); v != nil {
				require.Equal(t, model[k], *v)
			}
		}
		require.LessOrEqual(t, c.size(), c.limit)
	})
}

func TestCacheConcurrently(t *testing.T) {
	c := newCache[int](16, time.Hour)
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 2000 {
				n := (i*7 + g) % 40
				if v := c.get(cacheKeyOf(n)); v != nil && *v != n {
					t.Errorf("%d under %d", *v, n)
				}
				if i%3 == 0 {
					c.put(cacheKeyOf(n), &n)
				}
			}
		})
	}
	group.Wait()
	require.LessOrEqual(t, c.size(), 16)
}
