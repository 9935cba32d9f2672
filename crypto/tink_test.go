package crypto_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
)

// Associated data as the contract writes it, spelled out apart from the package's
// own code.
func lp(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func valueAD(at crypto.Context) []byte {
	return []byte("privet/1" + lp(at.Tenant) + lp(at.Subject) + lp(at.Field))
}

// tinkAEAD is a keyset as plain Tink uses it, which FIPS mode would not let run.
type tinkAEAD struct{ aead tink.AEAD }

func newTinkAEAD(t testing.TB, h *keyset.Handle) (a tinkAEAD) {
	t.Helper()
	fips140.WithoutEnforcement(func() {
		var err error
		a.aead, err = aead.New(h)
		require.NoError(t, err)
	})
	return a
}

func (a tinkAEAD) Encrypt(plaintext, ad []byte) (out []byte, err error) {
	fips140.WithoutEnforcement(func() { out, err = a.aead.Encrypt(plaintext, ad) })
	return out, err
}

func (a tinkAEAD) Decrypt(ciphertext, ad []byte) (out []byte, err error) {
	fips140.WithoutEnforcement(func() { out, err = a.aead.Decrypt(ciphertext, ad) })
	return out, err
}

// exported returns the keyring of at as plain Tink sees it.
func exported(t testing.TB, c *crypto.Client, at crypto.Context) tinkAEAD {
	t.Helper()
	h, err := c.InsecureExportKeyring(t.Context(), at.Tenant, at.Subject)
	require.NoError(t, err)
	return newTinkAEAD(t, h)
}

var contexts = []crypto.Context{
	{Tenant: "acme", Field: "customer.email"},
	{Tenant: "acme", Subject: "4711", Field: "customer.email"},
	{Tenant: "ünïcode", Subject: "a subject with \x00 in it", Field: "f"},
}

func TestTinkOpensOurs(t *testing.T) {
	for _, algorithm := range []crypto.Algorithm{crypto.XAES256GCM, crypto.AES256GCM} {
		w := newWorld(t)
		w.config.NewKeys = algorithm
		c := w.client(t)
		for _, at := range contexts {
			var ciphertexts [][]byte
			for i := range 300 {
				ciphertext, err := c.Encrypt(t.Context(), bytes.Repeat([]byte{byte(i)}, i), at)
				require.NoError(t, err)
				ciphertexts = append(ciphertexts, ciphertext)
			}
			plain := exported(t, c, at)
			for i, ciphertext := range ciphertexts {
				got, err := plain.Decrypt(ciphertext, valueAD(at))
				require.NoError(t, err, "%v, %d bytes", algorithm, i)
				require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(i)}, i), got))
			}
			_, err := plain.Decrypt(ciphertexts[0], nil)
			require.Error(t, err)
		}
	}
}

func TestWeOpenTinks(t *testing.T) {
	for _, algorithm := range []crypto.Algorithm{crypto.XAES256GCM, crypto.AES256GCM} {
		w := newWorld(t)
		w.config.NewKeys = algorithm
		c := w.client(t)
		for _, at := range contexts {
			_, err := c.Encrypt(t.Context(), nil, at) // makes the keyring
			require.NoError(t, err)
			plain := exported(t, c, at)
			for i := range 300 {
				ciphertext, err := plain.Encrypt(bytes.Repeat([]byte{byte(i)}, i), valueAD(at))
				require.NoError(t, err)
				got, err := c.Decrypt(t.Context(), ciphertext, at)
				require.NoError(t, err, "%v, %d bytes", algorithm, i)
				require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(i)}, i), got))
			}
		}
	}
}

// newKeyset returns a keyset with one key of each parameters, the first primary.
func newKeyset(t testing.TB, parameters ...key.Parameters) *keyset.Handle {
	t.Helper()
	m := keyset.NewManager()
	for i, p := range parameters {
		id, err := m.AddNewKeyFromParameters(p)
		require.NoError(t, err)
		if i == 0 {
			require.NoError(t, m.SetPrimary(id))
		}
	}
	h, err := m.Handle()
	require.NoError(t, err)
	return h
}

func xaesParameters(t testing.TB, variant xaesgcm.Variant, salt int) key.Parameters {
	t.Helper()
	p, err := xaesgcm.NewParameters(variant, salt)
	require.NoError(t, err)
	return p
}

func gcmParameters(t testing.TB, variant aesgcm.Variant, size int) key.Parameters {
	t.Helper()
	p, err := aesgcm.NewParameters(aesgcm.ParametersOpts{KeySizeInBytes: size, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: variant})
	require.NoError(t, err)
	return p
}

var valueID = keystore.ID{Tenant: "acme", Purpose: "value"}

