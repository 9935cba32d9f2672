package envelope

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
)

// patience is how long a caller waits for a key while there is one whose grace is not
// over: a key service that hangs shall not hang its callers.
const patience = time.Second

var errSlow = fmt.Errorf("envelope: no answer in %s: %w", patience, kms.ErrUnavailable)

// obtain returns a key for a message of n bytes: the one that is known, or one that
// is fetched.
func (c *Client) obtain(ctx context.Context, u *use, tenant string, header []byte, n uint64) (*dataKey, error) {
	if k := u.keys.get(tenant, header); k != nil && c.now() < k.refresh {
		if ok, low := k.take(n); ok {
			if low {
				c.renewSoon(u, tenant, header, k)
			}
			return k, nil
		}
	}
	for {
		wait, cancel := ctx, context.CancelFunc(func() {})
		if k := u.keys.get(tenant, header); k != nil {
			now := c.now()
			if now < k.expires || k.bridges(now) {
				c.renewSoon(u, tenant, header, k)
				if ok, _ := k.take(n); ok {
					return k, nil
				}
			} else if now < k.dead {
				wait, cancel = context.WithTimeoutCause(ctx, patience, errSlow)
			}
		}
		k, err := c.renew(wait, u, tenant, header)
		cancel()
		if errors.Is(err, kms.ErrUnavailable) {
			// Looked up anew: where a KEK said no meanwhile, there is nothing any more.
			k = u.keys.get(tenant, header)
			if k == nil || c.now() >= k.dead {
				return nil, err
			}
			if ok, _ := k.take(n); !ok {
				return nil, err
			}
			if errors.Is(err, errSlow) {
				k.bridging.Store(true)
			}
			return k, nil
		}
		if err != nil {
			return nil, err
		}
		if ok, _ := k.take(n); ok {
			return k, nil
		}
		// Others have used up the new key already.
	}
}

// renewSoon fetches the successor of k in the background, unless that is being done
// or was tried just now.
func (c *Client) renewSoon(u *use, tenant string, header []byte, k *dataKey) {
	if int64(c.now()) < k.retry.Load() || !k.renewing.CompareAndSwap(false, true) {
		return
	}
	if c.enter() != nil {
		return
	}
	own := bytes.Clone(header) // the caller goes on, and may use its memory again
	go func() {
		defer c.running.Done()
		defer k.renewing.Store(false)
		_, _ = c.renew(c.base, u, tenant, own) // an error was reported
	}()
}

// renew fetches a key. Of any number of callers who need the same one at once, one
// call serves all. It runs on a context of its own, so that the cancellation of the
// caller who came first fails nobody else. Errors are kept for nobody.
func (c *Client) renew(ctx context.Context, u *use, tenant string, header []byte) (*dataKey, error) {
	kept := bytes.Clone(header) // the caller may be gone before the call ends
	// Names of tenants hold no control characters.
	flight := u.flights.DoChan(tenant+"\x00"+string(kept), func() (any, error) {
		if err := c.enter(); err != nil {
			return nil, err
		}
		defer c.running.Done()
		own, cancel := context.WithTimeout(c.base, c.cfg.CallTimeout)
		defer cancel()
		return c.fetch(own, u, tenant, kept)
	})
	select {
	case r := <-flight:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*dataKey), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("envelope: gave up waiting for a data key: %w", context.Cause(ctx))
	}
}

func (c *Client) fetch(ctx context.Context, u *use, tenant string, header []byte) (*dataKey, error) {
	old := u.keys.get(tenant, header)
	if old != nil && c.now() < old.refresh && !old.low() {
		return old, nil // another was faster
	}
	before := c.refusals()
	k, err := u.fetch(ctx, tenant, header)
	switch {
	case err == nil:
		k.lease(c.now(), u.life, u.grace)
		u.keys.put(tenant, header, k)
		c.dropRefused(before)
		c.sweep()
		return k, nil
	case c.base.Err() != nil:
		return nil, crypto.ErrClosed
	}
	if old != nil {
		old.failed(c.now(), errors.Is(err, kms.ErrUnavailable))
		c.cfg.Report(fmt.Errorf("envelope: a data key could not be renewed: %w", err))
	}
	return nil, err
}

// refusals returns how often each KEK has said no.
func (c *Client) refusals() (n [MaxKEKs]int64) {
	for i := range c.keks {
		n[i] = c.keks[i].refusals.Load()
	}
	return n
}

// dropRefused drops the keys of KEKs that have said no since: one that was on its way
// then was put behind the drop, and would be used for all of its life.
func (c *Client) dropRefused(before [MaxKEKs]int64) {
	var bits uint8
	for i := range c.keks {
		if k := &c.keks[i]; k.refusals.Load() != before[i] {
			bits |= k.bit
		}
	}
	if bits == 0 {
		return
	}
	gone := func(d *dataKey) bool { return d.keks&bits != 0 }
	c.writing.keys.drop(gone)
	c.reading.keys.drop(gone)
}

// sweep takes dead keys out of memory, once a minute at most.
func (c *Client) sweep() {
	now := c.now()
	last := c.swept.Load()
	if now < time.Duration(last)+time.Minute || !c.swept.CompareAndSwap(last, int64(now)) {
		return
	}
	dead := func(k *dataKey) bool { return now >= k.dead }
	c.writing.keys.drop(dead)
	c.reading.keys.drop(dead)
}
