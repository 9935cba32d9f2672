package crypto

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// maxConflicts is how often a change begins anew because another was faster.
const maxConflicts = 16

// Rotate adds a key to a keyring and makes it the primary: what is encrypted from
// now on is encrypted under it. The keys before it stay for decryption, and
// [Client.Stale] tells what is under them. It returns the keyring as it is then.
//
// This process uses the new key at once. Other processes read with it as soon as
// they meet it, and write with it within their cache's life. Of several rotations at
// once one adds a key, and all return it.
//
// A rotated root wraps new keyrings; [Client.Rewrap] moves the others under it. A
// rotated domain gives other tokens, pseudonyms and blind indexes from then on, so it
// is rotated only when it is named; its versions stay ([Client.SubkeyVersion]). The
// domains of subjects' names and of signing keys are refused with [ErrFixed]. A
// keyring that is not there is [ErrKeyring], and is not made.
func (c *Client) Rotate(ctx context.Context, s Scope) (KeyringInfo, error) {
	var before uint32 // the primary key when this call began
	return c.change(ctx, s, "crypto.keyring.rotate", func(h *keyset.Handle) (*keyset.Handle, []KeyID, error) {
		primary, err := h.Primary()
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrKeyring, err)
		}
		if before != 0 && before != primary.KeyID() {
			return nil, nil, nil
		}
		before = primary.KeyID()
		return c.withNewKey(s, h)
	})
}

// withNewKey returns h with one more key, its primary, and that key's id.
func (c *Client) withNewKey(s Scope, h *keyset.Handle) (*keyset.Handle, []KeyID, error) {
	p, err := c.parametersFor(s)
	if err != nil {
		return nil, nil, err
	}
	m := keyset.NewManagerFromHandle(h)
	id, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return nil, nil, fmt.Errorf("crypto: making a key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, nil, fmt.Errorf("crypto: making a key: %w", err)
	}
	next, err := m.Handle()
	return next, []KeyID{KeyID(id)}, err
}

// parametersFor returns what new keys of s are made of.
func (c *Client) parametersFor(s Scope) (key.Parameters, error) {
	if s.Domain != "" {
		return hkdfprf.NewParameters(keySize, hkdfprf.SHA256, nil)
	}
	return c.newKeys.parameters()
}

// An edit returns what a keyset becomes, and the keys that it touched; nil where it
// stays as it is.
type edit func(*keyset.Handle) (*keyset.Handle, []KeyID, error)

// change replaces a keyring by what an edit makes of it; what wraps it stays what it
// is. Where another changes the keyring meanwhile, it begins anew. The action is
// recorded before it is done.
func (c *Client) change(ctx context.Context, s Scope, action string, do edit) (KeyringInfo, error) {
	if err := s.check(); err != nil {
		return KeyringInfo{}, err
	}
	if err := s.changeable(); err != nil {
		return KeyringInfo{}, err
	}
	for range maxConflicts {
		k, err := c.inspect(ctx, s)
		if err != nil {
			return KeyringInfo{}, err
		}
		next, keys, err := do(k.handle)
		if err != nil {
			return KeyringInfo{}, err
		}
		if next == nil {
			c.dropScope(s)
			return describe(k.rec, k.handle), nil
		}
		if err := ready(k.rec.ID, next); err != nil {
			return KeyringInfo{}, err
		}
		if err := c.recordKeys(ctx, action, k.rec.ID, keys); err != nil {
			return KeyringInfo{}, err
		}
		err = c.replace(ctx, k, next)
		if err == nil {
			c.dropScope(s)
			k.rec.Version++
			k.rec.Updated = time.Now().UTC()
			return describe(k.rec, next), nil
		}
		if !errors.Is(err, keystore.ErrConflict) {
			return KeyringInfo{}, err
		}
	}
	return KeyringInfo{}, fault.New(fault.Stopped, "crypto: keyring %s is changed by others all the time", s).
		WithHint("is a rewrap running in a loop? try again when it has ended")
}

