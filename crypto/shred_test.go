package crypto_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/memledger"
	"github.com/privet-dev/privet/internal/fault"
)

// ledgered returns a world whose clients share a keystore that tells of changes, and
// a ledger.
func ledgered(t testing.TB) (*world, *failingLedger) {
	t.Helper()
	w := newWorld(t)
	l := &failingLedger{Store: memledger.New()}
	w.config.Keystore, w.config.Ledger = w.store.Store, l
	return w, l
}

// A failingLedger answers with fail where set, and counts reads.
type failingLedger struct {
	ledger.Store
	fail  atomic.Pointer[error]
	reads atomic.Int64
}

func (l *failingLedger) Append(ctx context.Context, e ledger.Entry) (ledger.Entry, bool, error) {
	if err := l.fail.Load(); err != nil {
		return ledger.Entry{}, false, *err
	}
	return l.Store.Append(ctx, e)
}

func (l *failingLedger) Last(ctx context.Context, tenant string) (int64, error) {
	l.reads.Add(1)
	if err := l.fail.Load(); err != nil {
		return 0, *err
	}
	return l.Store.Last(ctx, tenant)
}

var shredAt = crypto.Context{Tenant: "acme", Subject: "4711", Field: "customer.email"}

// requireErased: neither reading nor writing gives anything but ErrErased.
func requireErased(t testing.TB, c *crypto.Client, ciphertext []byte, at crypto.Context) {
	t.Helper()
	_, err := c.Decrypt(t.Context(), ciphertext, at)
	require.ErrorIs(t, err, crypto.ErrErased)
	_, err = c.Encrypt(t.Context(), []byte("x"), at)
	require.ErrorIs(t, err, crypto.ErrErased)
}

func shred(t testing.TB, c *crypto.Client, at crypto.Context) crypto.Receipt {
	t.Helper()
	r, err := c.Shred(t.Context(), at.Tenant, at.Subject, crypto.ShredOptions{Reason: "DSR-7", Actor: "ops"})
	require.NoError(t, err)
	return r
}

func TestShred(t *testing.T) {
	for name, withLedger := range map[string]bool{"with a ledger": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			w, l := ledgered(t)
			if !withLedger {
				w.config.Ledger = nil
			}
			c, other := w.client(t), w.client(t)
			ciphertext := encrypt(t, c, "x", shredAt)
			requireOpens(t, other, "x", ciphertext, shredAt)
			neighbour := crypto.Context{Tenant: "acme", Subject: "4712", Field: "f"}
			kept, nobodys := encrypt(t, c, "y", neighbour), encrypt(t, c, "z", crypto.Context{Tenant: "acme", Field: "f"})

			before := time.Now().Add(-time.Second)
			r := shred(t, c, shredAt)
			requireErased(t, c, ciphertext, shredAt)
			requireErased(t, other, ciphertext, shredAt)
			requireErased(t, w.client(t), ciphertext, shredAt)
			for _, client := range []*crypto.Client{c, other, w.client(t)} {
				requireOpens(t, client, "y", kept, neighbour)
				requireOpens(t, client, "z", nobodys, crypto.Context{Tenant: "acme", Field: "f"})
			}

			id, err := crypto.SubjectID(t.Context(), c, "acme", shredAt.Subject)
			require.NoError(t, err)
			require.Equal(t, hex.EncodeToString([]byte(id.Subject)), r.Subject)
			require.WithinRange(t, r.Time, before, time.Now().Add(time.Second))
			require.True(t, r.Destroyed)
			require.False(t, r.Again)
			require.True(t, r.Told)
			require.WithinRange(t, r.CachedUntil, time.Now().Add(4*time.Minute), time.Now().Add(6*time.Minute))
			require.Equal(t, crypto.NotShredded(), r.Unreached)
			rec := w.get(t, id)
			require.Equal(t, keystore.Erased, rec.State)
			require.Empty(t, rec.Wrapped)

			again := shred(t, other, shredAt)
			require.True(t, again.Again)
			require.False(t, again.Destroyed)
			require.Equal(t, r.Time, again.Time, "it says when it was first done")

			last := w.events.events[len(w.events.events)-1]
			require.Equal(t, "crypto.subject.shred", last.Action)
			require.Equal(t, []string{"acme", r.Subject, "DSR-7", "ops", "ok"}, []string{last.Tenant, last.Subject, last.Purpose, last.Actor, last.Outcome})

			if !withLedger {
				require.Zero(t, r.Ledger)
				require.False(t, c.HasLedger())
				return
			}
			require.EqualValues(t, 1, r.Ledger)
			require.EqualValues(t, 1, again.Ledger)
			entries, err := l.List(t.Context(), "acme", 0, 0)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.Equal(t, id.Subject, entries[0].Subject)
			require.Equal(t, "DSR-7", entries[0].Reason)
			state, err := c.LedgerState(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, crypto.LedgerState{Tenant: "acme", Entries: 1, CarriedOut: 1}, state)
		})
	}
}

