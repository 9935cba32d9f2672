// Package ledgertest is the conformance suite of erasure ledgers: what every
// implementation of [ledger.Store] must do.
package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/ledger"
)

// Run runs the suite. open returns an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) ledger.Store) {
	for _, tc := range []struct {
		name string
		test func(*testing.T, ledger.Store)
	}{
		{"NumbersWithoutGaps", testNumbers},
		{"AnEntryStandsOnce", testOnce},
		{"KeepsEveryByte", testBytes},
		{"AppendRace", testRace},
		{"ListPages", testList},
		{"TenantsPages", testTenants},
		{"RefusesMalformed", testMalformed},
		{"HonoursCancellation", testCancellation},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t)
			defer func() { require.NoError(t, s.Close()) }()
			tc.test(t, s)
		})
	}
}

// RunShared tests what two handles on one ledger, in two processes, see of each
// other. open is called twice and returns handles on the same empty ledger.
func RunShared(t *testing.T, open func(t *testing.T) ledger.Store) {
	a, b := open(t), open(t)
	defer func() { require.NoError(t, errors.Join(a.Close(), b.Close())) }()
	race(t, a, b)
}

func entry(tenant, subject string) ledger.Entry {
	return ledger.Entry{
		Tenant: tenant, Subject: subject, Key: 0xfedcba98, Action: ledger.Shred,
		Time: time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.FixedZone("", 3600)), Reason: "ticket " + subject,
	}
}

func add(t *testing.T, s ledger.Store, e ledger.Entry) ledger.Entry {
	t.Helper()
	stored, added, err := s.Append(t.Context(), e)
	require.NoError(t, err)
	require.True(t, added)
	return stored
}

func last(t *testing.T, s ledger.Store, tenant string) int64 {
	t.Helper()
	n, err := s.Last(t.Context(), tenant)
	require.NoError(t, err)
	return n
}

func testNumbers(t *testing.T, s ledger.Store) {
	require.Zero(t, last(t, s, "acme"))
	for n := range int64(5) {
		for _, tenant := range []string{"acme", "umbrella"} {
			require.Equal(t, n+1, add(t, s, entry(tenant, fmt.Sprint(n))).Seq)
			require.Equal(t, n+1, last(t, s, tenant))
		}
	}
	require.Zero(t, last(t, s, "Acme"))
}

func testOnce(t *testing.T, s ledger.Store) {
	first := add(t, s, entry("acme", "x"))
	add(t, s, entry("acme", "y"))
	again := entry("acme", "x")
	again.Reason, again.Time = "another reason", again.Time.Add(time.Hour)
	stored, added, err := s.Append(t.Context(), again)
	require.NoError(t, err)
	require.False(t, added)
	require.Equal(t, first, stored, "the first stays as it was")
	require.EqualValues(t, 2, last(t, s, "acme"))
	require.EqualValues(t, 1, add(t, s, entry("umbrella", "x")).Seq, "another tenant's is another's")
}

func testBytes(t *testing.T, s ledger.Store) {
	want := entry("Ünïted 日本 '; --", string([]byte{0, 0xff, '\'', 0x80}))
	want.Reason = `GDPR 17 "ticket" 日本`
	stored := add(t, s, want)
	want.Seq, want.Time = 1, time.Date(2026, 11, 21, 11, 0, 0, 123456000, time.UTC)
	require.Equal(t, want, stored)
	page, err := s.List(t.Context(), want.Tenant, 0, 0)
	require.NoError(t, err)
	require.Equal(t, []ledger.Entry{want}, page)
	want.Subject, want.Reason = "y", ""
	require.Empty(t, add(t, s, want).Reason)
}

func testRace(t *testing.T, s ledger.Store) { race(t, s, s) }

