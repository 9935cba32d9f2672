package crypto

import (
	"bytes"
	"context"
	"errors"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
)

// PutKeyset stores h as the keyring or domain of that ID, wrapped as this package
// wraps it, in the place of what may be there.
func PutKeyset(ctx context.Context, c *Client, id keystore.ID, h *keyset.Handle) error {
	root, err := c.root(ctx, id.Tenant, create)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	ad := appendKeyringAD(nil, id.Tenant, id.Subject, id.Purpose, root.primary.id)
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), root, ad); err != nil {
		return err
	}
	r := keystore.Record{ID: id, State: keystore.Active, Wrapped: b.Bytes(), Parent: root.primary.id}
	if err := c.store.Create(ctx, r); !errors.Is(err, keystore.ErrExists) {
		return err
	}
	recs, err := c.store.Get(ctx, []keystore.ID{id})
	if err != nil {
		return err
	}
	r.Version = recs[0].Version
	return c.store.Update(ctx, r)
}

// SubjectID returns the stored name of a subject's keyring.
func SubjectID(ctx context.Context, c *Client, tenant, subject string) (keystore.ID, error) {
	return c.ringID(ctx, tenant, subject, create)
}