func TestShredOfAnUnknownSubjectLeavesATombstone(t *testing.T) {
	w, _ := ledgered(t)
	for _, at := range []crypto.Context{shredAt, {Tenant: "a tenant without keys", Subject: "1", Field: "f"}} {
		r := shred(t, w.client(t), at)
		require.False(t, r.Destroyed)
		require.False(t, r.Again)
		for _, c := range []*crypto.Client{w.client(t), w.client(t)} {
			_, err := c.Encrypt(t.Context(), []byte("x"), at)
			require.ErrorIs(t, err, crypto.ErrErased)
		}
	}
}

func TestShredRefusesBadInput(t *testing.T) {
	w, l := ledgered(t)
	c := w.client(t)
	for name, tc := range map[string]struct{ tenant, subject, reason string }{
		"no tenant":           {"", "1", ""},
		"tenant too long":     {strings.Repeat("t", 256), "1", ""},
		"no subject":          {"acme", "", ""},
		"subject too long":    {"acme", strings.Repeat("s", 1025), ""},
		"reason too long":     {"acme", "1", strings.Repeat("r", 256)},
		"reason in two lines": {"acme", "1", "a\nb"},
		"reason not UTF-8":    {"acme", "1", "\xff"},
	} {
		_, err := c.Shred(t.Context(), tc.tenant, tc.subject, crypto.ShredOptions{Reason: tc.reason})
		require.Error(t, err, name)
		require.NotEqual(t, fault.Unexpected, fault.KindOf(err), name)
	}
	require.Empty(t, w.all(t))
	require.Zero(t, l.reads.Load())
}

// An erasure that cannot be recorded, or entered into the ledger, is not done.
func TestShredIsDoneOnlyWhereItIsWrittenDown(t *testing.T) {
	w, l := ledgered(t)
	c := w.client(t)
	ciphertext := encrypt(t, c, "x", shredAt)
	down := errors.New("injected")
	w.events.fail = down
	_, err := c.Shred(t.Context(), "acme", "4711", crypto.ShredOptions{})
	require.ErrorIs(t, err, down)
	w.events.fail = nil
	l.fail.Store(&down)
	_, err = c.Shred(t.Context(), "acme", "4711", crypto.ShredOptions{})
	require.ErrorIs(t, err, down)
	l.fail.Store(nil)
	requireOpens(t, w.client(t), "x", ciphertext, shredAt)
	entries, err := l.List(t.Context(), "acme", 0, 0)
	require.NoError(t, err)
	require.Empty(t, entries)
}

// Without its ledger a client loads no subject's keyring, and uses those it has.
func TestSubjectsNeedTheLedger(t *testing.T) {
	w, l := ledgered(t)
	c := w.client(t)
	ciphertext := encrypt(t, c, "x", shredAt)
	nobodys := crypto.Context{Tenant: "acme", Field: "f"}
	value := encrypt(t, c, "y", nobodys)
	down := errors.New("injected")
	l.fail.Store(&down)
	cold := w.client(t)
	_, err := cold.Decrypt(t.Context(), ciphertext, shredAt)
	require.ErrorIs(t, err, down)
	_, err = cold.Encrypt(t.Context(), []byte("x"), crypto.Context{Tenant: "new", Subject: "1", Field: "f"})
	require.ErrorIs(t, err, down)
	requireOpens(t, cold, "y", value, nobodys)
	reads := l.reads.Load()
	for range 100 {
		requireOpens(t, c, "x", ciphertext, shredAt)
	}
	require.Equal(t, reads, l.reads.Load(), "what is in memory asks nobody")
	l.fail.Store(nil)
	requireOpens(t, cold, "x", ciphertext, shredAt)
}

