package crypto_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/daead"
	siv "github.com/tink-crypto/tink-go/v2/daead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
)

// unenforced skips a test of what is not approved where FIPS 140 is enforced.
func unenforced(t testing.TB) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("AES-SIV is not approved")
	}
}

func deterministic(t testing.TB, c *crypto.Client, cfg crypto.DeterministicConfig) *crypto.Deterministic {
	t.Helper()
	d, err := c.Deterministic(t.Context(), cfg)
	require.NoError(t, err)
	return d
}

var orderRef = crypto.DeterministicConfig{Tenant: "acme", Field: "order.ref"}

func TestDeterministicRefusedUnderFIPS(t *testing.T) {
	if !fips140.Enforced() {
		t.Skip("FIPS 140 is not enforced; run with GODEBUG=fips140=only")
	}
	_, err := newClient(t).Deterministic(t.Context(), orderRef)
	require.ErrorIs(t, err, crypto.ErrFIPS)
}

func TestDeterministicRoundTrip(t *testing.T) {
	unenforced(t)
	w := newWorld(t)
	here, there := deterministic(t, w.client(t), orderRef), deterministic(t, w.client(t), orderRef)
	other := deterministic(t, w.client(t), crypto.DeterministicConfig{Tenant: "acme", Field: "order.other", Domain: "deterministic/order.ref"})
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		a := rapid.SliceOf(rapid.Byte()).Draw(t, "a")
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "b")
		ca, err := here.Encrypt(ctx, a)
		require.NoError(t, err)
		require.Len(t, ca, len(a)+crypto.DeterministicOverhead)
		cb, err := there.Encrypt(ctx, b)
		require.NoError(t, err)
		require.Equal(t, bytes.Equal(a, b), bytes.Equal(ca, cb))
		got, err := there.Decrypt(ctx, ca)
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, got))
		values, err := there.Values(ctx, a)
		require.NoError(t, err)
		require.Equal(t, [][]byte{ca}, values)

		elsewhere, err := other.Encrypt(ctx, a)
		require.NoError(t, err)
		require.NotEqual(t, ca, elsewhere, "equal in two fields")
		_, err = other.Decrypt(ctx, ca)
		require.ErrorIs(t, err, crypto.ErrDecrypt)
	})
}

func TestDeterministicRefusesWhatWasChanged(t *testing.T) {
	unenforced(t)
	d := deterministic(t, newClient(t), orderRef)
	good, err := d.Encrypt(t.Context(), []byte("A-4711 and more than a block"))
	require.NoError(t, err)
	stale, err := d.Stale(t.Context(), good)
	require.NoError(t, err)
	require.False(t, stale)
	for n := range good {
		_, err := d.Decrypt(t.Context(), good[:n])
		require.ErrorIs(t, err, crypto.ErrDecrypt, "cut to %d", n)
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[n] ^= 1 << bit
			_, err := d.Decrypt(t.Context(), bad)
			require.ErrorIs(t, err, crypto.ErrDecrypt, "byte %d, bit %d", n, bit)
			require.Equal(t, crypto.ErrDecrypt, err, "one opaque error")
		}
	}
	_, err = d.Stale(t.Context(), []byte("short"))
	require.ErrorIs(t, err, crypto.ErrDecrypt)
}

func TestDeterministicRefusesConfigs(t *testing.T) {
	unenforced(t)
	c := newClient(t)
	for _, cfg := range []crypto.DeterministicConfig{
		{Field: "f"}, {Tenant: "acme"}, {Tenant: "acme", Field: "a b"}, {Tenant: "acme", Field: "f", Domain: "privet/x"},
	} {
		_, err := c.Deterministic(t.Context(), cfg)
		require.ErrorIs(t, err, crypto.ErrContext, "%+v", cfg)
	}
}

// Both directions, with the associated data that is documented.
func TestTinkOpensDeterministic(t *testing.T) {
	unenforced(t)
	d := deterministic(t, newClient(t), orderRef)
	h, err := d.InsecureExport(t.Context())
	require.NoError(t, err)
	require.Equal(t, "type.googleapis.com/google.crypto.tink.AesSivKey", h.KeysetInfo().GetKeyInfo()[0].GetTypeUrl())
	plain, err := daead.New(h)
	require.NoError(t, err)
	ad := valueAD(crypto.Context{Tenant: "acme", Field: "order.ref"})
	for n := range 100 {
		value := bytes.Repeat([]byte{byte(n)}, n)
		ours, err := d.Encrypt(t.Context(), value)
		require.NoError(t, err)
		theirs, err := plain.EncryptDeterministically(value, ad)
		require.NoError(t, err)
		require.Equal(t, theirs, ours, "%d bytes", n)
		got, err := plain.DecryptDeterministically(ours, ad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, got))
		got, err = d.Decrypt(t.Context(), theirs)
		require.NoError(t, err)
		require.True(t, bytes.Equal(value, got))
	}
}

// The key is a subkey of the domain keyset, and its id the domain key's, as documented.
func TestDeterministicKeyIsASubkey(t *testing.T) {
	unenforced(t)
	w := newWorld(t)
	c := w.client(t)
	d := deterministic(t, c, orderRef)
	ours, err := d.Encrypt(t.Context(), []byte("A-4711"))
	require.NoError(t, err)
	key, err := c.Subkey(t.Context(), "acme", "deterministic/order.ref", "aes_siv/1", 64)
	require.NoError(t, err)
	raw, err := siv.NewAESSIV(key)
	require.NoError(t, err)
	want, err := raw.EncryptDeterministically([]byte("A-4711"), valueAD(crypto.Context{Tenant: "acme", Field: "order.ref"}))
	require.NoError(t, err)
	require.Equal(t, want, ours[5:])
	h, err := c.InsecureExportDomain(t.Context(), "acme", "deterministic/order.ref")
	require.NoError(t, err)
	require.Equal(t, h.KeysetInfo().GetPrimaryKeyId(), binary.BigEndian.Uint32(ours[1:5]))
}

