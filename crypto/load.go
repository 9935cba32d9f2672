package crypto

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// An intent says what a load may do where nothing is stored.
type intent uint8

const (
	read   intent = iota // report it absent
	create               // make it
)

// A loader fills a cache: of any number of callers who miss the same key at once,
// one load serves all. It runs on a context of its own, so that the cancellation of
// the caller who came first fails nobody else. Errors are handed to those who wait
// and kept for nobody.
type loader[V any] struct {
	*cache[V]
	tasks *tasks
	mu    sync.Mutex
	// running holds the load in flight of each key. A load that reads and one that
	// makes are two: the second begins where the first found nothing.
	running map[flight]*result[V]
}

type flight struct {
	cacheKey
	intent intent
}

type result[V any] struct {
	done  chan struct{}
	value *V
	err   error
}

func newLoader[V any](limit int, life time.Duration, t *tasks) *loader[V] {
	return &loader[V]{cache: newCache[V](limit, life), tasks: t, running: map[flight]*result[V]{}}
}

// load returns what is cached under k, or what fn returns, which is then cached.
// It returns early with ctx's error when ctx ends; the load goes on.
func (l *loader[V]) load(ctx context.Context, k cacheKey, in intent, fn func(context.Context) (*V, error)) (*V, error) {
	l.mu.Lock()
	r, ok := l.running[flight{k, in}]
	if !ok {
		// A load that ended between the caller's look and this lock has filled the
		// cache already: it does so before it leaves the table.
		if v := l.get(k); v != nil {
			l.mu.Unlock()
			return v, nil
		}
		r = &result[V]{done: make(chan struct{})}
		if !l.tasks.start(func(own context.Context) { l.run(own, flight{k, in}, r, fn) }) {
			l.mu.Unlock()
			return nil, ErrClosed
		}
		l.running[flight{k, in}] = r
	}
	l.mu.Unlock()
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("crypto: gave up waiting for keys: %w", context.Cause(ctx))
	}
}

func (l *loader[V]) run(own context.Context, f flight, r *result[V], fn func(context.Context) (*V, error)) {
	r.value, r.err = fn(own)
	if r.err == nil {
		l.put(f.cacheKey, r.value)
	}
	l.mu.Lock()
	delete(l.running, f)
	l.mu.Unlock()
	close(r.done)
}

// tasks are the goroutines of a client. They run on contexts of the client's own,
// each with the same time limit, and end with it.
type tasks struct {
	base   context.Context
	cancel context.CancelFunc
	limit  time.Duration
	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

// newTasks takes the values of ctx, such as a trace, but not its cancellation.
func newTasks(ctx context.Context, limit time.Duration) *tasks {
	t := &tasks{limit: limit}
	t.base, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return t
}

// start runs fn, or returns false where the client is closed.
func (t *tasks) start(fn func(context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(func() {
		ctx, cancel := context.WithTimeout(t.base, t.limit)
		defer cancel()
		fn(ctx)
	})
	return true
}

// stop ends what runs and waits for it.
func (t *tasks) stop() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.cancel()
	t.group.Wait()
}
