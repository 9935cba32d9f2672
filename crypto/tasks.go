package crypto

import (
	"context"
	"sync"
	"time"
)

// tasks are the goroutines of a client. They run on contexts of the client's own
// and end with it.
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

// start runs fn within the time limit, or returns false where the client is closed.
func (t *tasks) start(fn func(context.Context)) bool {
	return t.startUnlimited(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, t.limit)
		defer cancel()
		fn(ctx)
	})
}

// startUnlimited runs fn until the client is closed.
func (t *tasks) startUnlimited(fn func(context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.group.Go(func() { fn(t.base) })
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
