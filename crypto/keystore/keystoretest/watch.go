package keystoretest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/crypto/keystore"
)

// RunWatch tests that a handle on a keystore hears what another changes, and no more.
// open is called twice and returns handles on the same empty keystore, which are
// watchers.
func RunWatch(t *testing.T, open func(t *testing.T) keystore.Store) {
	before := goleak.IgnoreCurrent()
	defer func() { goleak.VerifyNone(t, before) }()
	a, b := open(t), open(t)
	defer func() { require.NoError(t, errors.Join(a.Close(), b.Close())) }()
	ctx := t.Context()
	rotated, rewrapped, erased, last := active("acme", "value", ""), active("acme", "domain/cards", ""),
		active("acme", "subject", string([]byte{0, 0xff, '\''})), active(`"tenant" 日本`, "root", "")
	for _, r := range []keystore.Record{rotated, rewrapped, erased, last} {
		require.NoError(t, a.Create(ctx, r))
	}
	told := make(chan keystore.ID, 1000)
	stop, err := b.(keystore.Watcher).Watch(ctx, func(id keystore.ID) { told <- id })
	require.NoError(t, err)

	update := func(r keystore.Record, change func(*keystore.Record)) {
		t.Helper()
		now := *get(t, a, r.ID)
		change(&now)
		require.NoError(t, a.Update(ctx, now))
	}
	// None of these is news to a cache.
	update(rewrapped, func(r *keystore.Record) { r.Wrapped, r.Parent = []byte("under another root"), 5 })
	update(last, func(r *keystore.Record) { r.Wrapped, r.KEK = []byte("under another KEK"), "file:/other" })
	update(rewrapped, func(r *keystore.Record) { r.Ledger = 7 })
	require.NoError(t, a.Create(ctx, active("acme", "subject", "new")))
	require.NoError(t, a.Create(ctx, keystore.Record{ID: id("acme", "subject", "never had keys"), State: keystore.Erased}))
	// These are.
	update(rotated, func(r *keystore.Record) { r.Wrapped = []byte("two keys") })
	update(erased, func(r *keystore.Record) { r.State, r.Wrapped = keystore.Erased, nil })
	update(last, func(r *keystore.Record) { r.Wrapped = []byte("two keys") })

	var want []keystore.ID
	seen := map[keystore.ID]bool{}
	for _, r := range []keystore.Record{rotated, erased, last} {
		want = append(want, r.ID)
	}
	deadline := time.After(20 * time.Second)
	for len(seen) < len(want) {
		select {
		case i := <-told:
			require.Contains(t, want, i)
			seen[i] = true
		case <-deadline:
			require.FailNow(t, "changes were not told", "%d of %d", len(seen), len(want))
		}
	}

	stop()
	for len(told) > 0 {
		require.Contains(t, want, <-told, "told twice at most")
	}
	now := active("acme", "subject", "new")
	update(now, func(r *keystore.Record) { r.State, r.Wrapped = keystore.Erased, nil })
	require.Empty(t, told, "stop has stopped it")
}

func testLedgerNumber(t *testing.T, s keystore.Store) {
	r := active("acme", "domain/privet/subjects", "")
	require.NoError(t, s.Create(t.Context(), r))
	for _, number := range []int64{1, 1 << 40, 0} {
		now := *get(t, s, r.ID)
		now.Ledger = number
		require.NoError(t, s.Update(t.Context(), now))
		require.Equal(t, number, get(t, s, r.ID).Ledger)
	}
	now := *get(t, s, r.ID)
	now.Ledger = -1
	require.ErrorIs(t, s.Update(t.Context(), now), keystore.ErrInvalid)
}

func testListByState(t *testing.T, s keystore.Store) {
	living, dead := active("acme", "subject", "living"), keystore.Record{ID: id("acme", "subject", "dead"), State: keystore.Erased}
	for _, r := range []keystore.Record{living, dead, active("acme", "value", "")} {
		require.NoError(t, s.Create(t.Context(), r))
	}
	for state, want := range map[keystore.State]int{0: 2, keystore.Active: 1, keystore.Erased: 1} {
		page, err := s.List(t.Context(), keystore.Filter{Purpose: "subject", State: state}, keystore.ID{}, 0)
		require.NoError(t, err)
		require.Len(t, page, want, "%v", state)
		for _, r := range page {
			require.True(t, state == 0 || r.State == state)
		}
	}
}
