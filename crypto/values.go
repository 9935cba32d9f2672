package crypto

import (
	"context"
	"errors"
	"fmt"

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
	k := cacheKey{tenant, subject}
	r, err := c.rings.load(ctx, k, read, func(ctx context.Context) (*keyring, error) {
		id, err := c.ringID(ctx, tenant, subject, read)
		if err != nil {
			return nil, err
		}
		return ringOf(id)(c.readWrapped(ctx, id))
	})
	if in == create && errors.Is(err, errAbsent) {
		return c.rings.load(ctx, k, create, func(ctx context.Context) (*keyring, error) {
			id, err := c.ringID(ctx, tenant, subject, create)
			if err != nil {
				return nil, err
			}
			p, err := c.newKeys.parameters()
			return ringOf(id)(c.createWrapped(ctx, id, p, err))
		})
	}
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

// ringOf makes a keyset, or passes the error on.
func ringOf(id keystore.ID) func(*keyset.Handle, error) (*keyring, error) {
	return func(h *keyset.Handle, err error) (*keyring, error) {
		if err != nil {
			return nil, err
		}
		r, err := newKeyring(h)
		if err != nil {
			return nil, fmt.Errorf("keyring %s: %w", id, err)
		}
		return r, nil
	}
}
