package envelope

import (
	"bytes"
	"crypto/fips140"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"

	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/privet-dev/privet/crypto"
)

func FuzzHeader(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 0, 0, 1, 7, 9})
	f.Add(encodeHeader([]entry{{wrapped: []byte("wrapped")}}))
	f.Add(append(encodeHeader([]entry{{mark: [4]byte{1}, wrapped: []byte("here")}, {mark: [4]byte{2}, wrapped: []byte("there")}}), "rest"...))
	f.Add([]byte("\xffpm\x01\x09"))
	f.Fuzz(func(t *testing.T, b []byte) {
		header, rest, err := splitHeader(b)
		if err != nil {
			require.True(t, err == crypto.ErrDecrypt)
			return
		}
		require.Equal(t, b, append(bytes.Clone(header), rest...))
		entries := decodeHeader(header)
		require.Equal(t, several(header), len(entries) > 1)
		require.LessOrEqual(t, len(entries), MaxKEKs)
		for _, e := range entries {
			require.NotEmpty(t, e.wrapped)
			require.LessOrEqual(t, len(e.wrapped), maxWrapped)
		}
		require.Equal(t, header, encodeHeader(entries), "one form each")
	})
}

const tinksEnvelope = "00000043013e77cdcd3ac4f38c7312f97a9b8c6e2b7b481ce3540006d24abb658938b52d6474c5fa56" +
	"9212c023e06229c0335f414244a32748778baed5e24a55b12b82920d1f06f17ef8a86eee808d2c9d2026fb45371cf60696eb7779052464" +
	"2c5f067a529793c251b068f8"

// What we take for a key, Tink takes for the same key.
func FuzzKeyProto(f *testing.F) {
	key := bytes.Repeat([]byte{7}, 32)
	f.Add(encodeKey(key))
	f.Add(encodeKey(key[:16]))
	f.Add(append([]byte{8, 0}, encodeKey(key)...))
	f.Add(append(encodeKey(key), 8, 0))
	f.Add(append([]byte{8, 1}, encodeKey(key)...))
	f.Add(append(encodeKey(key), encodeKey(key)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeKey(b)
		if err != nil {
			return
		}
		ours, err := newGCM(got)
		require.NoError(t, err)
		fips140.WithoutEnforcement(func() {
			p, err := registry.Primitive("type.googleapis.com/google.crypto.tink.AesGcmKey", b)
			require.NoError(t, err)
			plaintext, err := p.(tink.AEAD).Decrypt(ours.Seal(nil, nil, []byte("x"), nil), nil)
			require.NoError(t, err)
			require.Equal(t, "x", string(plaintext))
		})
	})
}

func TestKeyProto(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	for _, template := range []*tinkpb.KeyTemplate{aead.AES128GCMKeyTemplate(), aead.AES256GCMKeyTemplate()} {
		data, err := registry.NewKeyData(template)
		require.NoError(t, err)
		written := data.GetValue()
		key, err := decodeKey(written)
		require.NoError(t, err)
		require.Equal(t, written, encodeKey(key), "as Tink writes it")
		for _, b := range [][]byte{written, append([]byte{8, 0}, written...), append(bytes.Clone(written), 8, 0)} {
			got, err := decodeKey(b)
			require.NoError(t, err)
			require.Equal(t, key, got)
		}
		for i := range written {
			_, err := decodeKey(written[:i])
			require.Equal(t, errKeyProto, err)
		}
	}
	for name, b := range map[string][]byte{
		"empty":            {},
		"version alone":    {8, 0},
		"another version":  append([]byte{8, 1}, encodeKey(key)...),
		"version twice":    append([]byte{8, 0, 8, 0}, encodeKey(key)...),
		"a long varint":    append([]byte{8, 0x80, 0}, encodeKey(key)...),
		"192 bits":         encodeKey(key[:24]),
		"no bits":          {0x1a, 0},
		"two keys":         append(encodeKey(key), encodeKey(key)...),
		"an unknown field": append(encodeKey(key), 0x20, 1),
		"a trailing byte":  append(encodeKey(key), 0),
		"32 bare bytes":    key,
		"cut short":        append([]byte{0x1a, 0x20}, key[:30]...),
	} {
		_, err := decodeKey(b)
		require.Equal(t, errKeyProto, err, name)
	}
}

// The vector of Tink's own tests (tink-go, aead/kms_envelope_aead_test.go): a KEK of
// AES-128-GCM with the TINK prefix wraps the data key.
func TestTinksVector(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		require.NoError(t, err)
		return b
	}
	ciphertext := unhex(tinksEnvelope)
	kek, err := newGCM(unhex("82bbe6de4bf9a7655305615af46e594c"))
	require.NoError(t, err)
	header, body, err := splitHeader(ciphertext)
	require.NoError(t, err)
	entries := decodeHeader(header)
	require.Len(t, entries, 1)
	require.Equal(t, unhex("013e77cdcd"), entries[0].wrapped[:5])
	encoded, err := kek.Open(nil, nil, entries[0].wrapped[5:], nil)
	require.NoError(t, err)
	key, err := decodeKey(encoded)
	require.NoError(t, err)
	payload, err := newGCM(key)
	require.NoError(t, err)
	plaintext, err := payload.Open(nil, nil, body, []byte("associatedData"))
	require.NoError(t, err)
	require.Equal(t, "plaintext", string(plaintext))
}
