package crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/sha3"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/cmac"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// sealXAES seals under a nonce of 24 bytes that the caller chooses, which the
// package itself never does.
func sealXAES(t testing.TB, key, nonce, plaintext, ad []byte) (sealed []byte) {
	t.Helper()
	kdf, err := cmac.New(key)
	require.NoError(t, err)
	derived := deriveXAESKey(kdf, nonce[:saltSize])
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(derived[:])
		require.NoError(t, err)
		gcm, err := cipher.NewGCM(block)
		require.NoError(t, err)
		sealed = gcm.Seal(nil, nonce[saltSize:], plaintext, ad)
	})
	return sealed
}

// The vectors of C2SP's XAES-256-GCM.md.
func TestXAESVectors(t *testing.T) {
	for _, tc := range []struct{ key, aad, derived, want string }{
		{"01", "", "c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{"03", "c2sp.org/XAES-256-GCM", "e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		key, nonce := bytes.Repeat(unhex(t, tc.key), keySize), []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		kdf, err := cmac.New(key)
		require.NoError(t, err)
		derived := deriveXAESKey(kdf, nonce[:saltSize])
		require.Equal(t, tc.derived, hex.EncodeToString(derived[:]))
		require.Equal(t, tc.want, hex.EncodeToString(sealXAES(t, key, nonce, []byte("XAES-256-GCM"), []byte(tc.aad))))
	}
}

// C2SP's accumulated vectors: 10,000 random inputs, one hash. Each ciphertext is
// also opened by a keyring's key.
func TestXAESAccumulated(t *testing.T) {
	const iterations = 10_000
	const want = "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
	source, digest := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = source.Read(b)
		return b
	}
	for range iterations {
		key, nonce := read(keySize), read(saltSize+ivSize)
		plaintext := read(int(read(1)[0]))
		ad := read(int(read(1)[0]))
		sealed := sealXAES(t, key, nonce, plaintext, ad)
		_, _ = digest.Write(sealed)

		k, err := newXAESKey(0x01020304, key, saltSize)
		require.NoError(t, err)
		opened, err := k.open(nil, append(append([]byte{1, 1, 2, 3, 4}, nonce...), sealed...), ad)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, opened))
	}
	sum := make([]byte, 32)
	_, _ = digest.Read(sum)
	require.Equal(t, want, hex.EncodeToString(sum))
}

// Wycheproof's AES-256-GCM cases of our parameters, through a keyring's key.
func TestWycheproofAESGCM(t *testing.T) {
	data, err := fs.ReadFile(wycheproof.TestVectors, "aes_gcm_test.json")
	require.NoError(t, err)
	var file struct {
		TestGroups []struct {
			IVSize, KeySize, TagSize int
			Tests                    []struct {
				TcID                       int
				Key, IV, AAD, Msg, CT, Tag string
				Result, Comment            string
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &file))
	ran := 0
	for _, g := range file.TestGroups {
		if g.KeySize != 8*keySize || g.IVSize != 8*ivSize || g.TagSize != 8*tagSize {
			continue
		}
		for _, tc := range g.Tests {
			ran++
			k, err := newGCMKey(7, unhex(t, tc.Key))
			require.NoError(t, err)
			opened, err := k.open(nil, append([]byte{1, 0, 0, 0, 7}, unhex(t, tc.IV+tc.CT+tc.Tag)...), unhex(t, tc.AAD))
			if tc.Result == "invalid" {
				require.Equal(t, ErrDecrypt, err, "case %d: %s", tc.TcID, tc.Comment)
				continue
			}
			require.NoError(t, err, "case %d: %s", tc.TcID, tc.Comment)
			require.Equal(t, tc.Msg, hex.EncodeToString(opened), "case %d", tc.TcID)
		}
	}
	require.GreaterOrEqual(t, ran, 60)
}

// After its messages a salt is replaced, and what it sealed stays readable.
func TestSaltIsReplaced(t *testing.T) {
	k, err := newXAESKey(9, make([]byte, keySize), saltSize)
	require.NoError(t, err)
	var w scratch
	seal := func() []byte {
		out, err := k.sealWith(&w, nil, []byte("x"))
		require.NoError(t, err)
		return out
	}
	first := seal()
	require.Equal(t, first[:17], seal()[:17], "one salt serves many messages")
	k.current.Load().messages.Store(maxMessagesPerSalt - countAhead)
	for range countAhead {
		require.Equal(t, first[:17], seal()[:17], "the last of 2^20, which were counted ahead")
	}
	next := seal()
	require.NotEqual(t, first[:17], next[:17])
	require.EqualValues(t, 1, k.current.Load().messages.Load())
	for _, sealed := range [][]byte{first, next, first} {
		opened, err := k.open(nil, sealed, nil)
		require.NoError(t, err)
		require.Equal(t, "x", string(opened))
	}
	// Another's scratch finds the salt used up as well.
	k.current.Load().messages.Store(maxMessagesPerSalt)
	last, err := k.seal(nil, []byte("x"), nil)
	require.NoError(t, err)
	require.NotEqual(t, next[:17], last[:17])
}

// Forged ciphertexts do not push genuine salts out of memory.
func TestForgedSaltsAreNotRemembered(t *testing.T) {
	k, err := newXAESKey(9, make([]byte, keySize), saltSize)
	require.NoError(t, err)
	for i := range 100 {
		forged := make([]byte, Overhead+1)
		copy(forged, []byte{1, 0, 0, 0, 9, byte(i), byte(i >> 4)})
		_, err := k.open(nil, forged, nil)
		require.Equal(t, ErrDecrypt, err)
	}
	for i := range k.recent {
		require.Nil(t, k.recent[i].Load())
	}
}
