package crypto_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

func TestStatusCounts(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		seal(t, c, "acme", "globex")
		id, err := crypto.SubjectID(t.Context(), c, "acme", "1")
		require.NoError(t, err)
		rec := w.get(t, id)
		rec.State, rec.Wrapped = keystore.Erased, nil
		require.NoError(t, w.store.Update(t.Context(), rec))
		info := rotateRoot(t, c, "globex")
		_, err = c.Encrypt(t.Context(), []byte("x"), crypto.Context{Tenant: "globex", Subject: "new", Field: "f"})
		require.NoError(t, err)

		var tenants []crypto.TenantStatus
		s, err := c.Status(t.Context(), crypto.StatusOptions{Verify: true, Each: func(s crypto.TenantStatus) error {
			tenants = append(tenants, s)
			return nil
		}})
		require.NoError(t, err)
		require.Equal(t, map[string]crypto.Count{
			"root": {Active: 2}, "value": {Active: 2, Stale: 1},
			"subject": {Active: 6, Erased: 1, Stale: 3}, "domain": {Active: 4, Stale: 2},
		}, s.Keyrings)
		require.Equal(t, int64(2), s.Tenants)
		require.Equal(t, int64(6), s.Stale())
		require.Equal(t, int64(1), s.OldRootKeys)
		require.Equal(t, []crypto.KEKStatus{{URI: w.kek.URI(), Roots: 2, Current: true}}, s.KEKs)
		require.Len(t, tenants, 2)
		require.Equal(t, "globex", tenants[1].Tenant)
		require.Equal(t, []crypto.RootKeyStatus{{KeyInfo: info.Keys[0], Keyrings: 6}, {KeyInfo: info.Keys[1], Keyrings: 1}}, tenants[1].RootKeys)

		one, err := c.Status(t.Context(), crypto.StatusOptions{Tenant: "acme"})
		require.NoError(t, err)
		require.Equal(t, int64(1), one.Tenants)
		require.Zero(t, one.Stale())
		require.Contains(t, one.OldBackups.Left[0], "one tenant")
	})
}

func TestStatusOfNothing(t *testing.T) {
	s, err := newWorld(t).client(t).Status(t.Context(), crypto.StatusOptions{})
	require.NoError(t, err)
	require.Zero(t, s.Tenants)
	require.False(t, s.OldBackups.Harmless)
}

// A root that the key service refuses is reported; a service that is away is an
// error, because a status that could not be had is none.
func TestStatusToldFromNoAnswer(t *testing.T) {
	w := newWorld(t)
	seal(t, w.client(t), "acme")
	fail := fmt.Errorf("disabled: %w", kms.ErrDenied)
	w.kek.fail.Store(&fail)
	s, err := w.client(t).Status(t.Context(), crypto.StatusOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(7), s.Unreadable())
	require.Len(t, s.Problems, 1)
	fail = fmt.Errorf("throttled: %w", kms.ErrUnavailable)
	_, err = w.client(t).Status(t.Context(), crypto.StatusOptions{})
	require.ErrorIs(t, err, kms.ErrUnavailable)
}

func TestListPagesThroughEverything(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme")
		// More than a page of tombstones, which need no keys.
		for i := range keystore.MaxPage + 5 {
			require.NoError(t, w.store.Create(t.Context(), keystore.Record{
				ID: keystore.ID{Tenant: "big", Purpose: "subject", Subject: fmt.Sprintf("%032d", i)}, State: keystore.Erased,
			}))
		}
		n, last := 0, ""
		err := c.List(t.Context(), crypto.ListOptions{}, func(i crypto.KeyringInfo) error {
			n++
			key := i.Tenant + "\x00" + i.Purpose + "\x00" + i.Subject
			require.Greater(t, key, last)
			last = key
			require.Nil(t, i.Keys)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, 7+keystore.MaxPage+5, n)
		s, err := c.Status(t.Context(), crypto.StatusOptions{})
		require.NoError(t, err)
		require.Equal(t, int64(keystore.MaxPage+5), s.Keyrings["subject"].Erased)
		require.Equal(t, int64(keystore.MaxPage+5), rewrap(t, c, crypto.RewrapOptions{}).Erased)

		stop := errors.New("enough")
		require.ErrorIs(t, c.List(t.Context(), crypto.ListOptions{}, func(crypto.KeyringInfo) error { return stop }), stop)
		var keys []crypto.KeyringInfo
		require.NoError(t, c.List(t.Context(), crypto.ListOptions{Tenant: "acme", Purpose: "value", Keys: true}, func(i crypto.KeyringInfo) error {
			keys = append(keys, i)
			return nil
		}))
		require.Len(t, keys, 1)
		require.Equal(t, "XAES-256-GCM", keys[0].Keys[0].Algorithm)
		require.Equal(t, keys[0].Keys[0].ID.String(), fmt.Sprintf("%x", values[0].ciphertext[1:5]))
	})
}

// What these operations print, their errors included, holds no subject's id.
func TestInfosHoldNoSubject(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	const secret = "jane@acme.example"
	at := crypto.Context{Tenant: "acme", Subject: secret, Field: "f"}
	_, err := c.Encrypt(t.Context(), []byte("x"), at)
	require.NoError(t, err)
	info, err := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: secret})
	require.NoError(t, err)
	_, refused := c.Disable(t.Context(), crypto.Scope{Tenant: "acme", Subject: secret}, info.Keys[1].ID)
	_, missing := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: secret + "2"})
	s, err := c.Status(t.Context(), crypto.StatusOptions{})
	require.NoError(t, err)
	for _, v := range []any{info, s, w.events.events, refused.Error(), missing.Error(), crypto.Scope{Tenant: "acme", Subject: secret}.String()} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, strings.ToLower(string(text)), "jane")
	}
}
