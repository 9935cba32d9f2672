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

// A health is what a service answered last.
type health struct {
	clock *clock
	// memory is how long a failure counts where nothing was asked since.
	memory time.Duration
	mu     sync.Mutex
	err    error
	at     time.Duration
}

// report notes what came of a call: an error means that the service did not answer.
func (h *health) report(err error) {
	now := h.clock.exact()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err, h.at = err, now
}

func (h *health) check() error {
	now := h.clock.exact()
	h.mu.Lock()
	defer h.mu.Unlock()
	if now >= h.at+h.memory {
		h.err = nil
	}
	return h.err
}

// Degraded returns an error while the key service or the keystore does not answer:
// the last call failed (throttled, timed out, unreachable) and is not long ago. Keys
// in memory may then be served past their life, as [Config] says, and others cannot
// be had. It asks nobody and returns nil for a client that was never used. Readiness
// checks report it, and need not fail for it.
func (c *Client) Degraded() error {
	return errors.Join(c.kmsHealth.check(), c.storeHealth.check())
}

// A guardedKEK limits the calls in flight, and notes whether they are answered.
type guardedKEK struct {
	kms.KEK
	slots  chan struct{}
	health *health
}

// guard returns k under the client's limit of calls.
func (c *Client) guard(k kms.KEK) kms.KEK {
	return &guardedKEK{KEK: k, slots: c.kmsSlots, health: c.kmsHealth}
}

// bare returns the KEK itself, whose optional abilities a guard hides.
func bare(k kms.KEK) kms.KEK {
	if g, ok := k.(*guardedKEK); ok {
		return g.KEK
	}
	return k
}

func (g *guardedKEK) Wrap(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	return g.call(ctx, func() ([]byte, error) { return g.KEK.Wrap(ctx, plaintext, encryptionContext) })
}

func (g *guardedKEK) Unwrap(ctx context.Context, wrapped []byte, encryptionContext map[string]string) ([]byte, error) {
	return g.call(ctx, func() ([]byte, error) { return g.KEK.Unwrap(ctx, wrapped, encryptionContext) })
}

func (g *guardedKEK) call(ctx context.Context, fn func() ([]byte, error)) ([]byte, error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("crypto: too many calls of %s in flight: %w: %w", g.URI(), kms.ErrUnavailable, context.Cause(ctx))
	}
	out, err := fn()
	switch {
	case err == nil || !unanswered(err) && ctx.Err() == nil:
		g.health.report(nil)
	case !errors.Is(context.Cause(ctx), context.Canceled):
		g.health.report(fmt.Errorf("the key service does not answer: %w", err))
	}
	return out, err
}

// get reads records, and notes whether the keystore answers.
func (c *Client) get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	c.watch(ctx)
	recs, err := c.current(ctx, ids)
	if errors.Is(err, ErrLedger) {
		return nil, err
	}
	if err == nil && len(recs) != len(ids) {
		err = fmt.Errorf("%d records for %d ids", len(recs), len(ids))
	}
	if err != nil {
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			c.storeHealth.report(fmt.Errorf("the keystore does not answer: %w", err))
		}
		return nil, &keystoreError{err}
	}
	c.storeHealth.report(nil)
	return recs, nil
}

// denials remembers whose roots the key service has refused to open.
type denials struct {
	mu      sync.Mutex
	tenants map[string]struct{}
	last    time.Duration
}

// What is remembered of denials is bounded, and so is how often one of a tenant that
// was not known to be denied has everything confirmed anew.
const (
	maxDenials  = 1024
	denialEvery = time.Second
)

// denied drops what the key service no longer gives, at once and without grace: it
// said no to the root of a tenant. Whether it means the tenant or the KEK nobody can
// tell, so the first time every other tenant's keys are confirmed anew too.
func (c *Client) denied(tenant string) {
	now := c.clock.exact()
	c.denials.mu.Lock()
	_, known := c.denials.tenants[tenant]
	all := !known && (c.denials.last == 0 || now-c.denials.last >= denialEvery)
	if all {
		c.denials.last = max(now, 1)
	}
	if len(c.denials.tenants) >= maxDenials {
		clear(c.denials.tenants)
	}
	c.denials.tenants[tenant] = struct{}{}
	c.denials.mu.Unlock()
	if all {
		c.dropAll()
	} else {
		c.dropTenant(tenant)
	}
}

// granted forgets a denial.
func (c *Client) granted(tenant string) {
	c.denials.mu.Lock()
	delete(c.denials.tenants, tenant)
	c.denials.mu.Unlock()
}
