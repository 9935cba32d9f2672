package crypto

import (
	"context"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/internal/fault"
)

// Disable makes keys of a keyring unusable without destroying them: ciphertexts
// under them answer [ErrDecrypt] from then on, and [Client.Enable] brings them back.
// The primary key is refused: rotate first. It takes effect in this process at once,
// in others within their cache's life.
//
// A disabled key of a root makes the keyrings under it unreadable: disable one after
// [Client.Rewrap], to see that nothing needs it before it is taken out.
func (c *Client) Disable(ctx context.Context, s Scope, keys ...KeyID) (KeyringInfo, error) {
	return c.change(ctx, s, "crypto.keyring.disable", func(h *keyset.Handle) (*keyset.Handle, []KeyID, error) {
		if err := has(s, h, keys); err != nil {
			return nil, nil, err
		}
		return disable(s, h, keys)
	})
}

// DisableOlder disables all keys that were added before the given one, the minimum
// version for decryption: after it, ciphertexts are opened under that key and newer
// ones only. What is said of [Client.Disable] holds.
func (c *Client) DisableOlder(ctx context.Context, s Scope, than KeyID) (KeyringInfo, error) {
	return c.change(ctx, s, "crypto.keyring.disable", func(h *keyset.Handle) (*keyset.Handle, []KeyID, error) {
		if err := has(s, h, []KeyID{than}); err != nil {
			return nil, nil, err
		}
		var older []KeyID
		for _, k := range keysOf(h) {
			if k.ID == than {
				break
			}
			older = append(older, k.ID)
		}
		return disable(s, h, older)
	})
}

// disable returns h with keys disabled, or nil where they are.
func disable(s Scope, h *keyset.Handle, keys []KeyID) (*keyset.Handle, []KeyID, error) {
	m := keyset.NewManagerFromHandle(h)
	var changed []KeyID
	for _, k := range keysOf(h) {
		switch {
		case !slices.Contains(keys, k.ID) || !k.Enabled:
			continue
		case k.Primary:
			return nil, nil, &fault.Error{
				Kind: fault.Guard,
				Msg:  fmt.Sprintf("crypto: key %s is the primary key of %s, and cannot be disabled", k.ID, s),
				Hint: "rotate the keyring first; new values are then encrypted under another key",
				Err:  ErrFixed,
			}
		}
		if err := m.Disable(uint32(k.ID)); err != nil {
			return nil, nil, fmt.Errorf("crypto: disabling key %s: %w", k.ID, err)
		}
		changed = append(changed, k.ID)
	}
	return edited(m, changed)
}

// Enable brings disabled keys back.
func (c *Client) Enable(ctx context.Context, s Scope, keys ...KeyID) (KeyringInfo, error) {
	return c.change(ctx, s, "crypto.keyring.enable", func(h *keyset.Handle) (*keyset.Handle, []KeyID, error) {
		if err := has(s, h, keys); err != nil {
			return nil, nil, err
		}
		m := keyset.NewManagerFromHandle(h)
		var changed []KeyID
		for _, k := range keysOf(h) {
			if !slices.Contains(keys, k.ID) || k.Enabled {
				continue
			}
			if err := m.Enable(uint32(k.ID)); err != nil {
				return nil, nil, fmt.Errorf("crypto: enabling key %s: %w", k.ID, err)
			}
			changed = append(changed, k.ID)
		}
		return edited(m, changed)
	})
}

// has returns an error unless every one of keys is in h.
func has(s Scope, h *keyset.Handle, keys []KeyID) error {
	if len(keys) == 0 {
		return fault.New(fault.Config, "crypto: no key of %s is named", s).WithHint("'privet keys list --keys' prints their ids")
	}
	for _, id := range keys {
		if !slices.ContainsFunc(keysOf(h), func(k KeyInfo) bool { return k.ID == id }) {
			return &fault.Error{
				Kind: fault.Data,
				Msg:  fmt.Sprintf("crypto: keyring %s has no key %s", s, id),
				Hint: "'privet keys list --keys' prints their ids",
				Err:  ErrKeyring,
			}
		}
	}
	return nil
}

// edited returns what m has made, or nil where nothing was changed.
func edited(m *keyset.Manager, changed []KeyID) (*keyset.Handle, []KeyID, error) {
	if len(changed) == 0 {
		return nil, nil, nil
	}
	h, err := m.Handle()
	return h, changed, err
}
