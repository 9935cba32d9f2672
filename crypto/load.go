package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/kms"
)

// An intent says what keys are wanted for, and what a load may do where nothing is
// stored.
type intent uint8

const (
	read   intent = iota // to open; report it absent
	create               // to seal; make it
)

// An outcome is what became of the load of one key.
type outcome[V any] struct {
	value *V
	// limit is when the value's life ends at the latest; 0 sets no limit.
	limit time.Duration
	err   error
}

// A loader fills a cache. Of any number of callers who miss the same key at once,
// one load serves all. It runs on a context of its own, so that the cancellation of
// the caller who came first fails nobody else. Errors are handed to those who wait
// and kept for nobody. Values in use are loaded again before their life is over, in
// the background; what a grace period is for says [Config].
type loader[V any] struct {
	*cache[V]
	tasks   *tasks
	terms   terms
	reloads *budget
	// fetch reads or makes the values of keys. It calls done once for each, by its
	// index, from any goroutine, as soon as it is known.
	fetch func(ctx context.Context, in intent, keys []cacheKey, done func(int, outcome[V]))

	mu sync.Mutex
	// running holds the load in flight of each key. A load that reads and one that
	// makes are two: the second begins where the first found nothing.
	running map[flight]*result[V]
	// due are the entries that wait for a refresher.
	due        []*entry[V]
	refreshers int
}

type flight struct {
	cacheKey
	intent intent
}

// A result is a load in flight, and what came of it once done is closed.
type result[V any] struct {
	flight
	began   time.Duration
	reload  bool
	dropped bool // while it was in flight; guarded by the loader's mutex
	done    chan struct{}
	value   *V
	expires time.Duration
	err     error
}

func newLoader[V any](limit int, t *tasks, terms terms, c *clock, reloads *budget, fetch func(context.Context, intent, []cacheKey, func(int, outcome[V]))) *loader[V] {
	return &loader[V]{cache: newCache[V](limit, c), tasks: t, terms: terms, reloads: reloads, fetch: fetch, running: map[flight]*result[V]{}}
}

// load returns the value of k and when its life ends. It returns early with ctx's
// error when ctx ends; the load goes on.
func (l *loader[V]) load(ctx context.Context, k cacheKey, in intent) (*V, time.Duration, error) {
	if e := l.lookup(k); e != nil {
		if l.holds(e, in) {
			return e.value, e.expires.get(), nil
		}
		if l.mayServe(e, in) {
			patience, cancel := context.WithTimeout(ctx, l.terms.patience)
			defer cancel()
			if l.hurried(ctx, patience, l.begin([]cacheKey{k}, read, anyAge)[0], e) {
				return e.value, e.expires.get(), nil
			}
		}
	}
	v, expires, err := l.wait(ctx, l.begin([]cacheKey{k}, read, anyAge)[0], in)
	if in == create && errors.Is(err, errAbsent) {
		return l.wait(ctx, l.begin([]cacheKey{k}, create, anyAge)[0], in)
	}
	return v, expires, err
}

// loadAll is load for many keys, which must differ, by one load for all of them that
// is not in flight already.
func (l *loader[V]) loadAll(ctx context.Context, keys []cacheKey, in intent) ([]*V, []error) {
	values, errs := make([]*V, len(keys)), make([]error, len(keys))
	old := make([]*entry[V], len(keys))
	missing, places := make([]cacheKey, 0, len(keys)), make([]int, 0, len(keys))
	for i, k := range keys {
		if e := l.lookup(k); e != nil && l.holds(e, in) {
			values[i] = e.value
			continue
		} else if e != nil && l.mayServe(e, in) {
			old[i] = e
		}
		missing, places = append(missing, k), append(places, i)
	}
	if len(missing) == 0 {
		return values, errs
	}
	patience, cancel := context.WithTimeout(ctx, l.terms.patience)
	defer cancel()
	var absent []cacheKey
	var absentPlaces []int
	for n, r := range l.begin(missing, read, anyAge) {
		i := places[n]
		if old[i] != nil && l.hurried(ctx, patience, r, old[i]) {
			values[i] = old[i].value
			continue
		}
		values[i], _, errs[i] = l.wait(ctx, r, in)
		if in == create && errors.Is(errs[i], errAbsent) {
			absent, absentPlaces = append(absent, r.cacheKey), append(absentPlaces, i)
		}
	}
	if len(absent) > 0 {
		for n, r := range l.begin(absent, create, anyAge) {
			i := absentPlaces[n]
			values[i], _, errs[i] = l.wait(ctx, r, in)
		}
	}
	return values, errs
}

// holds reports whether the value of e may be used without asking first, and has it
// refreshed where that is due.
func (l *loader[V]) holds(e *entry[V], in intent) bool {
	now, retry := l.clock.exact(), e.retry.get()
	// While the load fails, the value serves through its grace.
	if now >= e.expires.get() && (retry == 0 || !l.mayServe(e, in)) {
		return false
	}
	if now >= e.due.get() && now >= retry {
		l.refresh(e)
	}
	e.touch()
	return true
}

// mayServe reports whether the grace of e is not over.
func (l *loader[V]) mayServe(e *entry[V], in intent) bool {
	return l.clock.exact() < e.expires.get()+l.terms.grace(in)
}

