package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/pgledger"
	"github.com/privet-dev/privet/internal/pgtest"
)

// What the ledger costs: loading one subject's keyring, with PostgreSQL for both,
// against a client without one; a subject that is in memory; and a shredding.
func BenchmarkSubject(b *testing.B) {
	for _, withLedger := range []bool{false, true} {
		kek, err := localkms.Create(b.TempDir()+"/kek.json", nil)
		require.NoError(b, err)
		keys, err := pgstore.Open(b.Context(), pgtest.Database(b))
		require.NoError(b, err)
		defer keys.Close()
		var entries ledger.Store
		if withLedger {
			entries, err = pgledger.Open(b.Context(), pgtest.Database(b))
			require.NoError(b, err)
			defer entries.Close()
		}
		// A cache of one keyring: all others are cold.
		c, err := crypto.New(b.Context(), crypto.Config{KEK: kek, Keystore: keys, Ledger: entries, CacheSize: 2, CacheLife: time.Hour})
		require.NoError(b, err)
		defer c.Close()
		var ciphertexts [64][]byte
		for i := range ciphertexts {
			ciphertexts[i], err = c.Encrypt(b.Context(), []byte("x"), at(fmt.Sprint(i)))
			require.NoError(b, err)
		}
		name := map[bool]string{false: "none", true: "PostgreSQL"}[withLedger]
		b.Run("cold/ledger="+name, func(b *testing.B) {
			for i := range b.N {
				if _, err := c.Decrypt(b.Context(), ciphertexts[i%64], at(fmt.Sprint(i%64))); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("warm/ledger="+name, func(b *testing.B) {
			where := at("0")
			for range b.N {
				if _, err := c.Decrypt(b.Context(), ciphertexts[0], where); err != nil {
					b.Fatal(err)
				}
			}
		})
		n := 0
		b.Run("shred/ledger="+name, func(b *testing.B) {
			for range b.N {
				n++
				if _, err := c.Shred(b.Context(), "acme", fmt.Sprint("shred ", n), crypto.ShredOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
