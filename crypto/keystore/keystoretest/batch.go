package keystoretest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
)

// batchCreator returns s as a BatchCreator, which it need not be.
func batchCreator(t *testing.T, s keystore.Store) keystore.BatchCreator {
	t.Helper()
	b, ok := s.(keystore.BatchCreator)
	if !ok {
		t.Skip("the store creates records one by one")
	}
	return b
}

func testCreateBatch(t *testing.T, s keystore.Store) {
	b := batchCreator(t, s)
	created, err := b.CreateBatch(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, created)

	there := active("acme", "subject", "m")
	require.NoError(t, s.Create(t.Context(), there))
	erased := keystore.Record{ID: id("acme", "subject", "erased"), State: keystore.Erased}
	require.NoError(t, s.Create(t.Context(), erased))
	records := []keystore.Record{active("b", "value", ""), active("acme", "subject", "z"), active("acme", "subject", "m"),
		active("acme", "subject", "erased"), active("a", "subject", string([]byte{0, 0xff})), active("acme", "subject", "z")}
	records[2].Wrapped = []byte("another")
	created, err = b.CreateBatch(t.Context(), records)
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, false, false, true}, created[:5])
	require.False(t, created[1] && created[5], "one of two")
	for _, i := range []int{0, 1, 4} {
		got := get(t, s, records[i].ID)
		require.EqualValues(t, 1, got.Version)
		require.Equal(t, time.UTC, got.Created.Location())
		want := records[i]
		want.Version, want.Created, want.Updated = 1, got.Created, got.Updated
		require.Equal(t, want, *got)
	}
	require.Equal(t, there.Wrapped, get(t, s, there.ID).Wrapped)
	require.Equal(t, keystore.Erased, get(t, s, erased.ID).State)

	spoiled := []keystore.Record{active("new", "value", ""), {ID: id("new", "subject", "x")}}
	_, err = b.CreateBatch(t.Context(), spoiled)
	require.ErrorIs(t, err, keystore.ErrInvalid)
	recs, err := s.Get(t.Context(), []keystore.ID{spoiled[0].ID})
	require.NoError(t, err)
	require.Nil(t, recs[0])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.CreateBatch(ctx, spoiled[:1])
	require.ErrorIs(t, err, context.Canceled)

	many := make([]keystore.Record, 6000)
	for i := range many {
		many[i] = active("many", "subject", fmt.Sprint(i))
	}
	created, err = b.CreateBatch(t.Context(), many)
	require.NoError(t, err)
	require.NotContains(t, created, false)
}

// Batches that overlap, in opposite orders, create every record once and never lock
// each other out.
func testCreateBatchRace(t *testing.T, s keystore.Store) {
	b := batchCreator(t, s)
	var wins atomic.Int64
	var group sync.WaitGroup
	for g := range 6 {
		group.Go(func() {
			for round := range 5 {
				records := make([]keystore.Record, 40)
				for i := range records {
					records[i] = active("acme", "subject", fmt.Sprint(round, "-", i))
				}
				if g%2 == 1 {
					slices.Reverse(records)
				}
				created, err := b.CreateBatch(t.Context(), records)
				if err != nil {
					t.Errorf("CreateBatch: %v", err)
				}
				for _, c := range created {
					if c {
						wins.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 200, wins.Load())
}
