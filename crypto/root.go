package crypto

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

// The purposes of keyrings, as the keystore and the associated data name them.
const (
	purposeRoot    = "root"
	purposeValue   = "value"
	purposeSubject = "subject"
	purposeDomain  = "domain/" // and the domain's name
)

// root returns the tenant's root, which wraps its keyrings and nothing else. It is
// the only keyring that the KEK wraps.
func (c *Client) root(ctx context.Context, tenant string, in intent) (*keyring, error) {
	r, _, err := c.rootUntil(ctx, tenant, in)
	return r, err
}

// rootUntil also returns when the root's life ends, which is past where it is served
// in its grace. What it wraps must not live on as if the key service had confirmed
// the root.
func (c *Client) rootUntil(ctx context.Context, tenant string, in intent) (*keyring, time.Duration, error) {
	return c.roots.load(ctx, cacheKey{tenant: tenant}, in)
}

// fetchRoots reads or makes roots, each by a call of the key service.
func (c *Client) fetchRoots(ctx context.Context, in intent, keys []cacheKey, done func(int, outcome[keyring])) {
	var group sync.WaitGroup
	defer group.Wait()
	for i, k := range keys {
		group.Go(func() {
			load := c.readRoot
			if in == create {
				load = c.createRoot
			}
			r, err := load(ctx, k.tenant)
			switch {
			case err == nil:
				c.granted(k.tenant)
			case errors.Is(err, kms.ErrDenied):
				c.denied(k.tenant)
			}
			done(i, outcome[keyring]{value: r, err: err})
		})
	}
}

func (c *Client) readRoot(ctx context.Context, tenant string) (*keyring, error) {
	r, err := c.openRoot(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return r.ring, nil
}

func (c *Client) createRoot(ctx context.Context, tenant string) (*keyring, error) {
	h, err := c.generate(c.newKeys.parameters())
	if err != nil {
		return nil, err
	}
	wrapped, err := wrapRoot(ctx, c.kek, tenant, h)
	if err != nil {
		return nil, err
	}
	err = c.insert(ctx, keystore.Record{
		ID:      keystore.ID{Tenant: tenant, Purpose: purposeRoot},
		State:   keystore.Active,
		Wrapped: wrapped,
		KEK:     c.kek.URI(),
	}, h)
	if errors.Is(err, keystore.ErrExists) {
		return c.readRoot(ctx, tenant)
	}
	if err != nil {
		return nil, err
	}
	r, err := newKeyring(h)
	if err != nil {
		return nil, err
	}
	r.version = 1
	return r, nil
}

// kekAEAD lets Tink wrap a keyset by a KEK. What the KEK binds is its encryption
// context, so it takes no associated data. It belongs to one call, and keeps the
// KEK's own error, which Tink would hide.
type kekAEAD struct {
	kek               kms.KEK
	encryptionContext map[string]string
	err               error
}

var _ tink.AEADWithContext = (*kekAEAD)(nil)

func (a *kekAEAD) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	if len(associatedData) != 0 {
		return nil, errors.New("crypto: a KEK takes no associated data")
	}
	wrapped, err := a.kek.Wrap(ctx, plaintext, a.encryptionContext)
	a.err = err
	return wrapped, err
}

func (a *kekAEAD) DecryptWithContext(ctx context.Context, wrapped, associatedData []byte) ([]byte, error) {
	if len(associatedData) != 0 {
		return nil, errors.New("crypto: a KEK takes no associated data")
	}
	plaintext, err := a.kek.Unwrap(ctx, wrapped, a.encryptionContext)
	a.err = err
	return plaintext, err
}
