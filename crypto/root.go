package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
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
	k := cacheKey{tenant: tenant}
	if r := c.roots.get(k); r != nil {
		return r, nil
	}
	r, err := c.roots.load(ctx, k, read, func(ctx context.Context) (*keyring, error) {
		return c.readRoot(ctx, tenant)
	})
	if in == create && errors.Is(err, errAbsent) {
		return c.roots.load(ctx, k, create, func(ctx context.Context) (*keyring, error) {
			return c.createRoot(ctx, tenant)
		})
	}
	return r, err
}

func (c *Client) readRoot(ctx context.Context, tenant string) (*keyring, error) {
	rec, err := c.fetch(ctx, keystore.ID{Tenant: tenant, Purpose: purposeRoot})
	if err != nil {
		return nil, err
	}
	aead := &kekAEAD{kek: c.kek, encryptionContext: kms.RootContext(tenant)}
	h, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(rec.Wrapped)), aead, nil)
	switch {
	case errors.Is(aead.err, kms.ErrInvalid):
		return nil, fmt.Errorf("%w: the root of tenant %q, wrapped by %s, cannot be unwrapped by %s: %w",
			ErrKeyring, tenant, rec.KEK, c.kek.URI(), aead.err)
	case aead.err != nil:
		return nil, fmt.Errorf("crypto: unwrapping the root of tenant %q: %w", tenant, aead.err)
	case err != nil:
		return nil, fmt.Errorf("%w: the root of tenant %q is malformed", ErrKeyring, tenant)
	}
	r, err := newKeyring(h)
	if err != nil {
		return nil, fmt.Errorf("root of tenant %q: %w", tenant, err)
	}
	return r, nil
}

func (c *Client) createRoot(ctx context.Context, tenant string) (*keyring, error) {
	h, err := c.generate(c.newKeys.parameters())
	if err != nil {
		return nil, err
	}
	var wrapped bytes.Buffer
	aead := &kekAEAD{kek: c.kek, encryptionContext: kms.RootContext(tenant)}
	if err := h.WriteWithContext(ctx, keyset.NewBinaryWriter(&wrapped), aead, nil); err != nil {
		if aead.err != nil {
			err = aead.err
		}
		return nil, fmt.Errorf("crypto: wrapping a new root of tenant %q: %w", tenant, err)
	}
	err = c.insert(ctx, keystore.Record{
		ID:      keystore.ID{Tenant: tenant, Purpose: purposeRoot},
		State:   keystore.Active,
		Wrapped: wrapped.Bytes(),
		KEK:     c.kek.URI(),
	}, h)
	if errors.Is(err, keystore.ErrExists) {
		return c.readRoot(ctx, tenant)
	}
	if err != nil {
		return nil, err
	}
	return newKeyring(h)
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