// A keyring that Tink made, with keys of every accepted kind, is used like our own:
// each key opens what it sealed, and the primary seals.
func TestMixedKeyring(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	h := newKeyset(t, xaesParameters(t, xaesgcm.VariantTink, 8), xaesParameters(t, xaesgcm.VariantTink, 12),
		xaesParameters(t, xaesgcm.VariantTink, 10), gcmParameters(t, aesgcm.VariantTink, 32))
	at := contexts[0]
	for i := range h.Len() {
		e, err := h.Entry(i)
		require.NoError(t, err)
		m := keyset.NewManagerFromHandle(h)
		require.NoError(t, m.SetPrimary(e.KeyID()))
		h, err = m.Handle()
		require.NoError(t, err)
		require.NoError(t, crypto.PutKeyset(t.Context(), c, valueID, h))
		other := w.client(t)
		plain := newTinkAEAD(t, h)
		theirs, err := plain.Encrypt([]byte("x"), valueAD(at))
		require.NoError(t, err)
		got, err := other.Decrypt(t.Context(), theirs, at)
		require.NoError(t, err)
		require.Equal(t, "x", string(got))
		ours, err := other.Encrypt(t.Context(), []byte("y"), at)
		require.NoError(t, err)
		require.Equal(t, theirs[:5], ours[:5], "the primary key seals")
		require.Len(t, ours, len(theirs))
		got, err = plain.Decrypt(ours, valueAD(at))
		require.NoError(t, err)
		require.Equal(t, "y", string(got))
		stale, err := other.Stale(t.Context(), ours, at)
		require.NoError(t, err)
		require.False(t, stale)
		m = keyset.NewManagerFromHandle(h)
		id, err := m.AddNewKeyFromParameters(xaesParameters(t, xaesgcm.VariantTink, 12))
		require.NoError(t, err)
		require.NoError(t, m.SetPrimary(id))
		newer, err := m.Handle()
		require.NoError(t, err)
		require.NoError(t, crypto.PutKeyset(t.Context(), c, valueID, newer))
		stale, err = w.client(t).Stale(t.Context(), ours, at)
		require.NoError(t, err)
		require.True(t, stale, "there is a newer key")
	}
}

// A disabled key opens nothing; the others go on.
func TestDisabledKey(t *testing.T) {
	w := newWorld(t)
	h := newKeyset(t, xaesParameters(t, xaesgcm.VariantTink, 12), xaesParameters(t, xaesgcm.VariantTink, 12))
	c := w.client(t)
	require.NoError(t, crypto.PutKeyset(t.Context(), c, valueID, h))
	old, err := c.Encrypt(t.Context(), []byte("x"), contexts[0])
	require.NoError(t, err)
	first, err := h.Primary()
	require.NoError(t, err)
	second, err := h.Entry(1)
	require.NoError(t, err)
	m := keyset.NewManagerFromHandle(h)
	require.NoError(t, m.SetPrimary(second.KeyID()))
	require.NoError(t, m.Disable(first.KeyID()))
	h, err = m.Handle()
	require.NoError(t, err)
	require.NoError(t, crypto.PutKeyset(t.Context(), c, valueID, h))
	c = w.client(t)
	_, err = c.Decrypt(t.Context(), old, contexts[0])
	require.Equal(t, crypto.ErrDecrypt, err)
	_, err = c.Stale(t.Context(), old, contexts[0])
	require.Equal(t, crypto.ErrDecrypt, err)
	_, err = c.Encrypt(t.Context(), []byte("x"), contexts[0])
	require.NoError(t, err)
}

// Keys of any other kind are refused by name, whether primary or not.
func TestForeignKeysAreRefused(t *testing.T) {
	good := xaesParameters(t, xaesgcm.VariantTink, 12)
	for name, tc := range map[string]struct {
		bad  key.Parameters
		says string
	}{
		"XAES raw":        {xaesParameters(t, xaesgcm.VariantNoPrefix, 12), "without the TINK prefix"},
		"AES-GCM raw":     {gcmParameters(t, aesgcm.VariantNoPrefix, 32), "without the TINK prefix"},
		"AES-GCM crunchy": {gcmParameters(t, aesgcm.VariantCrunchy, 32), "without the TINK prefix"},
		"AES-128-GCM":     {gcmParameters(t, aesgcm.VariantTink, 16), "128 bits"},
	} {
		for position, h := range map[string]*keyset.Handle{"primary": newKeyset(t, tc.bad, good), "other": newKeyset(t, good, tc.bad)} {
			t.Run(name+", "+position, func(t *testing.T) {
				requireForeign(t, h, tc.says)
			})
		}
	}
	t.Run("ChaCha20-Poly1305", func(t *testing.T) {
		h, err := keyset.NewHandle(aead.ChaCha20Poly1305KeyTemplate())
		require.NoError(t, err)
		requireForeign(t, h, "chacha20poly1305")
	})
	t.Run("HMAC", func(t *testing.T) {
		h, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
		require.NoError(t, err)
		requireForeign(t, h, "hmac")
	})
}

