package crypto_test

import (
	"crypto/aes"
	"crypto/cipher"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
)

// compare runs reference and client in turns, n operations each, and reports the
// fastest turn of both and the ratio: a machine that is busy with other things slows
// some turns of either, never all.
func compare(b *testing.B, n int, reference, client func(n int)) {
	b.Helper()
	fastest := [2]time.Duration{1 << 62, 1 << 62}
	var before, after runtime.MemStats
	turns := 0
	turn := func() {
		for i, fn := range []func(int){reference, client} {
			start := time.Now()
			fn(n)
			fastest[i] = min(fastest[i], time.Since(start))
		}
		turns++
	}
	turn() // pools and caches fill
	runtime.ReadMemStats(&before)
	turns = 0
	for b.Loop() {
		turn()
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(fastest[0].Nanoseconds())/float64(n), "ns/raw")
	b.ReportMetric(float64(fastest[1].Nanoseconds())/float64(n), "ns/client")
	b.ReportMetric(float64(fastest[1])/float64(fastest[0]), "ratio")
	b.ReportMetric(float64((after.Mallocs-before.Mallocs)/uint64(turns*n)), "allocs")
}

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
var benchAD = benchAt.AppendAssociatedData(nil)

// At most 1.3 times raw.
func BenchmarkEncrypt256(b *testing.B) {
	plaintext, dst := make([]byte, 256), make([]byte, 0, 512)
	aead, c := rawGCM(b), newClient(b)
	ctx := b.Context()
	compare(b, 2000, func(n int) {
		for range n {
			aead.Seal(dst, nil, plaintext, benchAD)
		}
	}, func(n int) {
		for range n {
			if _, err := c.AppendEncrypt(ctx, dst, plaintext, benchAt); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// On all cores at once; raw GCM's own scaling shows beside BenchmarkEncrypt256. The
// client's is at least 0.9 of it.
func BenchmarkEncrypt256Parallel(b *testing.B) {
	plaintext := make([]byte, 256)
	aead, c := rawGCM(b), newClient(b)
	ctx, cores := b.Context(), runtime.GOMAXPROCS(0)
	parallel := func(n int, fn func(dst []byte)) {
		var group sync.WaitGroup
		for range cores {
			group.Go(func() {
				dst := make([]byte, 0, 512)
				for range n / cores {
					fn(dst)
				}
			})
		}
		group.Wait()
	}
	compare(b, 10000*cores, func(n int) {
		parallel(n, func(dst []byte) { aead.Seal(dst, nil, plaintext, benchAD) })
	}, func(n int) {
		parallel(n, func(dst []byte) {
			if _, err := c.AppendEncrypt(ctx, dst, plaintext, benchAt); err != nil {
				b.Error(err)
			}
		})
	})
}

// At most 1.3 times raw where the salt is known.
func BenchmarkDecrypt256(b *testing.B) {
	plaintext, dst := make([]byte, 256), make([]byte, 0, 512)
	aead := rawGCM(b)
	sealed := aead.Seal(nil, nil, plaintext, benchAD)
	raw := func(n int) {
		for range n {
			if _, err := aead.Open(dst, nil, sealed, benchAD); err != nil {
				b.Fatal(err)
			}
		}
	}
	opening := func(c *crypto.Client, ciphertexts [][]byte) func(int) {
		ctx := b.Context()
		return func(n int) {
			for i := range n {
				if _, err := c.AppendDecrypt(ctx, dst, ciphertexts[i%len(ciphertexts)], benchAt); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	by := func(c *crypto.Client) []byte {
		ciphertext, err := c.Encrypt(b.Context(), plaintext, benchAt)
		require.NoError(b, err)
		return ciphertext
	}
	b.Run("own salt", func(b *testing.B) {
		c := newClient(b)
		compare(b, 2000, raw, opening(c, [][]byte{by(c)}))
	})
	b.Run("known salt", func(b *testing.B) {
		world := newWorld(b)
		compare(b, 2000, raw, opening(world.client(b), [][]byte{by(world.client(b))}))
	})
	b.Run("unknown salt", func(b *testing.B) {
		world := newWorld(b)
		ciphertexts := make([][]byte, 256)
		for i := range ciphertexts {
			ciphertexts[i] = by(world.client(b))
		}
		compare(b, 2000, raw, opening(world.client(b), ciphertexts))
	})
}

// One of 100,000 warm subjects at random each time, at most 2 times as many AEADs in
// a slice.
func BenchmarkEncryptSubjects(b *testing.B) {
	const subjects = 100_000
	plaintext, dst := make([]byte, 256), make([]byte, 0, 512)
	aeads := make([]cipher.AEAD, subjects)
	for i := range aeads {
		aeads[i] = rawGCM(b)
	}
	world := newWorld(b)
	world.config.CacheSize = subjects + 1
	world.config.CacheLife = time.Hour
	c, ctx := world.client(b), b.Context()
	// Ids lie side by side, so that finding one is no part of what is measured.
	var digits []byte
	for i := range subjects {
		digits = strconv.AppendInt(digits, int64(1_000_000+i), 10)
	}
	ids := string(digits)
	id := func(i int) string { return ids[7*i : 7*i+7] }
	items := make([]crypto.Item, subjects)
	for i := range items {
		items[i].At = crypto.Context{Tenant: "acme", Subject: id(i), Field: "f"}
	}
	for _, r := range c.EncryptBatch(ctx, items) {
		require.NoError(b, r.Err)
	}
	compare(b, 20000, func(n int) {
		for range n {
			aeads[rand.IntN(subjects)].Seal(dst, nil, plaintext, benchAD)
		}
	}, func(n int) {
		for range n {
			at := crypto.Context{Tenant: "acme", Subject: id(rand.IntN(subjects)), Field: "f"}
			if _, err := c.AppendEncrypt(ctx, dst, plaintext, at); err != nil {
				b.Fatal(err)
			}
		}
	})
}
