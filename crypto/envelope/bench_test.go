package envelope_test

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"

	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
)

// rawGCM is the reference: the standard library's AEAD that draws its own nonces.
func rawGCM(b testing.TB) cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	require.NoError(b, err)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	require.NoError(b, err)
	return aead
}

// BenchmarkEncrypt256 stands beside the standard library's Seal and Tink's envelope
// with the same KEK in memory.
func BenchmarkEncrypt256(b *testing.B) {
	plaintext, ad, k := make([]byte, 256), at.AppendAssociatedData(nil), newKEK("mem:1")
	b.Run("raw", func(b *testing.B) {
		aead, dst := rawGCM(b), make([]byte, 0, 512)
		b.ReportAllocs()
		for b.Loop() {
			aead.Seal(dst, nil, plaintext, ad)
		}
	})
	b.Run("envelope", func(b *testing.B) {
		c, dst := with(b, k), make([]byte, 0, 1024)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, at); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("envelope, two KEKs", func(b *testing.B) {
		c, dst := with(b, k, newKEK("mem:2")), make([]byte, 0, 1024)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, at); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Tink", func(b *testing.B) {
		tink := tinkEnvelope(b, k, aead.AES256GCMKeyTemplate())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tink.EncryptWithContext(b.Context(), plaintext, ad); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkEncrypt256Parallel(b *testing.B) {
	plaintext, ad := make([]byte, 256), at.AppendAssociatedData(nil)
	b.Run("raw", func(b *testing.B) {
		aead := rawGCM(b)
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]byte, 0, 512)
			for pb.Next() {
				aead.Seal(dst, nil, plaintext, ad)
			}
		})
	})
	b.Run("envelope", func(b *testing.B) {
		c := with(b, newKEK("mem:1"))
		b.RunParallel(func(pb *testing.PB) {
			dst := make([]byte, 0, 1024)
			for pb.Next() {
				if _, err := c.AppendEncrypt(b.Context(), dst, plaintext, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkDecrypt256(b *testing.B) {
	plaintext, ad, k := make([]byte, 256), at.AppendAssociatedData(nil), newKEK("mem:1")
	b.Run("raw", func(b *testing.B) {
		aead, dst := rawGCM(b), make([]byte, 0, 512)
		ciphertext := aead.Seal(nil, nil, plaintext, ad)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := aead.Open(dst, nil, ciphertext, ad); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, cfg := range map[string]envelope.Config{
		"envelope":                    {KEKs: []kms.KEK{k}},
		"envelope, bound to a tenant": {KEKs: []kms.KEK{k}, EncryptionContext: envelope.TenantContext},
	} {
		b.Run(name, func(b *testing.B) {
			c, dst := open(b, cfg), make([]byte, 0, 512)
			ciphertext := seal(b, c, string(plaintext), at)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.AppendDecrypt(b.Context(), dst, ciphertext, at); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Tink", func(b *testing.B) {
		ciphertext := seal(b, with(b, k), string(plaintext), at)
		tink := tinkEnvelope(b, k, aead.AES256GCMKeyTemplate())
		b.ReportAllocs()
		for b.Loop() {
			if _, err := tink.DecryptWithContext(b.Context(), ciphertext, ad); err != nil {
				b.Fatal(err)
			}
		}
	})
}
