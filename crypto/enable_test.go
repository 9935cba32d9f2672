package crypto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

func TestDisabledKeysOpenNothingUntilEnabled(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		s := crypto.Scope{Tenant: "acme", Subject: "1"}
		at := crypto.Context{Tenant: "acme", Subject: "1", Field: "f"}
		var cts [][]byte
		var info crypto.KeyringInfo
		for i := range 3 {
			ct, err := c.Encrypt(t.Context(), []byte("x"), at)
			require.NoError(t, err)
			cts = append(cts, ct)
			if i < 2 {
				info, err = c.Rotate(t.Context(), s)
				require.NoError(t, err)
			}
		}
		opens := func(want ...bool) {
			t.Helper()
			for _, c := range []*crypto.Client{c, w.client(t)} {
				for i, ct := range cts {
					_, err := c.Decrypt(t.Context(), ct, at)
					if want[i] {
						require.NoError(t, err, "key %d", i)
					} else {
						require.ErrorIs(t, err, crypto.ErrDecrypt, "key %d", i)
					}
				}
			}
		}
		opens(true, true, true)
		_, err := c.Disable(t.Context(), s, info.Keys[1].ID)
		require.NoError(t, err)
		opens(true, false, true)
		after, err := c.Disable(t.Context(), s, info.Keys[1].ID)
		require.NoError(t, err, "it is disabled already")
		_, err = c.Enable(t.Context(), s, info.Keys[1].ID)
		require.NoError(t, err)
		opens(true, true, true)
		_, err = c.DisableOlder(t.Context(), s, info.Keys[2].ID)
		require.NoError(t, err)
		opens(false, false, true)
		_, err = c.Enable(t.Context(), s, info.Keys[0].ID, info.Keys[1].ID)
		require.NoError(t, err)
		opens(true, true, true)
		require.False(t, after.Keys[1].Enabled)
	})
}

func TestDisableRefuses(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	values := seal(t, c, "acme")
	info := rotateRoot(t, c, "acme")
	root := crypto.Scope{Tenant: "acme", Root: true}
	before := w.all(t)

	_, err := c.Disable(t.Context(), root, info.Keys[0].ID, info.Keys[1].ID)
	require.ErrorIs(t, err, crypto.ErrFixed, "the primary key")
	require.Equal(t, fault.Guard, fault.KindOf(err))
	_, err = c.Disable(t.Context(), root, info.Keys[0].ID^1)
	require.ErrorIs(t, err, crypto.ErrKeyring, "a key that is not there")
	_, err = c.Enable(t.Context(), root, info.Keys[0].ID^1)
	require.ErrorIs(t, err, crypto.ErrKeyring)
	_, err = c.DisableOlder(t.Context(), root, info.Keys[0].ID^1)
	require.ErrorIs(t, err, crypto.ErrKeyring)
	_, err = c.Disable(t.Context(), root)
	require.Equal(t, fault.Config, fault.KindOf(err), "no key at all")
	require.Equal(t, before, w.all(t))
	readable(t, c, values)
}

func TestParseKeyID(t *testing.T) {
	for _, s := range []string{"0000beef", "beef", "0xBEEF"} {
		id, err := crypto.ParseKeyID(s)
		require.NoError(t, err)
		require.Equal(t, crypto.KeyID(0xbeef), id)
	}
	for _, s := range []string{"", "0x", "xyz", "123456789", "-1", "0x0x1"} {
		_, err := crypto.ParseKeyID(s)
		require.Equal(t, fault.Config, fault.KindOf(err), "%q", s)
	}
}

func FuzzParseKeyID(f *testing.F) {
	for _, s := range []string{"0000beef", "0xBEEF", "", "0x", "123456789", "+1", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := crypto.ParseKeyID(s)
		if err != nil {
			return
		}
		again, err := crypto.ParseKeyID(id.String())
		require.NoError(t, err)
		require.Equal(t, id, again)
		require.Len(t, id.String(), 8)
	})
}
