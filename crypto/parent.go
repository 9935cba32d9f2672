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
	"github.com/privet-dev/privet/internal/fault"
)

// An openRoot is a tenant's root as it was read from the keystore, not from memory.
type openRoot struct {
	rec    *keystore.Record
	handle *keyset.Handle
	ring   *keyring
	kek    kms.KEK // that opened it
}

// openRoot reads the tenant's root and unwraps it: one call of the key service,
// where no alias was moved. KEKs that the client does not know may be given.
func (c *Client) openRoot(ctx context.Context, tenant string, more ...kms.KEK) (*openRoot, error) {
	rec, err := c.fetch(ctx, keystore.ID{Tenant: tenant, Purpose: purposeRoot})
	if err != nil {
		return nil, err
	}
	r := &openRoot{rec: rec}
	if r.handle, r.kek, err = c.unwrapRoot(ctx, rec, more...); err != nil {
		return nil, err
	}
	if r.ring, err = newKeyring(r.handle); err != nil {
		return nil, fmt.Errorf("root of tenant %q: %w", tenant, err)
	}
	r.ring.version = rec.Version
	return r, nil
}

// unwrapRoot opens a root by the KEK that its record names, or else by the first
// that can: the client's own, its former ones, those given. A KEK that says
// kms.ErrInvalid did not wrap it, as far as anyone can know; any other error ends
// the search.
func (c *Client) unwrapRoot(ctx context.Context, rec *keystore.Record, more ...kms.KEK) (*keyset.Handle, kms.KEK, error) {
	var first error
	for _, kek := range c.keksFor(rec, more) {
		aead := &kekAEAD{kek: kek, encryptionContext: kms.RootContext(rec.Tenant)}
		h, err := keyset.ReadWithContext(ctx, keyset.NewBinaryReader(bytes.NewReader(rec.Wrapped)), aead, nil)
		switch {
		case err == nil:
			return h, kek, nil
		case errors.Is(aead.err, kms.ErrInvalid):
			if first == nil {
				first = aead.err
			}
		case aead.err != nil:
			return nil, nil, fmt.Errorf("crypto: unwrapping the root of tenant %q: %w", rec.Tenant, aead.err)
		default:
			return nil, nil, fmt.Errorf("%w: the root of tenant %q is malformed", ErrKeyring, rec.Tenant)
		}
	}
	return nil, nil, &fault.Error{
		Kind: fault.Config,
		Msg:  fmt.Sprintf("crypto: the root of tenant %q, wrapped by %s, cannot be unwrapped by %s: %v", rec.Tenant, rec.KEK, c.kek.URI(), first),
		Hint: "where the key was replaced, name the old one as a former key until its roots are rewrapped",
		Err:  errors.Join(ErrKeyring, first),
	}
}

// keksFor returns all known KEKs, those first that the record names.
func (c *Client) keksFor(rec *keystore.Record, more []kms.KEK) []kms.KEK {
	all := append([]kms.KEK{c.kek}, c.former...)
	all = append(all, more...)
	ordered := make([]kms.KEK, 0, len(all))
	for _, named := range []bool{true, false} {
		for _, k := range all {
			if (k.URI() == rec.KEK) == named {
				ordered = append(ordered, k)
			}
		}
	}
	return ordered
}

// wrapRoot returns the keyset of a tenant's root wrapped by kek.
func wrapRoot(ctx context.Context, kek kms.KEK, tenant string, h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	aead := &kekAEAD{kek: kek, encryptionContext: kms.RootContext(tenant)}
	if err := h.WriteWithContext(ctx, keyset.NewBinaryWriter(&b), aead, nil); err != nil {
		if aead.err != nil {
			err = aead.err
		}
		return nil, fmt.Errorf("crypto: wrapping the root of tenant %q: %w", tenant, err)
	}
	return b.Bytes(), nil
}

// unwrapKeyset opens a keyset that the root wrapped.
func (r *keyring) unwrapKeyset(rec *keystore.Record) (*keyset.Handle, error) {
	ad := appendKeyringAD(nil, rec.Tenant, rec.Subject, rec.Purpose, rec.Parent)
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(rec.Wrapped)), r, ad)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s cannot be unwrapped by key %08x of its tenant's root", ErrKeyring, rec.ID, rec.Parent)
	}
	return h, nil
}

// wrapKeyset wraps a keyset by the root's newest key. It returns that key's id.
func (r *keyring) wrapKeyset(id keystore.ID, h *keyset.Handle) (wrapped []byte, parent uint32, err error) {
	wrapped, err = r.primary.wrapKeyset(id, h)
	return wrapped, r.primary.id, err
}

// wrapKeyset wraps a keyset by one key of a root.
func (k *dataKey) wrapKeyset(id keystore.ID, h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	ad := appendKeyringAD(nil, id.Tenant, id.Subject, id.Purpose, k.id)
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), parentKey{k}, ad); err != nil {
		return nil, fmt.Errorf("crypto: wrapping keyring %s: %w", id, err)
	}
	return b.Bytes(), nil
}

// A parentKey lets Tink wrap a keyset by one key of a root, its newest or not.
type parentKey struct{ *dataKey }

var _ tink.AEAD = parentKey{}

func (k parentKey) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return k.seal(nil, plaintext, associatedData)
}

func (k parentKey) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return k.open(nil, ciphertext, associatedData)
}

// rootOf returns the tenant's root with the key that wrapped rec. A root in memory
// that lacks it may be older than another process's rotation: it is read anew if the
// keystore has another version of it, so that a forged record costs one read of the
// keystore and no call of the key service.
func (c *Client) rootOf(ctx context.Context, rec *keystore.Record) (*keyring, error) {
	root, err := c.root(ctx, rec.Tenant, read)
	if err == nil && root.lookup(rec.Parent) == nil {
		var stored *keystore.Record
		if stored, err = c.fetch(ctx, keystore.ID{Tenant: rec.Tenant, Purpose: purposeRoot}); err == nil && stored.Version != root.version {
			root, _, err = c.roots.reload(ctx, cacheKey{tenant: rec.Tenant}, func(r *keyring) bool { return r.lookup(rec.Parent) != nil })
		}
	}
	if errors.Is(err, errAbsent) {
		return nil, fmt.Errorf("%w: keyring %s is stored, but its tenant has no root", ErrKeyring, rec.ID)
	}
	return root, err
}

// checkRootKEK refuses a key that states another purpose than wrapping roots.
func checkRootKEK(k kms.KEK) error {
	if k == nil {
		return fault.New(fault.Config, "crypto: a key-encryption key is nil").WithHint("leave out keys that could not be opened")
	}
	if p, ok := k.(kms.Purposed); ok && p.Purpose() != kms.Roots {
		return fault.New(fault.Config, "crypto: the key %s is for %s, and cannot wrap roots", k.URI(), p.Purpose()).
			WithHint("a key has one purpose; give the client one for roots")
	}
	return nil
}
