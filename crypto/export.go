package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
)

// InsecureExportKeyring returns the keyring of a tenant's values, or of a subject
// where one is given, as a Tink keyset with its secret keys. Plain Tink opens our
// ciphertexts with it: the primitive is AEAD, the associated data is
//
//	"privet/1" ‖ lp(tenant) ‖ lp(subject) ‖ lp(field)    with lp(x) = u32be(len x) ‖ x
//
// Whoever holds it reads everything under these keys, without the key service and
// past an erasure: it is for moving to another system and for tests. The export is
// recorded. A keyring that does not exist is [ErrKeyring].
func (c *Client) InsecureExportKeyring(ctx context.Context, tenant, subject string) (*keyset.Handle, error) {
	if err := checkName("tenant", tenant); err != nil {
		return nil, err
	}
	id, err := c.ringID(ctx, tenant, subject, read)
	if err != nil {
		return nil, exportError(err)
	}
	return c.export(ctx, id)
}

// InsecureExportDomain returns a domain keyset as a Tink keyset with its secret
// keys; the primitive is PRF. What is said of [Client.InsecureExportKeyring] holds.
func (c *Client) InsecureExportDomain(ctx context.Context, tenant, domain string) (*keyset.Handle, error) {
	if err := errors.Join(checkName("tenant", tenant), checkName("domain", domain)); err != nil {
		return nil, err
	}
	return c.export(ctx, keystore.ID{Tenant: tenant, Purpose: purposeDomain + domain})
}

func (c *Client) export(ctx context.Context, id keystore.ID) (*keyset.Handle, error) {
	h, err := c.readWrapped(ctx, id)
	if err != nil {
		return nil, exportError(err)
	}
	if err := c.record(ctx, "crypto.keyring.export", id, h); err != nil {
		return nil, err
	}
	return h, nil
}

func exportError(err error) error {
	if errors.Is(err, errAbsent) {
		return fmt.Errorf("%w: there is none of that name", ErrKeyring)
	}
	return err
}
