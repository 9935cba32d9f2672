package crypto

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// A cacheKey names what a cache holds: a tenant, and a subject, domain or "".
type cacheKey struct{ tenant, name string }

// A cache is a bounded map that is read without a lock and without allocation: a
// table of chains whose links are atomic pointers. Writers hold a mutex. When it is
// full, the clock algorithm picks what leaves: of the entries in turn, the first
// that was not read since the hand last passed.
type cache[V any] struct {
	nameSeed, tenantSeed maphash.Seed
	start                time.Time
	life                 time.Duration
	limit                int
	table                []atomic.Pointer[entry[V]]

	mu    sync.Mutex
	clock []*entry[V]
	hand  int
}

type entry[V any] struct {
	key     cacheKey
	hash    uint64
	value   *V
	expires time.Duration // since the cache's start, on the monotonic clock
	place   int           // in the clock; guarded by the cache's mutex
	read    atomic.Bool
	next    atomic.Pointer[entry[V]]
}

// newCache returns a cache of at most limit values, each of which it returns for
// life and no longer.
func newCache[V any](limit int, life time.Duration) *cache[V] {
	return &cache[V]{
		nameSeed:   maphash.MakeSeed(),
		tenantSeed: maphash.MakeSeed(),
		start:      time.Now(),
		life:       life,
		limit:      limit,
		table:      make([]atomic.Pointer[entry[V]], 1<<bits.Len(uint(limit-1))),
	}
}

func (c *cache[V]) hash(k cacheKey) uint64 {
	h := maphash.String(c.tenantSeed, k.tenant)
	if k.name != "" {
		h ^= maphash.String(c.nameSeed, k.name)
	}
	return h
}

func (c *cache[V]) bucket(hash uint64) *atomic.Pointer[entry[V]] {
	return &c.table[hash&uint64(len(c.table)-1)]
}

// get returns the value of k, or nil where there is none or its life is over.
func (c *cache[V]) get(k cacheKey) *V {
	e := c.find(k, c.hash(k))
	if e == nil || time.Since(c.start) >= e.expires {
		return nil
	}
	// Written only when it changes, so that readers share the cache line.
	if !e.read.Load() {
		e.read.Store(true)
	}
	return e.value
}

// put stores v under k, in the place of an older value or of one that leaves.
func (c *cache[V]) put(k cacheKey, v *V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &entry[V]{key: k, hash: c.hash(k), value: v, expires: time.Since(c.start) + c.life}
	if old := c.find(k, e.hash); old != nil {
		e.place = old.place
	} else if len(c.clock) < c.limit {
		e.place = len(c.clock)
		c.clock = append(c.clock, nil)
	} else {
		e.place = c.victim()
	}
	if old := c.clock[e.place]; old != nil {
		c.unlink(old)
	}
	c.clock[e.place] = e
	head := c.bucket(e.hash)
	e.next.Store(head.Load())
	head.Store(e)
}

// find returns the entry of k, its life over or not, or nil.
func (c *cache[V]) find(k cacheKey, hash uint64) *entry[V] {
	for e := c.bucket(hash).Load(); e != nil; e = e.next.Load() {
		if e.hash == hash && e.key == k {
			return e
		}
	}
	return nil
}

// victim moves the hand to the entry that leaves, and returns its place.
func (c *cache[V]) victim() int {
	now := time.Since(c.start)
	for {
		place := c.hand
		c.hand = (c.hand + 1) % len(c.clock)
		if e := c.clock[place]; now >= e.expires || !e.read.Swap(false) {
			return place
		}
	}
}

// unlink takes e out of its chain. A reader that stands on e goes on to what
// follows it.
func (c *cache[V]) unlink(e *entry[V]) {
	link := c.bucket(e.hash)
	for at := link.Load(); at != nil; at = link.Load() {
		if at == e {
			link.Store(e.next.Load())
			return
		}
		link = &at.next
	}
}

// clear takes everything out.
func (c *cache[V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.table {
		c.table[i].Store(nil)
	}
	clear(c.clock)
	c.clock, c.hand = c.clock[:0], 0
}

// size returns how many values the cache holds, dead ones included.
func (c *cache[V]) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.clock)
}
