// Package keystoretest is the conformance suite of keystores: what every
// implementation of [keystore.Store] must do.
package keystoretest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
)

// Run runs the suite. open returns an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) keystore.Store) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, keystore.Store)
	}{
		{"CreateGet", testCreateGet},
		{"GetKeepsOrder", testGetKeepsOrder},
		{"GetThousands", testGetThousands},
		{"CreateOnlyOnce", testCreateOnlyOnce},
		{"CreateRace", testCreateRace},
		{"CreateBatch", testCreateBatch},
		{"CreateBatchRace", testCreateBatchRace},
		{"UpdateComparesVersions", testUpdate},
		{"UpdateRace", testUpdateRace},
		{"TombstoneStays", testTombstone},
		{"NamesAreExact", testNames},
		{"ListPages", testList},
		{"ListByState", testListByState},
		{"KeepsTheLedgersNumber", testLedgerNumber},
		{"RefusesMalformed", testMalformed},
		{"KeepsNothing", testKeepsNothing},
		{"HonoursCancellation", testCancellation},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			defer func() { require.NoError(t, s.Close()) }()
			tc.test(t, s)
		})
	}
}

// RunShared tests what two handles on one keystore, in two processes, see of each
// other. open is called twice and returns handles on the same empty keystore.
func RunShared(t *testing.T, open func(t *testing.T) keystore.Store) {
	a, b := open(t), open(t)
	defer func() { require.NoError(t, errors.Join(a.Close(), b.Close())) }()
	ctx := t.Context()

	require.NoError(t, a.Create(ctx, active("acme", "value", "")))
	r := get(t, b, id("acme", "value", ""))
	require.ErrorIs(t, b.Create(ctx, *r), keystore.ErrExists)
	r.Wrapped = []byte("second")
	require.NoError(t, b.Update(ctx, *r))
	require.ErrorIs(t, a.Update(ctx, *r), keystore.ErrConflict)
	require.Equal(t, []byte("second"), get(t, a, r.ID).Wrapped)

	var wins atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		s := []keystore.Store{a, b}[i%2]
		group.Go(func() {
			for n := range 20 {
				err := s.Create(ctx, active("race", "value", fmt.Sprint(n)))
				if err == nil {
					wins.Add(1)
				} else if !errors.Is(err, keystore.ErrExists) {
					t.Errorf("Create: %v", err)
				}
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 20, wins.Load(), "every record was created by exactly one")
}

func id(tenant, purpose, subject string) keystore.ID {
	return keystore.ID{Tenant: tenant, Purpose: purpose, Subject: subject}
}

func active(tenant, purpose, subject string) keystore.Record {
	return keystore.Record{
		ID: id(tenant, purpose, subject), State: keystore.Active,
		Wrapped: []byte("wrapped " + subject), Parent: 0xfedcba98, KEK: "file:/kek.json",
	}
}

// get returns the record of i, which must be there.
func get(t *testing.T, s keystore.Store, i keystore.ID) *keystore.Record {
	t.Helper()
	recs, err := s.Get(t.Context(), []keystore.ID{i})
	require.NoError(t, err)
	require.Len(t, recs, 1)
	require.NotNil(t, recs[0], "no record %s", i)
	return recs[0]
}

func testCreateGet(t *testing.T, s keystore.Store) {
	before := time.Now().Add(-time.Second)
	hash := string([]byte{0, 0xff, '\'', 0x80}) // any bytes
	want := active("acme", "subject", hash)
	require.NoError(t, s.Create(t.Context(), want))
	got := get(t, s, want.ID)
	require.EqualValues(t, 1, got.Version)
	require.Equal(t, got.Created, got.Updated)
	require.Equal(t, time.UTC, got.Created.Location())
	require.WithinRange(t, got.Created, before, time.Now().Add(time.Second))
	require.Equal(t, got.Created, got.Created.Truncate(time.Microsecond))
	want.Version, want.Created, want.Updated = got.Version, got.Created, got.Updated
	require.Equal(t, want, *got)

	recs, err := s.Get(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, recs)
	recs, err = s.Get(t.Context(), []keystore.ID{id("acme", "value", "")})
	require.NoError(t, err)
	require.Equal(t, []*keystore.Record{nil}, recs)
}

func testGetKeepsOrder(t *testing.T, s keystore.Store) {
	for _, tenant := range []string{"c", "a", "b"} {
		require.NoError(t, s.Create(t.Context(), active(tenant, "value", "")))
	}
	ids := []keystore.ID{id("b", "value", ""), id("none", "value", ""), id("c", "value", ""), id("b", "value", ""), id("a", "value", "")}
	recs, err := s.Get(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, recs, len(ids))
	for i, r := range recs {
		if i == 1 {
			require.Nil(t, r)
			continue
		}
		require.NotNil(t, r, "%s", ids[i])
		require.Equal(t, ids[i], r.ID)
	}
}

func testGetThousands(t *testing.T, s keystore.Store) {
	const n = 2500
	ids := make([]keystore.ID, n)
	for i := range ids {
		ids[i] = id("acme", "subject", fmt.Sprintf("%032d", i))
		if i%2 == 0 {
			require.NoError(t, s.Create(t.Context(), active("acme", "subject", ids[i].Subject)))
		}
	}
	recs, err := s.Get(t.Context(), ids)
	require.NoError(t, err)
	for i, r := range recs {
		require.Equal(t, i%2 == 0, r != nil, "%d", i)
		require.True(t, r == nil || r.ID == ids[i], "%d", i)
	}
}

func testCreateOnlyOnce(t *testing.T, s keystore.Store) {
	first := active("acme", "value", "")
	require.NoError(t, s.Create(t.Context(), first))
	second := first
	second.Wrapped = []byte("other")
	require.ErrorIs(t, s.Create(t.Context(), second), keystore.ErrExists)
	require.Equal(t, first.Wrapped, get(t, s, first.ID).Wrapped)
}

func testCreateRace(t *testing.T, s keystore.Store) {
	var winner atomic.Pointer[string]
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			r := active("acme", "value", "")
			mine := fmt.Sprint("by ", i)
			r.Wrapped = []byte(mine)
			switch err := s.Create(t.Context(), r); {
			case err == nil:
				if !winner.CompareAndSwap(nil, &mine) {
					t.Error("two won")
				}
			case !errors.Is(err, keystore.ErrExists):
				t.Errorf("Create: %v", err)
			}
		})
	}
	group.Wait()
	require.NotNil(t, winner.Load())
	require.Equal(t, *winner.Load(), string(get(t, s, id("acme", "value", "")).Wrapped))
}