// ready returns an error unless h can serve as what id names.
func ready(id keystore.ID, h *keyset.Handle) error {
	if isDomain(id.Purpose) {
		_, err := newDomain(h)
		return err
	}
	_, err := newKeyring(h)
	return err
}

// replace stores h in the place of k's keyset, which must not have changed since.
func (c *Client) replace(ctx context.Context, k *stored, h *keyset.Handle) error {
	next := *k.rec
	var err error
	if k.rec.Purpose == purposeRoot {
		if next.Wrapped, err = wrapRoot(ctx, k.kek, k.rec.Tenant, h); err != nil {
			return tooManyKeys(k.rec, h, err)
		}
	} else {
		// Under the parent that it has: a keystore that tells caches of changes takes
		// one of the parent for a rewrap, which is no news to them.
		parent := k.root.lookup(k.rec.Parent)
		if parent == nil {
			return fmt.Errorf("%w: keyring %s names a parent that did not wrap it", ErrKeyring, k.rec.ID)
		}
		if next.Wrapped, err = parent.wrapKeyset(k.rec.ID, h); err != nil {
			return err
		}
	}
	err = c.store.Update(ctx, next)
	if errors.Is(err, keystore.ErrErased) {
		return ErrErased // since it was read
	}
	if err != nil {
		return fmt.Errorf("crypto: changing keyring %s: %w", k.rec.ID, err)
	}
	return nil
}

// recordKeys tells the recorder what is about to be done to keys of a keyring.
func (c *Client) recordKeys(ctx context.Context, action string, id keystore.ID, keys []KeyID) error {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	return c.recordEvent(ctx, event.Event{
		Action: action, Tenant: id.Tenant, Object: id.Purpose + "/" + strings.Join(names, ","),
		Subject: fmt.Sprintf("%x", id.Subject), Count: int64(len(keys)),
	})
}

// recordEvent tells the recorder what is about to be done.
func (c *Client) recordEvent(ctx context.Context, e event.Event) error {
	e.Outcome = "ok"
	if err := c.recorder.Record(ctx, e); err != nil {
		return fmt.Errorf("crypto: %s of tenant %q could not be recorded, and was not done: %w", e.Action, e.Tenant, err)
	}
	return nil
}

// maxRootKeys is how many keys a root can have: a key service wraps 4096 bytes.
const maxRootKeys = 30

// tooManyKeys explains why a root with many keys was not wrapped.
func tooManyKeys(rec *keystore.Record, h *keyset.Handle, err error) error {
	if h.Len() <= maxRootKeys {
		return err
	}
	return &fault.Error{
		Kind: fault.Guard,
		Msg:  fmt.Sprintf("crypto: the root of tenant %q has %d keys, which is more than a key service wraps", rec.Tenant, h.Len()),
		Hint: "'privet keys rewrap --remove-old' moves keyrings to the newest key and takes the old ones out",
		Err:  err,
	}
}

// RotateRoots rotates the root of every tenant that was last changed before a time,
// tenant by tenant, and calls done after each. Whoever resumes a run that was
// interrupted gives the time at which that run began, and no root is rotated twice.
// It returns how many it rotated; erased roots are left.
func (c *Client) RotateRoots(ctx context.Context, before time.Time, done func(KeyringInfo)) (int, error) {
	n := 0
	err := c.walk(ctx, keystore.Filter{Purpose: purposeRoot}, func(rec *keystore.Record) error {
		if rec.State != keystore.Active || !rec.Updated.Before(before) {
			return nil
		}
		info, err := c.Rotate(ctx, Scope{Tenant: rec.Tenant, Root: true})
		if err != nil {
			return err
		}
		n++
		if done != nil {
			done(info)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		at := before.UTC().Format(time.RFC3339Nano)
		return n, &fault.Error{
			Kind: fault.Stopped,
			Msg:  fmt.Sprintf("crypto: stopped after %d roots: %v", n, err),
			Hint: "privet keys rotate --all-roots --before " + at + " does the rest",
			Err:  err,
		}
	}
	return n, err
}