func requireForeign(t *testing.T, h *keyset.Handle, says string) {
	t.Helper()
	c := newClient(t)
	require.NoError(t, crypto.PutKeyset(t.Context(), c, valueID, h))
	_, err := c.Encrypt(t.Context(), []byte("x"), contexts[0])
	require.ErrorIs(t, err, crypto.ErrKeyring)
	require.ErrorContains(t, err, says)
	require.ErrorContains(t, err, "only TINK-prefixed AES-256-GCM and XAES-256-GCM")
	_, err = c.Decrypt(t.Context(), make([]byte, 64), contexts[0])
	require.ErrorIs(t, err, crypto.ErrKeyring)
}

func TestForeignDomainsAreRefused(t *testing.T) {
	for name, template := range map[string]*tinkpb.KeyTemplate{
		"HMAC PRF": prf.HMACSHA256PRFKeyTemplate(), "AES-CMAC PRF": prf.AESCMACPRFKeyTemplate(), "AEAD": aead.AES256GCMKeyTemplate(),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := keyset.NewHandle(template)
			require.NoError(t, err)
			c := newClient(t)
			require.NoError(t, crypto.PutKeyset(t.Context(), c, keystore.ID{Tenant: "acme", Purpose: "domain/emails"}, h))
			_, err = c.Subkey(t.Context(), "acme", "emails", "mask", 32)
			require.ErrorIs(t, err, crypto.ErrKeyring)
			require.ErrorContains(t, err, "only HKDF-SHA-256 PRF keys")
		})
	}
}

func TestTinkPRFGivesOurSubkeys(t *testing.T) {
	c := newClient(t)
	for _, n := range []int{1, 16, 32, 64, 255} {
		ours, err := c.Subkey(t.Context(), "acme", "emails", "mask", n)
		require.NoError(t, err)
		require.Len(t, ours, n)
		h, err := c.InsecureExportDomain(t.Context(), "acme", "emails")
		require.NoError(t, err)
		var theirs []byte
		fips140.WithoutEnforcement(func() {
			set, err := prf.NewPRFSet(h)
			require.NoError(t, err)
			theirs, err = set.ComputePrimaryPRF([]byte(lp("acme")+lp("emails")+lp("mask")), uint32(n))
			require.NoError(t, err)
		})
		require.Equal(t, theirs, ours)
	}
}

// With the KEK alone, plain Tink reads a whole keystore: the root, then a keyring
// under it with the contract's associated data, then a value.
func TestTinkReadsOurKeystore(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	at := contexts[1]
	ciphertext, err := c.Encrypt(t.Context(), []byte("x"), at)
	require.NoError(t, err)

	stored := w.get(t, keystore.ID{Tenant: "acme", Purpose: "root"})
	require.Equal(t, w.kek.URI(), stored.KEK)
	encrypted, err := keyset.NewBinaryReader(bytes.NewReader(stored.Wrapped)).ReadEncrypted()
	require.NoError(t, err)
	clear, err := w.kek.Unwrap(t.Context(), encrypted.EncryptedKeyset, kms.RootContext("acme"))
	require.NoError(t, err)
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(clear)))
	require.NoError(t, err)
	root := newTinkAEAD(t, h)

	id, err := crypto.SubjectID(t.Context(), c, "acme", at.Subject)
	require.NoError(t, err)
	require.Len(t, id.Subject, 32)
	stored = w.get(t, id)
	require.Equal(t, h.KeysetInfo().PrimaryKeyId, stored.Parent)
	ad := []byte("privet/keyring/1" + lp("acme") + lp(id.Subject) + lp("subject"))
	ad = binary.BigEndian.AppendUint32(ad, stored.Parent)
	h, err = keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(stored.Wrapped)), root, ad)
	require.NoError(t, err)
	got, err := newTinkAEAD(t, h).Decrypt(ciphertext, valueAD(at))
	require.NoError(t, err)
	require.Equal(t, "x", string(got))
}

// An exported handle prints no key, and the export is recorded.
func TestExportIsRecorded(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	_, err := c.InsecureExportKeyring(t.Context(), "acme", "")
	require.ErrorIs(t, err, crypto.ErrKeyring)
	_, err = c.InsecureExportKeyring(t.Context(), "acme", "nobody")
	require.ErrorIs(t, err, crypto.ErrKeyring)
	_, err = c.Encrypt(t.Context(), nil, contexts[0])
	require.NoError(t, err)
	h, err := c.InsecureExportKeyring(t.Context(), "acme", "")
	require.NoError(t, err)
	last := w.events.events[len(w.events.events)-1]
	require.Equal(t, "crypto.keyring.export", last.Action)
	require.Equal(t, fmt.Sprintf("value/%08x", h.KeysetInfo().PrimaryKeyId), last.Object)
	w.events.fail = fmt.Errorf("the log is full")
	_, err = c.InsecureExportKeyring(t.Context(), "acme", "")
	require.ErrorContains(t, err, "the log is full")
}