func testUpdate(t *testing.T, s keystore.Store) {
	r := active("acme", "value", "")
	r.Version = 1
	require.ErrorIs(t, s.Update(t.Context(), r), keystore.ErrNotFound)
	require.NoError(t, s.Create(t.Context(), r))
	was := get(t, s, r.ID)

	next := *was
	next.Wrapped, next.Parent, next.KEK = []byte("second"), 7, "awskms:alias/privet"
	require.NoError(t, s.Update(t.Context(), next))
	now := get(t, s, r.ID)
	require.EqualValues(t, 2, now.Version)
	require.Equal(t, was.Created, now.Created)
	require.False(t, now.Updated.Before(was.Updated))
	next.Version, next.Updated = 2, now.Updated
	require.Equal(t, next, *now)

	for _, version := range []int64{0, 1, 3} {
		next.Version = version
		require.ErrorIs(t, s.Update(t.Context(), next), keystore.ErrConflict, "version %d", version)
	}
	require.Equal(t, now, get(t, s, r.ID))
}

func testUpdateRace(t *testing.T, s keystore.Store) {
	r := active("acme", "value", "")
	require.NoError(t, s.Create(t.Context(), r))
	var wins atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			mine := r
			mine.Version = 1
			switch err := s.Update(t.Context(), mine); {
			case err == nil:
				wins.Add(1)
			case !errors.Is(err, keystore.ErrConflict):
				t.Errorf("Update: %v", err)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, wins.Load())
}

func testTombstone(t *testing.T, s keystore.Store) {
	erased := active("acme", "subject", "erased")
	require.NoError(t, s.Create(t.Context(), erased))
	erased.State, erased.Wrapped, erased.Version = keystore.Erased, nil, 1
	require.NoError(t, s.Update(t.Context(), erased))
	// One who never had keys is erased too.
	unknown := keystore.Record{ID: id("acme", "subject", "unknown"), State: keystore.Erased}
	require.NoError(t, s.Create(t.Context(), unknown))

	for _, i := range []keystore.ID{erased.ID, unknown.ID} {
		now := get(t, s, i)
		require.Equal(t, keystore.Erased, now.State)
		require.Empty(t, now.Wrapped)
		again := active(i.Tenant, i.Purpose, i.Subject)
		require.ErrorIs(t, s.Create(t.Context(), again), keystore.ErrExists)
		for version := range int64(4) {
			again.Version = version
			require.ErrorIs(t, s.Update(t.Context(), again), keystore.ErrErased)
			dead := *now
			dead.Version = version
			require.ErrorIs(t, s.Update(t.Context(), dead), keystore.ErrErased)
		}
		require.Equal(t, now, get(t, s, i))
	}
}

