package crypto

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"

	"github.com/privet-dev/privet/crypto/keystore"
)

// reservedDomains begins the names of the domains that this package keeps for
// itself: the key that hashes subjects' ids, and signing keys.
const reservedDomains = "privet/"

const (
	domainSubjects = reservedDomains + "subjects"
	domainSigning  = reservedDomains + "signing"
)

// maxSubkey is what HKDF-SHA-256 gives at most (RFC 5869, section 2.3).
const maxSubkey = 255 * sha256.Size

// A domain is the primary key of a domain keyset, extracted: HKDF-SHA-256, as the
// PRF of Tink's HkdfPrfKey computes it, with the input as HKDF's info.
type domain struct {
	pseudorandom []byte
}

// newDomain takes the primary key out of a Tink keyset. Only HKDF-SHA-256 PRF keys
// of 32 bytes or more are accepted.
func newDomain(h *keyset.Handle) (*domain, error) {
	e, err := h.Primary()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	k, ok := e.Key().(*hkdfprf.Key)
	if !ok {
		return nil, fmt.Errorf("%w: key %08x is of the type %T; only HKDF-SHA-256 PRF keys are accepted", ErrKeyring, e.KeyID(), e.Key())
	}
	p, ok := k.Parameters().(*hkdfprf.Parameters)
	if !ok || p.HashType() != hkdfprf.SHA256 || p.KeySizeInBytes() < keySize {
		return nil, fmt.Errorf("%w: key %08x is an HKDF PRF key of another hash or size; only HKDF-SHA-256 PRF keys of 256 bits are accepted", ErrKeyring, e.KeyID())
	}
	prk, err := hkdf.Extract(sha256.New, k.KeyBytes().Data(insecuresecretdataaccess.Token{}), p.Salt())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	return &domain{pseudorandom: prk}, nil
}

func (d *domain) compute(input string, n int) ([]byte, error) {
	return hkdf.Expand(sha256.New, d.pseudorandom, input, n)
}

// Subkey returns n bytes (1 to 8160) that depend on tenant, domain and purpose and
// on a secret of that domain: the HKDF-SHA-256 PRF of the tenant's domain keyset
// over the three names, each after its length as a big-endian uint32. The keyset is
// made on first use. Equal arguments give equal bytes in every process that shares
// the keystore, for as long as the domain is not rotated.
//
// Tokens, pseudonyms and masks take their keys from here, one per purpose; the
// bytes of two purposes or two domains tell nothing about each other. Domains whose
// names begin "privet/" are this module's own and are refused with [ErrContext].
func (c *Client) Subkey(ctx context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	if strings.HasPrefix(domain, reservedDomains) {
		return nil, contextError(fmt.Sprintf("the domain %q is reserved", domain), `choose a name that does not begin with "privet/"`)
	}
	return c.subkey(ctx, tenant, domain, purpose, n, create)
}

func (c *Client) subkey(ctx context.Context, tenant, domain, purpose string, n int, in intent) ([]byte, error) {
	if n < 1 || n > maxSubkey {
		return nil, contextError(fmt.Sprintf("a subkey of %d bytes; 1 to %d are possible", n, maxSubkey), "")
	}
	if err := checkName("purpose", purpose); err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, tenant, domain, in)
	if err != nil {
		return nil, err
	}
	return d.compute(subkeyInput(tenant, domain, purpose), n)
}

func subkeyInput(tenant, domain, purpose string) string {
	in := make([]byte, 0, 12+len(tenant)+len(domain)+len(purpose))
	in = appendPrefixed(in, tenant)
	in = appendPrefixed(in, domain)
	return string(appendPrefixed(in, purpose))
}

// domain returns the keyset of a tenant's domain.
func (c *Client) domain(ctx context.Context, tenant, name string, in intent) (*domain, error) {
	k := cacheKey{tenant, name}
	if d := c.domains.get(k); d != nil {
		return d, nil
	}
	if err := errors.Join(checkName("tenant", tenant), checkName("domain", name)); err != nil {
		return nil, err
	}
	id := keystore.ID{Tenant: tenant, Purpose: purposeDomain + name}
	d, err := c.domains.load(ctx, k, read, func(ctx context.Context) (*domain, error) {
		return domainOf(id)(c.readWrapped(ctx, id))
	})
	if in == create && errors.Is(err, errAbsent) {
		return c.domains.load(ctx, k, create, func(ctx context.Context) (*domain, error) {
			p, err := hkdfprf.NewParameters(keySize, hkdfprf.SHA256, nil)
			return domainOf(id)(c.createWrapped(ctx, id, p, err))
		})
	}
	return d, err
}

// domainOf makes a keyset ready, or passes the error on.
func domainOf(id keystore.ID) func(*keyset.Handle, error) (*domain, error) {
	return func(h *keyset.Handle, err error) (*domain, error) {
		if err != nil {
			return nil, err
		}
		d, err := newDomain(h)
		if err != nil {
			return nil, fmt.Errorf("keyset %s: %w", id, err)
		}
		return d, nil
	}
}
