package crypto

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/privet-dev/privet/classify"
)

// derived is what one field's index or deterministic encryption takes from a domain
// keyset: a key for each of the keyset's versions, the newest first. It follows the
// keyset: when the client has read a rotated one, the keys are derived anew.
type derived[K any] struct {
	client                  *Client
	tenant, domain, purpose string
	size                    int // of a derived key in bytes
	// make turns a derived key, which it does not keep, into what is computed with.
	make func(id uint32, key []byte) (K, error)

	current atomic.Pointer[versions[K]]
}

type versions[K any] struct {
	from *domain
	keys []K
}

// get returns the keys, the newest first. The keyset is made on first use.
func (d *derived[K]) get(ctx context.Context) ([]K, error) {
	from, err := d.client.domain(ctx, d.tenant, d.domain, create)
	if err != nil {
		return nil, err
	}
	return d.of(from)
}

// renew is get with a keyset that has the key id, disabled or not, or else one that was
// read after the call began.
func (d *derived[K]) renew(ctx context.Context, id uint32) ([]K, error) {
	from, _, err := d.client.domains.reload(ctx, cacheKey{d.tenant, d.domain}, func(from *domain) bool {
		return slices.Contains(from.disabled, id) || slices.ContainsFunc(from.versions, func(k domainKey) bool { return k.id == id })
	})
	if err != nil {
		return nil, err
	}
	return d.of(from)
}

// of returns the keys of a keyset.
func (d *derived[K]) of(from *domain) ([]K, error) {
	if v := d.current.Load(); v != nil && v.from == from {
		return v.keys, nil
	}
	v := &versions[K]{from: from}
	input := subkeyInput(d.tenant, d.domain, d.purpose)
	for i := range from.versions {
		key, err := from.versions[i].compute(input, d.size)
		if err != nil {
			return nil, err
		}
		k, err := d.make(from.versions[i].id, key)
		clear(key)
		if err != nil {
			return nil, err
		}
		v.keys = append(v.keys, k)
	}
	d.current.Store(v)
	return slices.Clip(v.keys), nil
}

// checkIndexed returns an error of the family ErrContext unless tenant, field and
// domain can name a blind index or deterministic ciphertexts.
func checkIndexed(tenant, field, domain string) error {
	if err := checkName("tenant", tenant); err != nil {
		return err
	}
	if classify.CheckName(field) != nil {
		return contextError("the field's name cannot be that of an indexed field: "+classify.ErrName.Error(),
			`use the name that encrypt= has in the struct tag, such as "customer.email"`)
	}
	if err := checkName("domain", domain); err != nil {
		return err
	}
	return checkReserved(domain)
}
