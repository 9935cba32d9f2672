package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

// terms are how long keys serve.
type terms struct {
	life                  time.Duration
	writeGrace, readGrace time.Duration
	// patience is how long a caller waits for a key whose life is over and whose
	// grace is not: a service that hangs shall not hang its callers.
	patience time.Duration
	// retry is how long after a load that failed the next one is tried, while the
	// old value serves.
	retry time.Duration
}

const (
	gracePatience = time.Second
	graceRetry    = 5 * time.Second
)

// grace returns how long past its life a value serves.
func (t *terms) grace(in intent) time.Duration {
	if in == create {
		return t.writeGrace
	}
	return t.readGrace
}

// A keystoreError is a failure to read the keystore.
type keystoreError struct{ err error }

func (e *keystoreError) Error() string { return e.err.Error() }
func (e *keystoreError) Unwrap() error { return e.err }

// unanswered reports whether a load failed because nobody answered: the answer may
// be a good one, and until it comes what is held may serve on. Every other error is
// an answer.
func unanswered(err error) bool {
	switch {
	case errors.Is(err, kms.ErrDenied) || errors.Is(err, keystore.ErrDenied):
		return false
	case errors.Is(err, kms.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded):
		return true
	}
	_, ok := errors.AsType[*keystoreError](err)
	return ok
}

// A ciphertext that names an unknown key has the keyring read again: another process
// may have rotated it. Forged ones must not become a flood of reads: one keyring is
// read again at most every reloadEvery, all together reloadRate times a second, and
// whoever would wait longer than reloadPatience for that is told so.
const (
	reloadEvery    = 10 * time.Millisecond
	reloadRate     = 1000
	reloadPatience = time.Second
)

// errFlood is said of ciphertexts of which nobody knows whether they are good.
var errFlood = fmt.Errorf("crypto: too many ciphertexts name unknown keys at once: %w", kms.ErrUnavailable)

// A budget spaces events evenly, after as many at once as one second allows.
type budget struct {
	every time.Duration
	mu    sync.Mutex
	next  time.Duration // when the budget of all events so far is used up
}

// take returns how long the next event has to wait, at most patience; false where it
// would be longer, and is not to happen.
func (b *budget) take(now, patience time.Duration) (time.Duration, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	next := max(b.next, now-time.Second) + b.every
	if next-now > patience {
		return 0, false
	}
	b.next = next
	return max(0, next-now), true
}

// pause waits for d, or returns the cause of ctx's end.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("crypto: gave up waiting for keys: %w", context.Cause(ctx))
	}
}
