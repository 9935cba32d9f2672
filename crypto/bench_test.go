package crypto_test

import (
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
)

// rawGCM is the reference: the standard library's AEAD that draws its own nonces.
func rawGCM(b testing.TB) cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(b, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(b, err)
	return aead
}

var benchAt = crypto.Context{Tenant: "acme", Field: "customer.email"}

// benchAD is the associated data of benchAt.
var benchAD = []byte("privet/1\x00\x00\x00\x04acme\x00\x00\x00\x00\x00\x00\x00\x0ecustomer.email")

func BenchmarkEncrypt256(b *testing.B) {
	plaintext := make([]byte, 256)
	b.Run("raw", func(b *testing.B) {
		aead, dst := rawGCM(b), make([]byte, 0, 512)
		b.ReportAllocs()
		for b.Loop() {
			aead.Seal(dst, nil, plaintext, benchAD)
		}
	})
	b.Run("client", func(b *testing.B) {
		c, dst := newClient(b), make([]byte, 0, 512)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, benchAt); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncrypt256Parallel(b *testing.B) {
	plaintext := make([]byte, 256)
	b.Run("raw", func(b *testing.B) {
		aead := rawGCM(b)
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]byte, 0, 512)
			for pb.Next() {
				aead.Seal(dst, nil, plaintext, benchAD)
			}
		})
	})
	b.Run("client", func(b *testing.B) {
		c := newClient(b)
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]byte, 0, 512)
			for pb.Next() {
				if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, benchAt); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkDecrypt256(b *testing.B) {
	plaintext := make([]byte, 256)
	b.Run("raw", func(b *testing.B) {
		aead, dst := rawGCM(b), make([]byte, 0, 512)
		ciphertext := aead.Seal(nil, nil, plaintext, benchAD)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := aead.Open(dst, nil, ciphertext, benchAD); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("client", func(b *testing.B) {
		c, dst := newClient(b), make([]byte, 0, 512)
		ciphertext, err := c.Encrypt(b.Context(), plaintext, benchAt)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.AppendDecrypt(b.Context(), dst, ciphertext, benchAt); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("client, salts of 64 other processes", func(b *testing.B) {
		world := newWorld(b)
		c, dst := world.client(b), make([]byte, 0, 512)
		ciphertexts := make([][]byte, 64)
		for i := range ciphertexts {
			var err error
			ciphertexts[i], err = world.client(b).Encrypt(b.Context(), plaintext, benchAt)
			require.NoError(b, err)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := c.AppendDecrypt(b.Context(), dst, ciphertexts[i%64], benchAt); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// BenchmarkEncryptSubjects picks one of 100,000 warm subjects at random each time;
// the reference does so with as many AEADs in a slice.
func BenchmarkEncryptSubjects(b *testing.B) {
	const subjects = 100_000
	plaintext := make([]byte, 256)
	b.Run("raw", func(b *testing.B) {
		aeads := make([]cipher.AEAD, subjects)
		for i := range aeads {
			aeads[i] = rawGCM(b)
		}
		dst := make([]byte, 0, 512)
		b.ReportAllocs()
		for b.Loop() {
			aeads[rand.IntN(subjects)].Seal(dst, nil, plaintext, benchAD)
		}
	})
	b.Run("client", func(b *testing.B) {
		world := newWorld(b)
		world.config.CacheSize = subjects + 1
		c, dst := world.client(b), make([]byte, 0, 512)
		ids := make([]string, subjects)
		for i := range ids {
			ids[i] = strconv.Itoa(i)
			_, err := c.AppendEncrypt(b.Context(), dst, plaintext, crypto.Context{Tenant: "acme", Subject: ids[i], Field: "f"})
			require.NoError(b, err)
		}
		b.ReportAllocs()
		for b.Loop() {
			at := crypto.Context{Tenant: "acme", Subject: ids[rand.IntN(subjects)], Field: "f"}
			if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, at); err != nil {
				b.Fatal(err)
			}
		}
	})
}