// race appends from many goroutines while others read: nobody ever sees a number
// without all that precede it.
func race(t *testing.T, a, b ledger.Store) {
	const writers, each = 6, 15
	ctx, cancel := context.WithCancel(t.Context())
	var readers, group sync.WaitGroup
	for _, s := range []ledger.Store{a, b} {
		readers.Go(func() {
			for ctx.Err() == nil {
				n, err := s.Last(t.Context(), "acme")
				if err != nil {
					t.Errorf("Last: %v", err)
					return
				}
				page, err := s.List(t.Context(), "acme", 0, 0)
				if err != nil || int64(len(page)) < n {
					t.Errorf("%d entries after the last was %d: %v", len(page), n, err)
					return
				}
				for i, e := range page {
					if e.Seq != int64(i)+1 {
						t.Errorf("entry %d at the place of %d", e.Seq, i+1)
						return
					}
				}
			}
		})
	}
	for w := range writers {
		s := []ledger.Store{a, b}[w%2]
		group.Go(func() {
			for n := range each {
				// Every subject is entered by two writers, and stands once.
				if _, _, err := s.Append(t.Context(), entry("acme", fmt.Sprint(w/2, "/", n))); err != nil {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	group.Wait()
	cancel()
	readers.Wait()
	require.EqualValues(t, writers/2*each, last(t, a, "acme"))
}

func testList(t *testing.T, s ledger.Store) {
	for n := range 12 {
		add(t, s, entry("acme", fmt.Sprint(n)))
		add(t, s, entry("acme2", fmt.Sprint(n)))
	}
	for _, limit := range []int{1, 5, 6, 12, 20, 0, ledger.MaxPage + 1} {
		var got []int64
		for after := int64(0); ; {
			page, err := s.List(t.Context(), "acme", after, limit)
			require.NoError(t, err)
			for _, e := range page {
				require.Equal(t, "acme", e.Tenant)
				require.Equal(t, fmt.Sprint(e.Seq-1), e.Subject)
				got = append(got, e.Seq)
			}
			if len(page) < ledger.PageSize(limit) {
				break
			}
			after = got[len(got)-1]
		}
		require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, got, "by %d", limit)
	}
	for _, after := range []int64{12, 100} {
		page, err := s.List(t.Context(), "acme", after, 0)
		require.NoError(t, err)
		require.Empty(t, page)
	}
}

func testTenants(t *testing.T, s ledger.Store) {
	names := []string{"b", "a", "a b", "A", "ä", "日本", "c"}
	for _, name := range names {
		add(t, s, entry(name, "1"))
		add(t, s, entry(name, "2"))
	}
	slices.Sort(names)
	for _, limit := range []int{1, 3, 7, 0} {
		var got []string
		for after := ""; ; {
			page, err := s.Tenants(t.Context(), after, limit)
			require.NoError(t, err)
			got = append(got, page...)
			if len(page) < ledger.PageSize(limit) {
				break
			}
			after = got[len(got)-1]
		}
		require.Equal(t, names, got, "by %d", limit)
	}
}

func testMalformed(t *testing.T, s ledger.Store) {
	for name, spoil := range map[string]func(*ledger.Entry){
		"no tenant":           func(e *ledger.Entry) { e.Tenant = "" },
		"tenant too long":     func(e *ledger.Entry) { e.Tenant = strings.Repeat("x", ledger.MaxTenant+1) },
		"NUL in the tenant":   func(e *ledger.Entry) { e.Tenant = "a\x00b" },
		"no subject":          func(e *ledger.Entry) { e.Subject = "" },
		"subject too long":    func(e *ledger.Entry) { e.Subject = strings.Repeat("x", ledger.MaxSubject+1) },
		"no action":           func(e *ledger.Entry) { e.Action = 0 },
		"unknown action":      func(e *ledger.Entry) { e.Action = 9 },
		"no time":             func(e *ledger.Entry) { e.Time = time.Time{} },
		"reason too long":     func(e *ledger.Entry) { e.Reason = strings.Repeat("x", ledger.MaxReason+1) },
		"reason is not UTF-8": func(e *ledger.Entry) { e.Reason = "\xff" },
		"reason in two lines": func(e *ledger.Entry) { e.Reason = "a\nb" },
	} {
		e := entry("acme", "x")
		spoil(&e)
		_, _, err := s.Append(t.Context(), e)
		require.ErrorIs(t, err, ledger.ErrInvalid, name)
	}
	require.Zero(t, last(t, s, "acme"))
}

func testCancellation(t *testing.T, s ledger.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Append(ctx, entry("acme", "x"))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Last(ctx, "acme")
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.List(ctx, "acme", 0, 0)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Tenants(ctx, "", 0)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, last(t, s, "acme"))
}
