package crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/event"
)

// generate returns a keyset with one new key. It takes what a constructor of
// parameters returns.
func (c *Client) generate(p key.Parameters, err error) (*keyset.Handle, error) {
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	id, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return nil, fmt.Errorf("crypto: making a key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("crypto: making a key: %w", err)
	}
	return m.Handle()
}

// fetch reads one active record: errAbsent where there is none, ErrErased for a
// tombstone.
func (c *Client) fetch(ctx context.Context, id keystore.ID) (*keystore.Record, error) {
	recs, err := c.store.Get(ctx, []keystore.ID{id})
	if err != nil {
		return nil, fmt.Errorf("crypto: reading keyring %s: %w", id, err)
	}
	switch {
	case len(recs) != 1 || recs[0] == nil:
		return nil, errAbsent
	case recs[0].State == keystore.Erased:
		return nil, ErrErased
	}
	return recs[0], nil
}

// insert creates one record, which holds h, and records the event first: what was
// not recorded does not come to be. A lost race leaves the record of an attempt.
func (c *Client) insert(ctx context.Context, r keystore.Record, h *keyset.Handle) error {
	if err := c.record(ctx, "crypto.keyring.create", r.ID, h); err != nil {
		return err
	}
	if err := c.store.Create(ctx, r); err != nil {
		return fmt.Errorf("crypto: storing keyring %s: %w", r.ID, err)
	}
	return nil
}

// record tells the recorder what is about to be done to the keyset h.
func (c *Client) record(ctx context.Context, action string, id keystore.ID, h *keyset.Handle) error {
	err := c.recorder.Record(ctx, event.Event{
		Action:  action,
		Tenant:  id.Tenant,
		Object:  fmt.Sprintf("%s/%08x", id.Purpose, h.KeysetInfo().GetPrimaryKeyId()),
		Subject: fmt.Sprintf("%x", id.Subject),
		Outcome: "ok",
		Count:   1,
	})
	if err != nil {
		return fmt.Errorf("crypto: %s of %s could not be recorded, and was not done: %w", action, id, err)
	}
	return nil
}

// readWrapped reads a keyset that the tenant's root wraps.
func (c *Client) readWrapped(ctx context.Context, id keystore.ID) (*keyset.Handle, error) {
	rec, err := c.fetch(ctx, id)
	if err != nil {
		return nil, err
	}
	root, err := c.root(ctx, id.Tenant, read)
	if errors.Is(err, errAbsent) {
		return nil, fmt.Errorf("%w: keyring %s is stored, but its tenant has no root", ErrKeyring, id)
	}
	if err != nil {
		return nil, err
	}
	ad := appendKeyringAD(nil, id.Tenant, id.Subject, id.Purpose, rec.Parent)
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(rec.Wrapped)), root, ad)
	if err != nil {
		return nil, fmt.Errorf("%w: keyring %s cannot be unwrapped by key %08x of its tenant's root", ErrKeyring, id, rec.Parent)
	}
	return h, nil
}

// createWrapped makes a keyset with one new key and stores it wrapped by the
// tenant's root, which it makes where there is none. Where another was faster, it
// returns the other's.
func (c *Client) createWrapped(ctx context.Context, id keystore.ID, p key.Parameters, perr error) (*keyset.Handle, error) {
	root, err := c.root(ctx, id.Tenant, create)
	if err != nil {
		return nil, err
	}
	h, err := c.generate(p, perr)
	if err != nil {
		return nil, err
	}
	var wrapped bytes.Buffer
	parent := root.primary.id
	ad := appendKeyringAD(nil, id.Tenant, id.Subject, id.Purpose, parent)
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&wrapped), root, ad); err != nil {
		return nil, fmt.Errorf("crypto: wrapping keyring %s: %w", id, err)
	}
	err = c.insert(ctx, keystore.Record{ID: id, State: keystore.Active, Wrapped: wrapped.Bytes(), Parent: parent}, h)
	if errors.Is(err, keystore.ErrExists) {
		return c.readWrapped(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}
