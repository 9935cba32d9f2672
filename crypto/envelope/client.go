package envelope

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
)

// A Client encrypts values into envelopes and decrypts them. It is safe for
// concurrent use; a process needs one.
type Client struct {
	cfg   Config
	keks  []kek
	start time.Time
	calls chan struct{} // a place for each call in flight

	writing, reading use
	swept            atomic.Int64

	base    context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// A kek is one KEK and what it last said.
type kek struct {
	kms.KEK
	mark    [markSize]byte
	bit     uint8
	trouble atomic.Pointer[error] // nil where it answered
	// refusals counts how often it said no.
	refusals atomic.Int64
}

// A use is what keys are held for: to encrypt or to decrypt.
type use struct {
	keys        *table[dataKey]
	life, grace time.Duration
	flights     singleflight.Group
	fetch       func(ctx context.Context, tenant string, header []byte) (*dataKey, error)
}

// New returns a Client. It does no I/O: the key service is asked when a key is first
// needed. Of ctx it keeps the values, not the cancellation.
func New(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, keks: make([]kek, len(cfg.KEKs)), start: time.Now(), calls: make(chan struct{}, cfg.MaxCalls)}
	for i, k := range cfg.KEKs {
		c.keks[i].KEK, c.keks[i].mark, c.keks[i].bit = k, markOf(k), 1<<i
	}
	c.writing.keys, c.writing.life, c.writing.grace, c.writing.fetch = newTable[dataKey](cfg.CacheSize), cfg.DataKeyAge, cfg.WriteGrace, c.makeKey
	c.reading.keys, c.reading.life, c.reading.grace, c.reading.fetch = newTable[dataKey](cfg.CacheSize), cfg.CacheLife, cfg.ReadGrace, c.readKey
	c.base, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return c, nil
}

// Degraded returns why the key service did not serve when it was last asked, each
// KEK for itself, or nil. While it is not nil, known keys may be in use beyond their
// life, and new tenants may be refused.
func (c *Client) Degraded() error {
	var errs []error
	for i := range c.keks {
		if err := c.keks[i].trouble.Load(); err != nil {
			errs = append(errs, *err)
		}
	}
	return errors.Join(errs...)
}

// Close ends calls in flight, waits for them and drops all keys from memory. What is
// called after it fails with [crypto.ErrClosed]. KEKs stay open.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.running.Wait()
	all := func(*dataKey) bool { return true }
	c.writing.keys.drop(all)
	c.reading.keys.drop(all)
	return nil
}

// enter counts a task that Close waits for. Who enters calls c.running.Done.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return crypto.ErrClosed
	}
	c.running.Add(1)
	return nil
}

// now is the time since the client's start, on the monotonic clock: a wall clock
// that jumps makes no key older or younger.
func (c *Client) now() time.Duration { return time.Since(c.start) }
