package crypto

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// newer returns r, or what stands in its place by now if ciphertext names a key that
// r has never heard of: another process may have rotated the keyring and encrypted
// under its newest key while this one holds the former state in memory. What was read
// since asked is new enough, and so is what was lately read for the same key in vain.
func (c *Client) newer(ctx context.Context, at *Context, r *keyring, ciphertext []byte, asked time.Duration) (*keyring, error) {
	if len(ciphertext) < prefixSize+ivSize+tagSize || ciphertext[0] != prefixStart {
		return r, nil
	}
	id := binary.BigEndian.Uint32(ciphertext[1:prefixSize])
	if r.knows(id) || r.absent.has(id, asked) {
		return r, nil
	}
	r, _, err := c.rings.reloadSince(ctx, cacheKey{at.Tenant, at.Subject}, asked, func(r *keyring) bool { return r.knows(id) })
	if err == nil && !r.knows(id) {
		r.absent.add(id, asked)
	}
	return r, err
}

// knows reports whether the keyring has the key, disabled or not.
func (r *keyring) knows(id uint32) bool {
	return r.lookup(id) != nil || slices.Contains(r.disabled, id)
}

// renewDomain returns a domain keyset that knows version, or else one that was read
// after the call began.
func (c *Client) renewDomain(ctx context.Context, tenant, name string, version int) (*domain, error) {
	d, _, err := c.domains.reload(ctx, cacheKey{tenant, name}, func(d *domain) bool { return d.knows(version) })
	return d, err
}

// readRingFor returns the keyring that at selects, as new as ciphertext needs it.
func (c *Client) readRingFor(ctx context.Context, at *Context, ciphertext []byte) (*keyring, error) {
	asked := c.clock.exact()
	r, err := c.readRing(ctx, at)
	if err != nil || r.find(ciphertext) != nil {
		return r, err
	}
	r, err = c.newer(ctx, at, r, ciphertext, asked)
	if errors.Is(err, errAbsent) {
		return nil, ErrDecrypt
	}
	return r, err
}