func testNames(t *testing.T, s keystore.Store) {
	// Names that some database, collation or quoting might take for one another.
	names := []string{"acme", "Acme", "acme ", " acme", "ac me", "ácme", "a\u0301cme", "'; --", `"x"`, `a\b`, "%", "_", "ßtraße", "日本"}
	for _, name := range names {
		require.NoError(t, s.Create(t.Context(), active(name, "domain/"+name, name)), "%q", name)
	}
	for _, name := range names {
		require.Equal(t, "wrapped "+name, string(get(t, s, id(name, "domain/"+name, name)).Wrapped))
	}
	recs, err := s.List(t.Context(), keystore.Filter{}, keystore.ID{}, 0)
	require.NoError(t, err)
	require.Len(t, recs, len(names))
	slices.Sort(names)
	for i, name := range names {
		require.Equal(t, name, recs[i].Tenant, "the order is that of the bytes")
	}
	recs, err = s.List(t.Context(), keystore.Filter{Tenant: "acme"}, keystore.ID{}, 0)
	require.NoError(t, err)
	require.Len(t, recs, 1)
}

func testList(t *testing.T, s keystore.Store) {
	var want []keystore.ID
	for _, tenant := range []string{"b", "a"} {
		for _, purpose := range []string{"subject", "value"} {
			for i := range 5 {
				r := active(tenant, purpose, string([]byte{byte(i * 60)}))
				want = append(want, r.ID)
				require.NoError(t, s.Create(t.Context(), r))
			}
		}
	}
	slices.SortFunc(want, keystore.ID.Compare)
	for _, f := range []keystore.Filter{{}, {Tenant: "a"}, {Purpose: "value"}, {Tenant: "b", Purpose: "subject"}, {Tenant: "c"}} {
		expected := slices.DeleteFunc(slices.Clone(want), func(i keystore.ID) bool {
			return f.Tenant != "" && f.Tenant != i.Tenant || f.Purpose != "" && f.Purpose != i.Purpose
		})
		for _, limit := range []int{1, 3, 5, 20, 0, keystore.MaxPage + 1} {
			var got []keystore.ID
			var after keystore.ID
			for {
				page, err := s.List(t.Context(), f, after, limit)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page), keystore.PageSize(limit))
				for _, r := range page {
					require.Equal(t, "wrapped "+r.Subject, string(r.Wrapped))
					got = append(got, r.ID)
				}
				if len(page) < keystore.PageSize(limit) {
					break
				}
				after = got[len(got)-1]
			}
			require.Equal(t, len(expected), len(got), "%+v by %d", f, limit)
			for i := range expected {
				require.Equal(t, expected[i], got[i], "%+v by %d", f, limit)
			}
		}
	}
}

func testMalformed(t *testing.T, s keystore.Store) {
	for name, spoil := range map[string]func(*keystore.Record){
		"no tenant":           func(r *keystore.Record) { r.Tenant = "" },
		"no purpose":          func(r *keystore.Record) { r.Purpose = "" },
		"NUL in a name":       func(r *keystore.Record) { r.Tenant = "a\x00b" },
		"no state":            func(r *keystore.Record) { r.State = 0 },
		"unknown state":       func(r *keystore.Record) { r.State = 9 },
		"active without keys": func(r *keystore.Record) { r.Wrapped = nil },
		"tombstone with keys": func(r *keystore.Record) { r.State = keystore.Erased },
		"keys too long":       func(r *keystore.Record) { r.Wrapped = []byte(strings.Repeat("x", keystore.MaxWrapped+1)) },
	} {
		r := active("acme", "value", "")
		spoil(&r)
		require.ErrorIs(t, s.Create(t.Context(), r), keystore.ErrInvalid, name)
		require.ErrorIs(t, s.Update(t.Context(), r), keystore.ErrInvalid, name)
	}
	recs, err := s.List(t.Context(), keystore.Filter{}, keystore.ID{}, 0)
	require.NoError(t, err)
	require.Empty(t, recs)
}

func testKeepsNothing(t *testing.T, s keystore.Store) {
	r := active("acme", "value", "")
	want := string(r.Wrapped)
	require.NoError(t, s.Create(t.Context(), r))
	r.Wrapped[0] ^= 1
	got := get(t, s, r.ID)
	require.Equal(t, want, string(got.Wrapped), "the store kept what it was handed")
	got.Wrapped[0] ^= 1
	require.Equal(t, want, string(get(t, s, r.ID).Wrapped), "the store handed out what it keeps")
}

func testCancellation(t *testing.T, s keystore.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := active("acme", "value", "")
	_, err := s.Get(ctx, []keystore.ID{r.ID})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Create(ctx, r), context.Canceled)
	require.ErrorIs(t, s.Update(ctx, r), context.Canceled)
	_, err = s.List(ctx, keystore.Filter{}, keystore.ID{}, 0)
	require.ErrorIs(t, err, context.Canceled)
	recs, err := s.Get(t.Context(), []keystore.ID{r.ID})
	require.NoError(t, err)
	require.Nil(t, recs[0])
}
