package envelope

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
)

// ways is how many entries share a place of a table.
const ways = 8

// A table is a bounded map that is read without a lock and without allocation. Its
// keys are a tenant and a header, each of which may be "". It is set-associative: a
// key has [ways] slots where it can be, and where all are taken, one that was not
// read since it was last looked at leaves.
type table[V any] struct {
	seed maphash.Seed
	sets [][ways]atomic.Pointer[cell[V]]
	mu   sync.Mutex // of writers
}

type cell[V any] struct {
	tenant, header string
	value          *V
	read           atomic.Bool
}

// newTable returns a table of at least limit entries, rounded up to a power of two.
func newTable[V any](limit int) *table[V] {
	sets := 1 << bits.Len(uint((limit-1)/ways))
	return &table[V]{seed: maphash.MakeSeed(), sets: make([][ways]atomic.Pointer[cell[V]], sets)}
}

// set returns the slots of a key.
func (t *table[V]) set(tenant string, header []byte) *[ways]atomic.Pointer[cell[V]] {
	h := maphash.String(t.seed, tenant)
	if len(header) > 0 {
		h = h*31 + maphash.Bytes(t.seed, header)
	}
	return &t.sets[(h^h>>32)&uint64(len(t.sets)-1)]
}

// get returns the value of a key, or nil.
func (t *table[V]) get(tenant string, header []byte) *V {
	set := t.set(tenant, header)
	for i := range set {
		if c := set[i].Load(); c != nil && c.tenant == tenant && c.header == string(header) {
			// Written only when it changes, so that readers share the cache line.
			if !c.read.Load() {
				c.read.Store(true)
			}
			return c.value
		}
	}
	return nil
}

// put stores v, in the place of an older value or of one that leaves.
func (t *table[V]) put(tenant string, header []byte, v *V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	set := t.set(tenant, header)
	place := -1
	for i := range set {
		c := set[i].Load()
		switch {
		case c != nil && c.tenant == tenant && c.header == string(header):
			set[i].Store(&cell[V]{tenant: tenant, header: c.header, value: v})
			return
		case place < 0 && c == nil:
			place = i
		}
	}
	for i := rand.IntN(ways); place < 0; i = (i + 1) % ways {
		if !set[i].Load().read.Swap(false) {
			place = i
		}
	}
	set[place].Store(&cell[V]{tenant: tenant, header: string(header), value: v})
}

// drop takes out the entries that gone says it of.
func (t *table[V]) drop(gone func(*V) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.sets {
		for i := range t.sets[s] {
			if c := t.sets[s][i].Load(); c != nil && gone(c.value) {
				t.sets[s][i].Store(nil)
			}
		}
	}
}

// size returns how many entries there are.
func (t *table[V]) size() (n int) {
	t.drop(func(*V) bool { n++; return false })
	return n
}