// A brokenStore fails to set tombstones while broken.
type brokenStore struct {
	*memstore.Store
	broken atomic.Bool
}

var errBroken = errors.New("the keystore went away")

func (s *brokenStore) Create(ctx context.Context, r keystore.Record) error {
	if s.broken.Load() && r.State == keystore.Erased {
		return errBroken
	}
	return s.Store.Create(ctx, r)
}

func (s *brokenStore) Update(ctx context.Context, r keystore.Record) error {
	if s.broken.Load() && r.State == keystore.Erased {
		return errBroken
	}
	return s.Store.Update(ctx, r)
}

// Between the ledger's entry and the tombstone a process may die. Whoever uses the
// tenant's subjects next finishes its work before anything is served.
func TestCrashBetweenLedgerAndTombstoneIsRepaired(t *testing.T) {
	for _, known := range []bool{true, false} {
		w, _ := ledgered(t)
		store := &brokenStore{Store: memstore.New()}
		w.config.Keystore = store
		c := w.client(t)
		other := crypto.Context{Tenant: "acme", Subject: "other", Field: "f"}
		ciphertext := encrypt(t, c, "x", other)
		if known {
			ciphertext = encrypt(t, c, "x", shredAt)
		}

		store.broken.Store(true)
		_, err := c.Shred(t.Context(), "acme", shredAt.Subject, crypto.ShredOptions{})
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, fault.Stopped, fault.KindOf(err))
		require.Contains(t, fault.HintOf(err), "entry 1 of the ledger")
		for _, at := range []crypto.Context{shredAt, other} {
			_, err = w.client(t).Decrypt(t.Context(), ciphertext, at)
			require.ErrorIs(t, err, errBroken, "nothing is served from a keystore that is behind")
		}
		_, err = c.Decrypt(t.Context(), ciphertext, shredAt)
		require.Error(t, err, "nor from memory, by whom the erasure was asked for")

		store.broken.Store(false)
		requireErased(t, w.client(t), ciphertext, shredAt)
		requireErased(t, c, ciphertext, shredAt)
		require.True(t, shred(t, c, shredAt).Again)
	}
}

// Writers and shredders meet. From the moment a client acknowledged the erasure it
// serves nothing more, and in the end no keyring lives.
func TestConcurrentWriteAndShred(t *testing.T) {
	for name, withLedger := range map[string]bool{"with a ledger": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			w, _ := ledgered(t)
			if !withLedger {
				w.config.Ledger = nil
			}
			clients := []*crypto.Client{w.client(t), w.client(t), w.client(t)}
			encrypt(t, clients[0], "x", crypto.Context{Tenant: "acme", Subject: "other", Field: "f"})
			for round := range 40 {
				at := crypto.Context{Tenant: "acme", Subject: fmt.Sprint(round), Field: "f"}
				var by [3]atomic.Bool
				var group sync.WaitGroup
				for i := range 6 {
					c, acknowledged := clients[i%3], &by[i%3]
					group.Go(func() {
						for range 20 {
							late := acknowledged.Load()
							ciphertext, err := c.Encrypt(t.Context(), []byte("x"), at)
							switch {
							case err == nil && late:
								t.Error("encrypted after the erasure was acknowledged")
								return
							case errors.Is(err, crypto.ErrErased):
								return
							case err != nil:
								t.Errorf("Encrypt: %v", err)
								return
							}
							late = acknowledged.Load()
							if _, err := c.Decrypt(t.Context(), ciphertext, at); err == nil && late {
								t.Error("decrypted after the erasure was acknowledged")
								return
							}
						}
					})
				}
				for i := range 2 {
					group.Go(func() {
						if _, err := clients[i].Shred(t.Context(), at.Tenant, at.Subject, crypto.ShredOptions{}); err != nil {
							t.Errorf("Shred: %v", err)
						}
						by[i].Store(true)
					})
				}
				group.Wait()
				id, err := crypto.SubjectID(t.Context(), clients[0], "acme", at.Subject)
				require.NoError(t, err)
				require.Equal(t, keystore.Erased, w.get(t, id).State)
				for _, c := range clients {
					_, err := c.Encrypt(t.Context(), []byte("x"), at)
					require.ErrorIs(t, err, crypto.ErrErased)
				}
			}
		})
	}
}

