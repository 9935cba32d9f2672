package crypto

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
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

// A domain is a domain keyset, its enabled keys extracted: HKDF-SHA-256, as the PRF
// of Tink's HkdfPrfKey computes it, with the input as HKDF's info. It is immutable.
type domain struct {
	// versions begin with the primary key; the others follow from the newest to the
	// oldest.
	versions []domainKey
	// disabled are the ids of keys that are there and must not be used.
	disabled []uint32
}

// A domainKey is one version of a domain.
type domainKey struct {
	id           uint32
	version      int // its place in the keyset, from 1: keys are added and never taken out
	pseudorandom []byte
}

// newDomain takes the keys out of a Tink keyset. Only HKDF-SHA-256 PRF keys of 32
// bytes or more are accepted. Disabled keys are left out.
func newDomain(h *keyset.Handle) (*domain, error) {
	d := &domain{}
	for i := h.Len() - 1; i >= 0; i-- {
		e, err := h.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
		}
		k, err := newDomainKey(e)
		if err != nil {
			return nil, err
		}
		k.version = i + 1
		switch {
		case e.KeyStatus() != keyset.Enabled:
			d.disabled = append(d.disabled, k.id)
		case e.IsPrimary():
			d.versions = slices.Insert(d.versions, 0, k)
		default:
			d.versions = append(d.versions, k)
		}
	}
	if p, err := h.Primary(); err != nil || len(d.versions) == 0 || d.versions[0].id != p.KeyID() {
		return nil, fmt.Errorf("%w: it has no enabled primary key", ErrKeyring)
	}
	return d, nil
}

func newDomainKey(e *keyset.Entry) (domainKey, error) {
	k, ok := e.Key().(*hkdfprf.Key)
	if !ok {
		return domainKey{}, fmt.Errorf("%w: key %08x is of the type %T; only HKDF-SHA-256 PRF keys are accepted", ErrKeyring, e.KeyID(), e.Key())
	}
	p, ok := k.Parameters().(*hkdfprf.Parameters)
	if !ok || p.HashType() != hkdfprf.SHA256 || p.KeySizeInBytes() < keySize {
		return domainKey{}, fmt.Errorf("%w: key %08x is an HKDF PRF key of another hash or size; only HKDF-SHA-256 PRF keys of 256 bits are accepted", ErrKeyring, e.KeyID())
	}
	prk, err := hkdf.Extract(sha256.New, k.KeyBytes().Data(insecuresecretdataaccess.Token{}), p.Salt())
	if err != nil {
		return domainKey{}, fmt.Errorf("%w: %w", ErrKeyring, err)
	}
	return domainKey{id: e.KeyID(), pseudorandom: prk}, nil
}

// compute returns n bytes of the primary key's PRF.
func (d *domain) compute(input string, n int) ([]byte, error) {
	return d.versions[0].compute(input, n)
}

func (k *domainKey) compute(input string, n int) ([]byte, error) {
	return hkdf.Expand(sha256.New, k.pseudorandom, input, n)
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
	if err := checkReserved(domain); err != nil {
		return nil, err
	}
	return c.subkey(ctx, tenant, domain, purpose, n, create)
}

// checkReserved refuses the names of domains that are this module's own.
func checkReserved(domain string) error {
	if strings.HasPrefix(domain, reservedDomains) {
		return contextError(fmt.Sprintf("the domain %q is reserved", domain), `choose a name that does not begin with "privet/"`)
	}
	return nil
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
	d, _, err := c.domains.load(ctx, k, in)
	return d, err
}

// fetchDomains reads or makes the keysets of domains.
func (c *Client) fetchDomains(ctx context.Context, in intent, keys []cacheKey, done func(int, outcome[domain])) {
	ids := make([]keystore.ID, len(keys))
	for i, k := range keys {
		ids[i] = keystore.ID{Tenant: k.tenant, Purpose: purposeDomain + k.name}
	}
	f := fetch[domain]{client: c, ids: ids, done: done,
		ready: func(h *keyset.Handle, _ *keystore.Record) (*domain, error) { return newDomain(h) },
		generate: func() (*keyset.Handle, error) {
			p, err := hkdfprf.NewParameters(keySize, hkdfprf.SHA256, nil)
			return c.generate(p, err)
		},
	}
	f.run(ctx, in)
}
