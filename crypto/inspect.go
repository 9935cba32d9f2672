package crypto

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

// A KeyringInfo is what may be said of a keyring without saying its keys.
type KeyringInfo struct {
	Tenant  string `json:"tenant"`
	Purpose string `json:"purpose"` // "root", "value", "subject", or "domain/" and a name
	// Subject is the keyed hash of the subject's id in hexadecimal, or "".
	Subject string `json:"subject,omitempty"`
	State   string `json:"state"` // "active" or "erased"
	// KEK is the URI of the key that wraps a root; Parent is the root's key that wraps
	// any other keyring.
	KEK    string `json:"kek,omitempty"`
	Parent *KeyID `json:"parent,omitempty"`
	// Changes counts what was done to the record since it was made, which is 1.
	Changes int64     `json:"changes"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	// Keys are the keys from the oldest to the newest, where they were asked for.
	Keys []KeyInfo `json:"keys,omitempty"`
}

// A KeyInfo is what may be said of a key.
type KeyInfo struct {
	ID KeyID `json:"id"`
	// Version is the key's place in the keyring, from 1; keys of values, subjects and
	// domains keep theirs for ever.
	Version   int    `json:"version"`
	Algorithm string `json:"algorithm"`
	Primary   bool   `json:"primary"` // what is new is encrypted under it
	Enabled   bool   `json:"enabled"`
}

// Keyring describes one keyring and its keys. One that is not there is [ErrKeyring],
// an erased one is [ErrErased].
func (c *Client) Keyring(ctx context.Context, s Scope) (KeyringInfo, error) {
	k, err := c.inspect(ctx, s)
	if err != nil {
		return KeyringInfo{}, err
	}
	return describe(k.rec, k.handle), nil
}

// A stored keyring is one as the keystore has it, unwrapped.
type stored struct {
	rec    *keystore.Record
	handle *keyset.Handle
	kek    kms.KEK  // that opened it, where it is a root
	root   *keyring // that opened it, where it is none
}

// inspect reads one keyring from the keystore.
func (c *Client) inspect(ctx context.Context, s Scope) (*stored, error) {
	id, err := c.scopeID(ctx, s)
	if err != nil {
		return nil, err
	}
	rec, err := c.fetch(ctx, id)
	if errors.Is(err, errAbsent) {
		return nil, absent(s)
	}
	if err != nil {
		return nil, err
	}
	return c.unwrap(ctx, rec)
}

// unwrap opens a keyring of any purpose.
func (c *Client) unwrap(ctx context.Context, rec *keystore.Record) (*stored, error) {
	k := &stored{rec: rec}
	var err error
	if rec.Purpose == purposeRoot {
		k.handle, k.kek, err = c.unwrapRoot(ctx, rec)
		return k, err
	}
	if k.root, err = c.rootOf(ctx, rec); err != nil {
		return nil, err
	}
	k.handle, err = k.root.unwrapKeyset(rec)
	return k, err
}

// describe says what may be said; h is nil where the keys are not asked for.
func describe(rec *keystore.Record, h *keyset.Handle) KeyringInfo {
	i := KeyringInfo{
		Tenant: rec.Tenant, Purpose: rec.Purpose, Subject: hex.EncodeToString([]byte(rec.Subject)),
		State: rec.State.String(), KEK: rec.KEK,
		Changes: rec.Version, Created: rec.Created, Updated: rec.Updated,
	}
	if rec.Purpose != purposeRoot && rec.State == keystore.Active {
		i.Parent = new(KeyID(rec.Parent))
	}
	if h != nil {
		i.Keys = keysOf(h)
	}
	return i
}

func keysOf(h *keyset.Handle) []KeyInfo {
	keys := make([]KeyInfo, 0, h.Len())
	for n := range h.Len() {
		e, err := h.Entry(n)
		if err != nil {
			continue // not of a keyset that was read
		}
		keys = append(keys, KeyInfo{
			ID: KeyID(e.KeyID()), Version: n + 1, Algorithm: algorithmOf(e),
			Primary: e.IsPrimary(), Enabled: e.KeyStatus() == keyset.Enabled,
		})
	}
	return keys
}

func algorithmOf(e *keyset.Entry) string {
	switch k := e.Key().(type) {
	case *xaesgcm.Key:
		return XAES256GCM.String()
	case *aesgcm.Key:
		return AES256GCM.String()
	case *hkdfprf.Key:
		return "HKDF-SHA-256"
	default:
		return fmt.Sprintf("%T", k)
	}
}

// ListOptions narrow a listing. The zero value lists every record.
type ListOptions struct {
	// Tenant lists one tenant's keyrings; "" lists all tenants'.
	Tenant string
	// Purpose lists one purpose ("root", "value", "subject", "domain/cards"); "" lists
	// all.
	Purpose string
	// Keys unwraps each keyring to tell its keys: the key service is called once per
	// tenant.
	Keys bool
}

// List calls each for every keyring in the order of tenant, purpose and subject,
// tombstones included, in constant memory. It ends with the first error of each.
func (c *Client) List(ctx context.Context, o ListOptions, each func(KeyringInfo) error) error {
	return c.walk(ctx, keystore.Filter{Tenant: o.Tenant, Purpose: o.Purpose}, func(rec *keystore.Record) error {
		var h *keyset.Handle
		if o.Keys && rec.State == keystore.Active {
			k, err := c.unwrap(ctx, rec)
			if err != nil {
				return err
			}
			h = k.handle
		}
		return each(describe(rec, h))
	})
}

// walk calls each for every record that passes f, page by page.
func (c *Client) walk(ctx context.Context, f keystore.Filter, each func(*keystore.Record) error) error {
	return c.pages(ctx, f, func(page []keystore.Record) error {
		for i := range page {
			if err := each(&page[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// pages calls each for every page of the records that pass f.
func (c *Client) pages(ctx context.Context, f keystore.Filter, each func([]keystore.Record) error) error {
	for after := (keystore.ID{}); ; {
		page, err := c.store.List(ctx, f, after, keystore.MaxPage)
		if err != nil {
			return fmt.Errorf("crypto: listing keyrings: %w", err)
		}
		if err := each(page); err != nil {
			return err
		}
		if len(page) < keystore.MaxPage {
			return nil
		}
		after = page[len(page)-1].ID
	}
}
