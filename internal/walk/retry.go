package walk

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/privet-dev/privet/internal/pgconnect"
)

// passing reports whether the server gave up on a transaction that may well succeed
// when it is tried again.
func passing(err error) bool {
	switch pgconnect.Code(err) {
	case "40001", // serialization_failure
		"40P01", // deadlock_detected
		"55P03", // lock_not_available: lock_timeout
		"57014": // query_canceled: statement_timeout
		return true
	}
	return false
}

// backoff returns how long to wait after the n-th failure in a row: 25 ms, doubled
// each time up to 3.2 s, of which a random half is taken off so that two who collided
// do not meet again.
func backoff(n int) time.Duration {
	d := 25 * time.Millisecond << min(n, 7)
	return d/2 + rand.N(d/2)
}

// wait returns after d, or with the cause of ctx's end.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