// A rotation leaves old ciphertexts readable and marks them; another process that has
// not noticed yet reads the new ones.
func TestDeterministicRotates(t *testing.T) {
	unenforced(t)
	w := newWorld(t)
	c := w.client(t)
	d, late := deterministic(t, c, orderRef), deterministic(t, w.client(t), orderRef)
	before, err := d.Encrypt(t.Context(), []byte("A-4711"))
	require.NoError(t, err)
	scope := crypto.Scope{Tenant: "acme", Domain: "deterministic/order.ref"}
	_, err = c.Rotate(t.Context(), scope)
	require.NoError(t, err)

	after, err := d.Encrypt(t.Context(), []byte("A-4711"))
	require.NoError(t, err)
	require.NotEqual(t, before, after)
	values, err := d.Values(t.Context(), []byte("A-4711"))
	require.NoError(t, err)
	require.Equal(t, [][]byte{after, before}, values)
	for _, ciphertext := range values {
		for _, d := range []*crypto.Deterministic{d, late} {
			got, err := d.Decrypt(t.Context(), ciphertext)
			require.NoError(t, err)
			require.Equal(t, "A-4711", string(got))
		}
	}
	for i, ciphertext := range values {
		stale, err := d.Stale(t.Context(), ciphertext)
		require.NoError(t, err)
		require.Equal(t, i == 1, stale)
	}
	h, err := d.InsecureExport(t.Context())
	require.NoError(t, err)
	plain, err := daead.New(h)
	require.NoError(t, err)
	for _, ciphertext := range values {
		_, err := plain.DecryptDeterministically(ciphertext, valueAD(crypto.Context{Tenant: "acme", Field: "order.ref"}))
		require.NoError(t, err)
	}

	old := crypto.KeyID(binary.BigEndian.Uint32(before[1:5]))
	_, err = c.Disable(t.Context(), scope, old)
	require.NoError(t, err)
	for range 50 {
		_, err = d.Decrypt(t.Context(), before)
		require.ErrorIs(t, err, crypto.ErrDecrypt)
	}
	values, err = d.Values(t.Context(), []byte("A-4711"))
	require.NoError(t, err)
	require.Equal(t, [][]byte{after}, values)
}

func TestDeterministicExportIsRecorded(t *testing.T) {
	unenforced(t)
	w := newWorld(t)
	d := deterministic(t, w.client(t), orderRef)
	_, err := d.InsecureExport(t.Context())
	require.NoError(t, err)
	last := w.events.events[len(w.events.events)-1]
	require.Equal(t, "crypto.keyring.export", last.Action)
	require.Contains(t, last.Object, "deterministic/order.ref")
	w.events.fail = context.DeadlineExceeded
	var h *keyset.Handle
	h, err = d.InsecureExport(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Nil(t, h)
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// Wycheproof's vectors for keys of 512 bits, through the primitive that is used here.
func TestWycheproofAESSIV(t *testing.T) {
	unenforced(t)
	data, err := fs.ReadFile(wycheproof.TestVectors, "aes_siv_cmac_test.json")
	require.NoError(t, err)
	var suite struct {
		TestGroups []struct {
			KeySize int
			Tests   []struct {
				TcID                      int
				Key, Aad, Msg, Ct, Result string
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &suite))
	ran := 0
	for _, g := range suite.TestGroups {
		if g.KeySize != 512 {
			continue
		}
		for _, tt := range g.Tests {
			raw, err := siv.NewAESSIV(fromHex(t, tt.Key))
			require.NoError(t, err)
			got, err := raw.DecryptDeterministically(fromHex(t, tt.Ct), fromHex(t, tt.Aad))
			ran++
			if tt.Result == "invalid" {
				require.Error(t, err, "vector %d", tt.TcID)
				continue
			}
			require.NoError(t, err, "vector %d", tt.TcID)
			require.Equal(t, tt.Msg, hex.EncodeToString(got), "vector %d", tt.TcID)
			sealed, err := raw.EncryptDeterministically(fromHex(t, tt.Msg), fromHex(t, tt.Aad))
			require.NoError(t, err)
			require.Equal(t, tt.Ct, hex.EncodeToString(sealed), "vector %d", tt.TcID)
		}
	}
	require.Greater(t, ran, 100)
}

func FuzzDeterministicDecrypt(f *testing.F) {
	if fips140.Enforced() {
		f.Skip("AES-SIV is not approved")
	}
	c := newClient(f)
	d := deterministic(f, c, orderRef)
	good, err := d.Encrypt(f.Context(), []byte("A-4711"))
	require.NoError(f, err)
	f.Add(good)
	f.Add(good[:20])
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		got, err := d.Decrypt(t.Context(), ciphertext)
		if errors.Is(err, kms.ErrUnavailable) {
			return // too many unknown key ids a second
		}
		if err != nil {
			require.Equal(t, crypto.ErrDecrypt, err)
			return
		}
		again, err := d.Encrypt(t.Context(), got)
		require.NoError(t, err)
		require.Equal(t, ciphertext, again)
	})
}
