package crypto

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
)

// watchRetry is how long after a keystore could not be watched it is tried again.
const watchRetry = 30 * time.Second

// A watcher hears of changes by other processes, where the keystore tells them.
type watcher struct {
	mu     sync.Mutex
	stop   func() // nil while nothing is watched
	retry  time.Duration
	closed bool
}

// watch begins to watch the keystore unless that was done. It is called before
// anything is read that could change behind the cache's back. A keystore that cannot
// be watched is used all the same: the cache's life bounds what is missed.
func (c *Client) watch(ctx context.Context) {
	store, ok := c.store.(keystore.Watcher)
	if !ok {
		return
	}
	w := &c.watcher
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil || w.closed || c.clock.exact() < w.retry {
		return
	}
	stop, err := store.Watch(ctx, c.changed)
	if err != nil {
		w.retry = c.clock.exact() + watchRetry
		return
	}
	w.stop = stop
}

// watching reports whether the keystore tells of changes.
func (c *Client) watching() bool {
	c.watcher.mu.Lock()
	defer c.watcher.mu.Unlock()
	return c.watcher.stop != nil
}

// unwatch ends watching for good.
func (c *Client) unwatch() {
	w := &c.watcher
	w.mu.Lock()
	stop := w.stop
	w.stop, w.closed = nil, true
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// changed drops what a keystore says has changed: the zero ID stands for everything.
func (c *Client) changed(id keystore.ID) {
	switch {
	case id == keystore.ID{} || id.Tenant == "":
		c.dropAll()
	case id.Purpose == purposeSubject:
		c.dropSubjects(id.Tenant, []string{id.Subject})
	case id.Purpose == purposeValue:
		c.drop(id.Tenant, "")
	case id.Purpose == purposeRoot:
		c.dropTenant(id.Tenant)
	default:
		if name, ok := strings.CutPrefix(id.Purpose, purposeDomain); ok {
			c.dropDomain(id.Tenant, name)
		}
	}
}