// A ledger that lost entries, or is another, is not taken for the truth.
func TestALedgerThatDoesNotFitIsRefused(t *testing.T) {
	w, _ := ledgered(t)
	c := w.client(t)
	kept := encrypt(t, c, "x", shredAt)
	erased := crypto.Context{Tenant: "acme", Subject: "2", Field: "f"}
	gone := encrypt(t, c, "x", erased)
	shred(t, c, erased)
	nobodys := crypto.Context{Tenant: "acme", Field: "f"}
	value := encrypt(t, c, "y", nobodys)

	w.config.Ledger = memledger.New()
	c = w.client(t)
	for range 2 {
		_, err := c.Decrypt(t.Context(), kept, shredAt)
		require.ErrorIs(t, err, crypto.ErrLedger)
		require.Equal(t, fault.Verify, fault.KindOf(err))
		require.Contains(t, fault.HintOf(err), "--replay")
		_, err = c.Encrypt(t.Context(), nil, shredAt)
		require.ErrorIs(t, err, crypto.ErrLedger)
		_, err = c.Shred(t.Context(), "acme", "3", crypto.ShredOptions{})
		require.ErrorIs(t, err, crypto.ErrLedger)
	}
	requireOpens(t, c, "y", value, nobodys)

	report, err := c.Replay(t.Context())
	require.NoError(t, err)
	require.Equal(t, crypto.ReplayReport{Tenants: 1, Entries: 1, Entered: 1}, report)
	requireOpens(t, c, "x", kept, shredAt)
	requireErased(t, c, gone, erased)

	// Another deployment's ledger, of a tenant of the same name.
	stranger, l := ledgered(t)
	for range 2 {
		shred(t, stranger.client(t), shredAt)
		shred(t, stranger.client(t), erased)
	}
	w.config.Ledger = l
	c = w.client(t)
	_, err = c.Decrypt(t.Context(), kept, shredAt)
	require.ErrorIs(t, err, crypto.ErrLedger)
	require.ErrorContains(t, err, "names its subject under key")
	_, err = c.Replay(t.Context())
	require.ErrorIs(t, err, crypto.ErrLedger)
}

// A keystore from before the tenant's first subject would give its subjects new
// names, under which nobody was ever erased.
func TestAKeystoreWithoutNamesIsRefused(t *testing.T) {
	w, l := ledgered(t)
	c := w.client(t)
	ciphertext := encrypt(t, c, "x", shredAt)
	shred(t, c, shredAt)
	other, _ := ledgered(t)
	other.config.Ledger = l
	c = other.client(t)
	for range 2 {
		_, err := c.Encrypt(t.Context(), []byte("x"), shredAt)
		require.ErrorIs(t, err, crypto.ErrLedger)
		require.ErrorContains(t, err, "has no keyset domain/privet/subjects")
		_, err = c.Decrypt(t.Context(), ciphertext, shredAt)
		require.ErrorIs(t, err, crypto.ErrLedger)
		_, err = c.Shred(t.Context(), "acme", "1", crypto.ShredOptions{})
		require.ErrorIs(t, err, crypto.ErrLedger)
		_, err = c.Replay(t.Context())
		require.ErrorIs(t, err, crypto.ErrLedger)
	}
	encrypt(t, c, "x", crypto.Context{Tenant: "umbrella", Subject: "1", Field: "f"})
}

