package crypto_test

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/internal/pgtest"
)

// Values of 1,000 subjects whose keyrings are not in memory, at most 3 times the bare
// SELECT of the keyrings: one read of the keystore, no call of the key service.
func BenchmarkDecryptColdSubjects(b *testing.B) {
	const subjects = 1000
	uri := pgtest.Database(b)
	store, err := pgstore.Open(b.Context(), uri)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	w := newWorld(b)
	w.store.Store = store
	ciphertexts := sealed(b, w.client(b), items(subjects))
	sealed(b, w.client(b), items(20*subjects)) // a table that is not tiny
	pool, err := pgxpool.New(b.Context(), uri)
	require.NoError(b, err)
	b.Cleanup(pool.Close)
	_, err = pool.Exec(b.Context(), "VACUUM ANALYZE privet.keyring")
	require.NoError(b, err)
	c := w.client(b)
	var hashes [][]byte
	for i := range subjects {
		id, err := crypto.SubjectID(b.Context(), c, "acme", fmt.Sprint(i))
		require.NoError(b, err)
		hashes = append(hashes, []byte(id.Subject))
	}
	bare := func(n int) {
		rows, err := pool.Query(b.Context(), `SELECT subject, wrapped FROM privet.keyring
			WHERE tenant = 'acme' AND purpose = 'subject' AND subject = ANY ($1)`, hashes)
		require.NoError(b, err)
		found := 0
		var subject, wrapped []byte
		for rows.Next() {
			require.NoError(b, rows.Scan(&subject, &wrapped))
			found++
		}
		require.NoError(b, rows.Err())
		require.Equal(b, subjects, found)
	}
	gets, unwraps, turns := w.store.gets.Load(), w.kek.unwraps.Load(), int64(0)
	compare(b, 1, bare, func(int) {
		for _, at := range ciphertexts {
			crypto.Drop(c, at.At.Tenant, at.At.Subject)
		}
		turns++
		for _, r := range c.DecryptBatch(b.Context(), ciphertexts) {
			require.NoError(b, r.Err)
		}
	})
	require.Equal(b, turns, w.store.gets.Load()-gets, "one read each time")
	require.Equal(b, unwraps, w.kek.unwraps.Load(), "no call of the key service")
}