// hurried reports whether the value of e, whose life is over, serves on: its load r
// fails for want of an answer, or patience ends first.
func (l *loader[V]) hurried(ctx, patience context.Context, r *result[V], e *entry[V]) bool {
	select {
	case <-r.done:
		return r.err != nil && unanswered(r.err)
	case <-patience.Done():
		if ctx.Err() != nil {
			return false
		}
		l.failed(e)
		return true
	}
}

// failed has e tried again later.
func (l *loader[V]) failed(e *entry[V]) {
	e.retry.set(l.clock.exact() + l.terms.retry)
}

// wait returns what comes of r.
func (l *loader[V]) wait(ctx context.Context, r *result[V], in intent) (*V, time.Duration, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, 0, fmt.Errorf("crypto: gave up waiting for keys: %w", context.Cause(ctx))
	}
	if r.err != nil {
		return nil, 0, r.err
	}
	if now := l.clock.exact(); now >= r.expires && now >= r.expires+l.terms.grace(in) {
		return nil, 0, fmt.Errorf("crypto: the grace for keys that cannot be confirmed is over: %w", kms.ErrUnavailable)
	}
	return r.value, r.expires, nil
}

// anyAge is what begin takes where it does not matter how old a value is.
const anyAge = -1

// begin returns the loads in flight of keys, which must differ, and starts those
// that are not. What is in the cache by now needs none, if its life is not over or,
// for a reload, if it began to load at since or later.
func (l *loader[V]) begin(keys []cacheKey, in intent, since time.Duration) []*result[V] {
	all := make([]*result[V], len(keys))
	l.mu.Lock()
	defer l.mu.Unlock()
	var mine []*result[V]
	for i, k := range keys {
		if r := l.running[flight{k, in}]; r != nil {
			all[i] = r
			continue
		}
		r := &result[V]{flight: flight{k, in}, done: make(chan struct{}), reload: since != anyAge}
		all[i] = r
		// A load that ended between the caller's look and this lock has filled the
		// cache already: it does so before it leaves the table.
		if e := l.lookup(k); e != nil && (since == anyAge && l.clock.exact() < e.expires.get() || since != anyAge && e.began.get() >= since) {
			r.value, r.expires, r.began = e.value, e.expires.get(), e.began.get()
			close(r.done)
			continue
		}
		mine = append(mine, r)
	}
	l.start(mine)
	return all
}

// start runs the loads, all of one intent. The mutex is held.
func (l *loader[V]) start(mine []*result[V]) {
	if len(mine) == 0 {
		return
	}
	if l.tasks.start(func(ctx context.Context) { l.run(ctx, mine) }) {
		for _, r := range mine {
			l.running[r.flight] = r
		}
		return
	}
	for _, r := range mine {
		r.err = ErrClosed
		close(r.done)
	}
}

func (l *loader[V]) run(ctx context.Context, mine []*result[V]) {
	began := l.clock.exact()
	keys := make([]cacheKey, len(mine))
	for i, r := range mine {
		keys[i], r.began = r.cacheKey, began
	}
	l.fetch(ctx, mine[0].intent, keys, func(i int, o outcome[V]) { l.settle(mine[i], o) })
}

// settle ends the load r.
func (l *loader[V]) settle(r *result[V], o outcome[V]) {
	r.value, r.err = o.value, o.err
	r.expires = r.began + l.terms.life
	if o.limit != 0 {
		r.expires = min(r.expires, o.limit)
	}
	l.mu.Lock()
	if !r.dropped {
		delete(l.running, r.flight)
		switch {
		case r.err == nil:
			l.keep(r)
		case unanswered(r.err):
			if e := l.lookup(r.cacheKey); e != nil {
				l.failed(e)
				e.queued.Store(false)
			}
		default:
			l.discard(r.cacheKey)
		}
	}
	l.mu.Unlock()
	close(r.done)
}

// keep puts a loaded value into the cache. The mutex is held.
func (l *loader[V]) keep(r *result[V]) {
	e := l.lookup(r.cacheKey)
	again := e != nil && e.value == r.value // it was found unchanged
	if again {
		e.live(r.began, r.expires)
	} else {
		e = newEntry(r.cacheKey, r.value, r.began, r.expires)
	}
	e.renewed.Store(r.reload)
	if now := l.clock.exact(); now >= r.expires {
		// It hangs on something that is served from its own grace.
		e.retry.set(now + l.terms.retry)
	}
	if !again {
		l.put(e)
	}
}

// drop takes what match names out of the cache, and out of the loads in flight.
func (l *loader[V]) drop(match func(cacheKey) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f, r := range l.running {
		if match(f.cacheKey) {
			r.dropped = true
			delete(l.running, f)
		}
	}
	l.remove(match)
}

// dropKey is drop of one key, at a cost that does not depend on how many there are.
func (l *loader[V]) dropKey(k cacheKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range []intent{read, create} {
		if r := l.running[flight{k, in}]; r != nil {
			r.dropped = true
			delete(l.running, r.flight)
		}
	}
	l.discard(k)
}

// clear takes everything out.
func (l *loader[V]) clear() { l.drop(func(cacheKey) bool { return true }) }
