package crypto

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
)

// drawKeyset makes keysets of all kinds, those that keyrings refuse included.
func drawKeyset(t *rapid.T) *keyset.Handle {
	m := keyset.NewManager()
	var ids []uint32
	for range rapid.IntRange(1, 5).Draw(t, "keys") {
		var p key.Parameters
		var err error
		if rapid.Bool().Draw(t, "XAES") {
			variant := rapid.SampledFrom([]xaesgcm.Variant{xaesgcm.VariantTink, xaesgcm.VariantTink, xaesgcm.VariantTink, xaesgcm.VariantNoPrefix}).Draw(t, "variant")
			p, err = xaesgcm.NewParameters(variant, rapid.IntRange(8, 12).Draw(t, "salt"))
		} else {
			variant := rapid.SampledFrom([]aesgcm.Variant{aesgcm.VariantTink, aesgcm.VariantTink, aesgcm.VariantTink, aesgcm.VariantCrunchy, aesgcm.VariantNoPrefix}).Draw(t, "variant")
			size := rapid.SampledFrom([]int{32, 32, 32, 16}).Draw(t, "size")
			p, err = aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: size, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: variant})
		}
		require.NoError(t, err)
		id, err := m.AddNewKeyFromParameters(p)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	primary := rapid.SampledFrom(ids).Draw(t, "primary")
	require.NoError(t, m.SetPrimary(primary))
	for _, id := range ids {
		if id != primary && rapid.IntRange(0, 3).Draw(t, "disable") == 0 {
			require.NoError(t, m.Disable(id))
		}
	}
	h, err := m.Handle()
	require.NoError(t, err)
	return h
}

func clearBytes(t require.TestingT, h *keyset.Handle) []byte {
	var b bytes.Buffer
	require.NoError(t, insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)))
	return b.Bytes()
}

// byTink is the reference: Tink's reader, then newKeyring.
func byTink(b []byte) (*keyring, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)))
	if err != nil {
		return nil, err
	}
	return newKeyring(h)
}

// requireSameRing requires that two keyrings hold the same keys: each opens what the
// other seals.
func requireSameRing(t require.TestingT, want, got *keyring) {
	require.Equal(t, want.primary.id, got.primary.id)
	require.Equal(t, want.disabled, got.disabled)
	require.Len(t, got.keys, len(want.keys))
	for i, k := range want.keys {
		g := got.keys[i]
		require.Equal(t, []any{k.id, k.saltSize, k == want.primary}, []any{g.id, g.saltSize, g == got.primary})
		sealed, err := k.seal(nil, []byte("x"), []byte("ad"))
		require.NoError(t, err)
		opened, err := got.open(nil, sealed, []byte("ad"))
		require.NoError(t, err)
		require.Equal(t, "x", string(opened))
	}
}

// What Tink writes and keyrings accept is read without Tink, and to the same keys;
// what keyrings refuse is left to Tink.
func TestQuickReaderAgainstTink(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := clearBytes(t, drawKeyset(t))
		want, err := byTink(b)
		got := parseKeyset(b)
		require.Equal(t, err == nil, got != nil, "%v", err)
		if got != nil {
			requireSameRing(t, want, got)
		}
	})
}

// Whatever the quick reader accepts, Tink reads to the same keys.
func FuzzQuickReader(f *testing.F) {
	m := keyset.NewManager()
	for _, a := range []Algorithm{XAES256GCM, AES256GCM, XAES256GCM} {
		p, err := a.parameters()
		require.NoError(f, err)
		id, err := m.AddNewKeyFromParameters(p)
		require.NoError(f, err)
		require.NoError(f, m.SetPrimary(id))
	}
	h, err := m.Handle()
	require.NoError(f, err)
	whole := clearBytes(f, h)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		got := parseKeyset(b)
		if got == nil {
			return
		}
		want, err := byTink(b)
		require.NoError(t, err)
		requireSameRing(t, want, got)
	})
}

// Every flipped bit and truncation of a wrapped keyring is left to Tink's reader,
// which refuses it.
func TestQuickReaderRefusesWhatWasChanged(t *testing.T) {
	c, err := New(t.Context(), Config{KEK: plainKEK{}, Keystore: memstore.New()})
	require.NoError(t, err)
	defer c.Close()
	root, err := c.root(t.Context(), "acme", create)
	require.NoError(t, err)
	_, err = c.Encrypt(t.Context(), nil, Context{Tenant: "acme", Field: "f"})
	require.NoError(t, err)
	good := record(t, c, keystore.ID{Tenant: "acme", Purpose: purposeValue})
	require.NotNil(t, quickRing(root, good))
	for i := range good.Wrapped {
		changed := *good
		changed.Wrapped = good.Wrapped[:i]
		require.Nil(t, quickRing(root, &changed))
		changed.Wrapped = bytes.Clone(good.Wrapped)
		for bit := range 8 {
			changed.Wrapped[i] = good.Wrapped[i] ^ 1<<bit
			require.Nil(t, quickRing(root, &changed), "bit %d of byte %d", bit, i)
		}
	}
	for _, spoil := range []func(*keystore.Record){
		func(r *keystore.Record) { r.Tenant = "other" },
		func(r *keystore.Record) { r.Purpose = purposeSubject },
		func(r *keystore.Record) { r.Subject = "x" },
		func(r *keystore.Record) { r.Parent++ },
	} {
		changed := *good
		spoil(&changed)
		require.Nil(t, quickRing(root, &changed))
	}
}

func record(t *testing.T, c *Client, id keystore.ID) *keystore.Record {
	t.Helper()
	rec, err := c.fetch(context.Background(), id)
	require.NoError(t, err)
	return rec
}

func BenchmarkReadKeyring(b *testing.B) {
	c, err := New(b.Context(), Config{KEK: plainKEK{}, Keystore: memstore.New()})
	require.NoError(b, err)
	defer c.Close()
	_, err = c.Encrypt(b.Context(), nil, Context{Tenant: "acme", Field: "f"})
	require.NoError(b, err)
	root, err := c.root(b.Context(), "acme", read)
	require.NoError(b, err)
	rec, err := c.fetch(b.Context(), keystore.ID{Tenant: "acme", Purpose: purposeValue})
	require.NoError(b, err)
	b.Run("Tink", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h, err := root.unwrapKeyset(rec)
			if err == nil {
				_, err = newKeyring(h)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("quick", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if quickRing(root, rec) == nil {
				b.Fatal("refused")
			}
		}
	})
}
