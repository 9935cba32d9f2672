package crypto

import (
	"context"
	"hash/maphash"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
)

// ring returns the keyring that at selects: the tenant's value keyring, or its
// subject's.
func (c *Client) ring(ctx context.Context, at *Context, in intent) (*keyring, error) {
	if err := at.check(); err != nil {
		return nil, err
	}
	if r := c.rings.get(cacheKey{at.Tenant, at.Subject}); r != nil {
		return r, nil
	}
	return c.loadRing(ctx, at.Tenant, at.Subject, in)
}

func (c *Client) loadRing(ctx context.Context, tenant, subject string, in intent) (*keyring, error) {
	if err := checkName("tenant", tenant); err != nil {
		return nil, err
	}
	r, _, err := c.rings.load(ctx, cacheKey{tenant, subject}, in)
	return r, err
}

// ringID returns the stored name of a tenant's value keyring or of a subject's.
func (c *Client) ringID(ctx context.Context, tenant, subject string, in intent) (keystore.ID, error) {
	if subject == "" {
		return keystore.ID{Tenant: tenant, Purpose: purposeValue}, nil
	}
	hash, err := c.subjectHash(ctx, tenant, subject, in)
	if err != nil {
		return keystore.ID{}, err
	}
	return keystore.ID{Tenant: tenant, Purpose: purposeSubject, Subject: hash}, nil
}

// fetchRings reads or makes value and subject keyrings.
func (c *Client) fetchRings(ctx context.Context, in intent, keys []cacheKey, done func(int, outcome[keyring])) {
	namers, failed := c.subjectNamers(ctx, in, keys)
	ids, places := make([]keystore.ID, 0, len(keys)), make([]int, 0, len(keys))
	for i, k := range keys {
		id := keystore.ID{Tenant: k.tenant, Purpose: purposeValue}
		if k.name != "" {
			if err := failed[k.tenant]; err != nil {
				done(i, outcome[keyring]{err: err})
				continue
			}
			id = keystore.ID{Tenant: k.tenant, Purpose: purposeSubject, Subject: namers[k.tenant].name(k.name)}
		}
		ids, places = append(ids, id), append(places, i)
	}
	f := fetch[keyring]{
		client:   c,
		ids:      ids,
		generate: func() (*keyset.Handle, error) { return c.generate(c.newKeys.parameters()) },
		ready: func(h *keyset.Handle, rec *keystore.Record) (*keyring, error) {
			r, err := newKeyring(h)
			if err != nil {
				return nil, err
			}
			return r.of(rec), nil
		},
		quick: func(root *keyring, rec *keystore.Record) *keyring {
			r := quickRing(root, rec)
			if r == nil {
				return nil
			}
			return r.of(rec)
		},
		// A refresh that finds nothing new keeps the keyring, and with it the salts
		// that were derived.
		held: func(i int, rec *keystore.Record) *keyring {
			e := c.rings.lookup(keys[places[i]])
			if e == nil || e.value.version != rec.Version || e.value.stored != fingerprint(rec) {
				return nil
			}
			return e.value
		},
		done: func(i int, o outcome[keyring]) { done(places[i], o) },
	}
	if len(ids) > 0 {
		f.run(ctx, in)
	}
}

// of notes which record r is of.
func (r *keyring) of(rec *keystore.Record) *keyring {
	r.version, r.stored, r.subject = rec.Version, fingerprint(rec), rec.Subject
	return r
}

var fingerprintSeed = maphash.MakeSeed()

// fingerprint identifies what a record holds, in this process.
func fingerprint(rec *keystore.Record) uint64 { return maphash.Bytes(fingerprintSeed, rec.Wrapped) }
