package crypto

import (
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
	recs, err := c.get(ctx, []keystore.ID{id})
	if err != nil {
		return nil, fmt.Errorf("crypto: reading keyring %s: %w", id, err)
	}
	return recs[0], usable(recs[0])
}

// usable returns why a record holds no keys: errAbsent where there is none, ErrErased
// for a tombstone.
func usable(rec *keystore.Record) error {
	switch {
	case rec == nil:
		return errAbsent
	case rec.State == keystore.Erased:
		return ErrErased
	}
	return nil
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
	root, err := c.rootOf(ctx, rec)
	if err != nil {
		return nil, err
	}
	return root.unwrapKeyset(rec)
}

// createAll creates records and reports of each whether it did: false means that
// there was one.
func (c *Client) createAll(ctx context.Context, records []keystore.Record) ([]bool, error) {
	if batch, ok := c.store.(keystore.BatchCreator); ok && len(records) > 1 {
		return batch.CreateBatch(ctx, records)
	}
	created := make([]bool, len(records))
	for i, r := range records {
		switch err := c.store.Create(ctx, r); {
		case err == nil:
			created[i] = true
		case !errors.Is(err, keystore.ErrExists):
			return nil, err
		}
	}
	return created, nil
}
