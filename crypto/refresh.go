package crypto

import (
	"context"
	"time"
)

// refresh has e loaded anew in the background.
func (l *loader[V]) refresh(e *entry[V]) {
	if e.queued.Swap(true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.due = append(l.due, e)
	if l.refreshers < maxRefreshers && l.tasks.startUnlimited(l.work) {
		l.refreshers++
	}
}

// Entries that become due while all refreshers are busy are loaded together.
const (
	maxRefreshers   = 4
	maxRefreshBatch = 500
)

// work loads what is due until nothing is.
func (l *loader[V]) work(ctx context.Context) {
	for {
		mine, more := l.take()
		if !more {
			return
		}
		if len(mine) > 0 {
			limited, cancel := context.WithTimeout(ctx, l.tasks.limit)
			l.run(limited, mine)
			cancel()
		}
	}
}

// take returns the loads of entries that are due; more is false where a refresher
// has nothing to do any more.
func (l *loader[V]) take() (mine []*result[V], more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) == 0 || l.tasks.base.Err() != nil {
		l.refreshers--
		return nil, false
	}
	n := min(len(l.due), maxRefreshBatch)
	for _, e := range l.due[:n] {
		f := flight{e.key, read}
		if l.running[f] == nil && l.lookup(e.key) == e {
			r := &result[V]{flight: f, done: make(chan struct{})}
			l.running[f] = r
			mine = append(mine, r)
		}
	}
	l.due = append([]*entry[V](nil), l.due[n:]...)
	return mine, true
}

// reload returns a value of k of which has is true, or else one whose load began
// after the call: then nothing newer could be had.
func (l *loader[V]) reload(ctx context.Context, k cacheKey, has func(*V) bool) (*V, time.Duration, error) {
	return l.reloadSince(ctx, k, l.clock.exact(), has)
}

// reloadSince is reload where a load that began after asked is new enough.
func (l *loader[V]) reloadSince(ctx context.Context, k cacheKey, asked time.Duration, has func(*V) bool) (*V, time.Duration, error) {
	for {
		if e := l.lookup(k); e != nil {
			if has(e.value) || e.began.get() >= asked {
				return e.value, e.expires.get(), nil
			}
			if wait := e.began.get() + reloadEvery - l.clock.exact(); e.renewed.Load() && wait > 0 {
				if err := pause(ctx, wait); err != nil {
					return nil, 0, err
				}
				continue
			}
		}
		wait, ok := l.reloads.take(l.clock.exact(), reloadPatience)
		if !ok {
			return nil, 0, errFlood
		}
		if err := pause(ctx, wait); err != nil {
			return nil, 0, err
		}
		// The load may be one that others began before this call, and is then not
		// the last word.
		r := l.begin([]cacheKey{k}, read, asked)[0]
		v, expires, err := l.wait(ctx, r, read)
		if err != nil || r.began >= asked || has(v) {
			return v, expires, err
		}
	}
}
