package envelope

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/fault"
)

const keySize = 32

// makeKey makes a data key for encrypting.
func (c *Client) makeKey(ctx context.Context, tenant string, _ []byte) (*dataKey, error) {
	key := make([]byte, keySize)
	rand.Read(key)
	defer clear(key)
	encoded := encodeKey(key)
	defer clear(encoded)
	header, err := c.wrap(ctx, tenant, encoded)
	if err != nil {
		return nil, err
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	vouch := uint8(1<<len(c.keks) - 1)
	// What this process writes it can read without asking.
	own := &dataKey{aead: aead, keks: vouch}
	own.lease(c.now(), c.reading.life, c.reading.grace)
	c.reading.keys.put(c.reader(tenant), header, own)
	return &dataKey{
		aead: aead, header: header, keks: vouch,
		maxMessages: c.cfg.DataKeyMessages, maxBytes: c.cfg.DataKeyBytes,
	}, nil
}

// readKey unwraps a data key for decrypting.
func (c *Client) readKey(ctx context.Context, tenant string, header []byte) (*dataKey, error) {
	encoded, bit, err := c.unwrap(ctx, tenant, header)
	if err != nil {
		return nil, err
	}
	defer clear(encoded)
	key, err := decodeKey(encoded)
	if err != nil {
		c.cfg.Report(err)
		return nil, crypto.ErrDecrypt
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return &dataKey{aead: aead, keks: bit}, nil
}

// reader is under which tenant's name keys for decrypting are held. Without an
// encryption context, a wrapped key is the same to all.
func (c *Client) reader(tenant string) string {
	if c.cfg.EncryptionContext == nil {
		return ""
	}
	return tenant
}

// encryptionContext returns what keys of the tenant are bound to.
func (c *Client) encryptionContext(tenant string) (map[string]string, error) {
	if c.cfg.EncryptionContext == nil {
		return nil, nil
	}
	ec := c.cfg.EncryptionContext(tenant)
	// A KEK that states no purpose would not notice.
	if err := kms.Envelopes.Check(ec); err != nil {
		return nil, &fault.Error{Kind: fault.Config, Msg: "envelope: Config.EncryptionContext gives that of a tenant root",
			Hint: "envelope.TenantContext is one for envelopes", Err: err}
	}
	return ec, nil
}

// wrap wraps a key by every KEK and returns the header. The first that fails stops
// nobody: a KEK that says no is heard whatever the others say.
func (c *Client) wrap(ctx context.Context, tenant string, key []byte) ([]byte, error) {
	ec, err := c.encryptionContext(tenant)
	if err != nil {
		return nil, err
	}
	entries, errs := make([]entry, len(c.keks)), make([]error, len(c.keks))
	var all sync.WaitGroup
	for i := range c.keks {
		k := &c.keks[i]
		all.Go(func() {
			entries[i].mark = k.mark
			entries[i].wrapped, errs[i] = c.call(ctx, k, func() ([]byte, error) { return k.Wrap(ctx, key, ec) })
			if n := len(entries[i].wrapped); errs[i] == nil && (n == 0 || n > maxWrapped) {
				errs[i] = fmt.Errorf("envelope: %s returned a wrapped key of %d bytes; an envelope takes 1 to %d: %w", k.URI(), n, maxWrapped, kms.ErrInvalid)
			}
		})
	}
	all.Wait()
	if err := worst(errs); err != nil {
		return nil, err
	}
	return encodeHeader(entries), nil
}

// worst returns the error that decides what wrap's callers may do: a refusal before
// anything that time may heal.
func worst(errs []error) error {
	var found error
	for _, err := range errs {
		if err != nil && (found == nil || errors.Is(found, kms.ErrUnavailable)) {
			found = err
		}
	}
	return found
}

// unwrap opens the wrapped key of a header with the first KEK that can, and returns
// the KEK's bit. Its error is that of a KEK that is unavailable, else of one that says
// no, else crypto.ErrDecrypt: only when all have answered is the header itself to blame.
func (c *Client) unwrap(ctx context.Context, tenant string, header []byte) (key []byte, bit uint8, err error) {
	ec, err := c.encryptionContext(tenant)
	if err != nil {
		return nil, 0, err
	}
	var away, denied error
	for _, try := range c.attempts(decodeHeader(header)) {
		k := try.kek
		key, err := c.call(ctx, k, func() ([]byte, error) { return k.Unwrap(ctx, try.wrapped, ec) })
		switch {
		case err == nil:
			return key, k.bit, nil
		case errors.Is(err, kms.ErrDenied):
			denied = err
		case errors.Is(err, kms.ErrInvalid):
			c.cfg.Report(fmt.Errorf("envelope: %s cannot unwrap a data key: %w", k.URI(), err))
		default:
			away = err
		}
	}
	switch {
	case away != nil:
		return nil, 0, away
	case denied != nil:
		return nil, 0, denied
	}
	return nil, 0, crypto.ErrDecrypt
}

// An attempt is a KEK and what it may have wrapped.
type attempt struct {
	kek     *kek
	wrapped []byte
}

// attempts returns which KEKs to ask for which entries, in that order: first those
// that a mark brings together; then what has no mark that is known here, since a KEK
// may have gone by another name where the envelope was written.
func (c *Client) attempts(entries []entry) []attempt {
	var likely, possible []attempt
	marked := map[*kek]bool{}
	known := make([]bool, len(entries))
	if len(entries) > 1 {
		for i := range c.keks {
			k := &c.keks[i]
			for j, e := range entries {
				if e.mark == k.mark {
					likely = append(likely, attempt{k, e.wrapped})
					marked[k], known[j] = true, true
				}
			}
		}
	}
	for i := range c.keks {
		for j, e := range entries {
			if k := &c.keks[i]; !marked[k] && !known[j] {
				possible = append(possible, attempt{k, e.wrapped})
			}
		}
	}
	return append(likely, possible...)
}

// call asks a KEK, when one of the places for calls is free. Where the KEK says no,
// every key that it vouches for is dropped.
func (c *Client) call(ctx context.Context, k *kek, ask func() ([]byte, error)) ([]byte, error) {
	unavailable := func() error {
		return fmt.Errorf("envelope: %s did not answer in time: %w: %w", k.URI(), kms.ErrUnavailable, context.Cause(ctx))
	}
	select {
	case c.calls <- struct{}{}:
		defer func() { <-c.calls }()
	case <-ctx.Done():
		return nil, unavailable()
	}
	out, err := ask()
	switch {
	case err == nil || errors.Is(err, kms.ErrInvalid):
		k.trouble.Store(nil)
		return out, err
	case errors.Is(err, kms.ErrDenied):
		gone := func(d *dataKey) bool { return d.keks&k.bit != 0 }
		k.refusals.Add(1) // before: what is put after the drop finds it
		c.writing.keys.drop(gone)
		c.reading.keys.drop(gone)
	case !errors.Is(err, kms.ErrUnavailable):
		// The end of this call's own time; the key service's silence is to blame.
		err = unavailable()
	}
	k.trouble.Store(&err)
	return nil, err
}
