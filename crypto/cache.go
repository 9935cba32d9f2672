package crypto

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"
	"unsafe"
)

// A cacheKey names what a cache holds: a tenant, and a subject, domain or "".
type cacheKey struct{ tenant, name string }

// A cache is a bounded map that is read without a lock and without allocation: a
// table of chains whose links are atomic pointers. Writers hold a mutex. When it is
// full, the clock algorithm picks what leaves: of the entries in turn, the first
// that was not read since the hand last passed.
type cache[V any] struct {
	nameSeed, tenantSeed maphash.Seed
	clock                *clock
	limit                int
	table                []atomic.Pointer[entry[V]]

	mu   sync.Mutex
	ring []*entry[V]
	hand int
}

// An entry is one value. What every reader looks at stands last, in one cache line:
// a value that holds its entry continues in the next.
type entry[V any] struct {
	queued  atomic.Bool      // for a refresh
	gone    atomic.Bool      // it was taken out: who remembers it must not use it
	renewed atomic.Bool      // it was loaded because its predecessor lacked something
	place   int32            // in the ring; guarded by the cache's mutex
	retry   instant          // 0, or the load failed and is tried again from then on
	began   instant          // its load
	expires instant          // its life
	name    [inlineName]byte // memory for a short name

	next  atomic.Pointer[entry[V]]
	hash  uint64
	value *V
	due   instant // from then on it is due for a refresh
	key   cacheKey
	read  atomic.Bool // since the hand last passed
}

// inlineName is the longest name that is kept in its entry: a UUID has 36 bytes.
const inlineName = 40

// own gives the key memory of the entry's own: a caller's string may be a few bytes
// of a large document, which the cache would keep. A short name lies in the entry, as
// every reader compares it.
func (e *entry[V]) own() {
	e.key.tenant = unique.Make(e.key.tenant).Value()
	if n := copy(e.name[:], e.key.name); n == len(e.key.name) {
		// The bytes are never changed again, and live as long as the entry.
		e.key.name = unsafe.String(&e.name[0], n)
	} else {
		e.key.name = strings.Clone(e.key.name)
	}
}

// An instant is a time of a cache's clock.
type instant struct{ atomic.Int64 }

func (i *instant) get() time.Duration  { return time.Duration(i.Load()) }
func (i *instant) set(t time.Duration) { i.Store(int64(t)) }

// A homely value has memory for the entry that it is cached in, beside its own: one
// that is rarely in the processor's caches is then found in one place.
type homely[V any] interface{ home() *entry[V] }

// newEntry returns an entry for v, to be put.
func newEntry[V any](k cacheKey, v *V, began, expires time.Duration) *entry[V] {
	var e *entry[V]
	if h, ok := any(v).(homely[V]); ok {
		e = h.home()
	}
	if e == nil {
		e = &entry[V]{}
	}
	e.key, e.value = k, v
	e.live(began, expires)
	return e
}

// live begins a life, and sets the moment of the next refresh.
func (e *entry[V]) live(began, expires time.Duration) {
	part := refreshFrom + (refreshTo-refreshFrom)*rand.Float64()
	e.began.set(began)
	e.expires.set(expires)
	e.retry.set(0)
	e.queued.Store(false)
	e.due.set(began + time.Duration(part*float64(expires-began)))
}

// Values are refreshed when this part of their life is over; which moment between
// the two is drawn anew for each.
const refreshFrom, refreshTo = 0.75, 0.85

// newCache returns a cache of at most limit values.
func newCache[V any](limit int, c *clock) *cache[V] {
	return &cache[V]{
		nameSeed:   maphash.MakeSeed(),
		tenantSeed: maphash.MakeSeed(),
		clock:      c,
		limit:      limit,
		table:      make([]atomic.Pointer[entry[V]], 2<<bits.Len(uint(limit-1))),
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

// get returns the value of k, or nil where there is none or it is due for a refresh,
// which it may see as much as tickEvery late.
func (c *cache[V]) get(k cacheKey) *V {
	e := c.find(k, c.hash(k))
	if e == nil || c.clock.coarse() >= e.due.get() {
		return nil
	}
	e.touch()
	return e.value
}

// touch keeps e from leaving.
func (e *entry[V]) touch() {
	// Written only when it changes, so that readers share the cache line.
	if !e.read.Load() {
		e.read.Store(true)
	}
}

// lookup returns the entry of k, however old, or nil.
func (c *cache[V]) lookup(k cacheKey) *entry[V] { return c.find(k, c.hash(k)) }

// put stores a new entry, in the place of an older one of its key or of one that
// leaves.
func (c *cache[V]) put(e *entry[V]) {
	e.own()
	e.hash = c.hash(e.key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.find(e.key, e.hash); old != nil {
		e.place = old.place
		e.read.Store(old.read.Load())
	} else if len(c.ring) < c.limit {
		e.place = int32(len(c.ring))
		c.ring = append(c.ring, nil)
	} else {
		e.place = c.victim()
	}
	if old := c.ring[e.place]; old != nil {
		c.unlink(old)
	}
	c.ring[e.place] = e
	head := c.bucket(e.hash)
	e.next.Store(head.Load())
	head.Store(e)
}

func (c *cache[V]) find(k cacheKey, hash uint64) *entry[V] {
	for e := c.bucket(hash).Load(); e != nil; e = e.next.Load() {
		if e.hash == hash && e.key == k {
			return e
		}
	}
	return nil
}

// victim moves the hand to the entry that leaves, and returns its place.
func (c *cache[V]) victim() int32 {
	for {
		place := c.hand
		c.hand = (c.hand + 1) % len(c.ring)
		if !c.ring[place].read.Swap(false) {
			return int32(place)
		}
	}
}

// unlink takes e out of its chain. A reader that stands on e goes on to what
// follows it.
func (c *cache[V]) unlink(e *entry[V]) {
	e.gone.Store(true)
	link := c.bucket(e.hash)
	for at := link.Load(); at != nil; at = link.Load() {
		if at == e {
			link.Store(e.next.Load())
			return
		}
		link = &at.next
	}
}

// discard takes out the value of k.
func (c *cache[V]) discard(k cacheKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.lookup(k)
	if e == nil {
		return
	}
	c.unlink(e)
	last := len(c.ring) - 1
	c.ring[e.place] = c.ring[last]
	c.ring[e.place].place = e.place
	c.ring[last] = nil
	c.shrink(last)
}

// remove takes out every value whose key match names.
func (c *cache[V]) remove(match func(cacheKey) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := 0
	for _, e := range c.ring {
		if match(e.key) {
			c.unlink(e)
			continue
		}
		e.place = int32(kept)
		c.ring[kept] = e
		kept++
	}
	clear(c.ring[kept:])
	c.shrink(kept)
}

func (c *cache[V]) shrink(n int) {
	c.ring = c.ring[:n]
	if c.hand >= n {
		c.hand = 0
	}
}

// size returns how many values the cache holds, old ones included.
func (c *cache[V]) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ring)
}