// A ledger that is added later learns of the tombstones by a replay, page by page.
func TestReplayEntersTombstones(t *testing.T) {
	w, l := ledgered(t)
	w.config.Ledger = nil
	c := w.client(t)
	want := map[string]time.Time{}
	for i := range keystore.MaxPage + 5 {
		r := shred(t, c, crypto.Context{Tenant: "acme", Subject: fmt.Sprint(i)})
		want[r.Subject] = r.Time
	}
	shred(t, c, crypto.Context{Tenant: "umbrella", Subject: "1"})
	_, err := c.Replay(t.Context())
	require.Equal(t, fault.Config, fault.KindOf(err))

	w.config.Ledger = l
	c = w.client(t)
	for _, entered := range []int64{int64(len(want)) + 1, 0} {
		report, err := c.Replay(t.Context())
		require.NoError(t, err)
		require.Equal(t, crypto.ReplayReport{Tenants: 2, Entries: int64(len(want)) + 1, Entered: entered}, report)
	}
	for after := int64(0); ; {
		page, err := l.List(t.Context(), "acme", after, 0)
		require.NoError(t, err)
		for _, e := range page {
			subject := hex.EncodeToString([]byte(e.Subject))
			require.Equal(t, want[subject], e.Time)
			delete(want, subject)
			after = e.Seq
		}
		if len(page) < ledger.MaxPage {
			break
		}
	}
	require.Empty(t, want)
}

// A rotation that meets a tombstone does not bring the keyring back.
func TestRotationDoesNotRevive(t *testing.T) {
	w, _ := ledgered(t)
	c := w.client(t)
	ciphertext := encrypt(t, c, "x", shredAt)
	shred(t, w.client(t), shredAt)
	_, err := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: shredAt.Subject})
	require.ErrorIs(t, err, crypto.ErrErased)
	requireErased(t, c, ciphertext, shredAt)
}

// Many clients meet a tenant's first subjects and erase some: nobody takes the moment
// between a name and its entry for another keystore.
func TestFirstErasureOfATenant(t *testing.T) {
	w, _ := ledgered(t)
	clients := []*crypto.Client{w.client(t), w.client(t), w.client(t), w.client(t)}
	for round := range 30 {
		tenant := fmt.Sprint("tenant ", round)
		var group sync.WaitGroup
		for i, c := range clients {
			group.Go(func() {
				at := crypto.Context{Tenant: tenant, Subject: fmt.Sprint(i / 2), Field: "f"}
				if i%2 == 0 {
					if _, err := c.Shred(t.Context(), tenant, at.Subject, crypto.ShredOptions{}); err != nil {
						t.Errorf("Shred: %v", err)
					}
					return
				}
				if _, err := c.Encrypt(t.Context(), nil, at); err != nil && !errors.Is(err, crypto.ErrErased) {
					t.Errorf("Encrypt: %v", err)
				}
			})
		}
		group.Wait()
		for _, c := range clients {
			for i := range 2 {
				_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: tenant, Subject: fmt.Sprint(i), Field: "f"})
				require.ErrorIs(t, err, crypto.ErrErased)
			}
		}
	}
}

// A keystore may have carried out entries of a ledger that is gone, and hold fewer
// tombstones than that had. Replay makes the two fit, at the number of the new one.
func TestReplayTakesANumberBackThatTheLedgerDoesNotReach(t *testing.T) {
	w := newWorld(t)
	w.config.Ledger = memledger.New()
	c := w.client(t)
	values := seal(t, c, "acme")
	_, err := c.Shred(t.Context(), "acme", "gone", crypto.ShredOptions{})
	require.NoError(t, err)
	names := w.get(t, keystore.ID{Tenant: "acme", Purpose: "domain/privet/subjects"})
	names.Ledger = 7
	require.NoError(t, w.store.Update(t.Context(), names))
	c = w.client(t)
	_, err = c.Decrypt(t.Context(), values[1].ciphertext, values[1].at)
	require.ErrorIs(t, err, crypto.ErrLedger)
	_, err = c.Replay(t.Context())
	require.NoError(t, err)
	readable(t, c, values)
	state, err := c.LedgerState(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, crypto.LedgerState{Tenant: "acme", Entries: 1, CarriedOut: 1}, state)
}
