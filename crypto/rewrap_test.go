package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/crypto/ledger/memledger"
	"github.com/privet-dev/privet/internal/fault"
)

// rewrap runs a rewrap without a limit of its rate.
func rewrap(t testing.TB, c *crypto.Client, o crypto.RewrapOptions) crypto.RewrapReport {
	t.Helper()
	o.PerSecond = -1
	report, err := c.Rewrap(t.Context(), o)
	require.NoError(t, err)
	return report
}

// parents returns how many keyrings are under each key of a tenant's root.
func (w *world) parents(t testing.TB, tenant string) map[crypto.KeyID]int {
	t.Helper()
	n := map[crypto.KeyID]int{}
	for _, r := range w.all(t) {
		if r.Tenant == tenant && r.Purpose != "root" && r.State == keystore.Active {
			n[crypto.KeyID(r.Parent)]++
		}
	}
	return n
}

func TestRewrapMovesKeyringsToTheNewestRootKey(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		tenants := []string{"acme", "globex"}
		values := seal(t, c, tenants...)
		domain, err := c.Subkey(t.Context(), "acme", "cards", "test", 16)
		require.NoError(t, err)
		newest := map[string]crypto.KeyID{}
		for _, tenant := range tenants {
			newest[tenant] = rotateRoot(t, c, tenant).Keys[1].ID
		}
		// A value, three subjects, their names' keyset and a domain, each twice.
		dry := rewrap(t, c, crypto.RewrapOptions{DryRun: true})
		require.Equal(t, crypto.RewrapReport{KEK: w.kek.URI(), DryRun: true, Tenants: 2, Roots: 2, Keyrings: 12, Rewrapped: 12}, dry)
		require.Zero(t, w.parents(t, "acme")[newest["acme"]], "a dry run changes nothing")

		one := rewrap(t, c, crypto.RewrapOptions{Tenant: "globex"})
		require.Equal(t, crypto.RewrapReport{KEK: w.kek.URI(), Tenants: 1, Roots: 1, Keyrings: 6, Rewrapped: 6}, one)
		all := rewrap(t, c, crypto.RewrapOptions{})
		require.Equal(t, crypto.RewrapReport{KEK: w.kek.URI(), Tenants: 2, Roots: 2, Keyrings: 12, Rewrapped: 6}, all)
		for _, tenant := range tenants {
			require.Equal(t, map[crypto.KeyID]int{newest[tenant]: 6}, w.parents(t, tenant))
		}
		again := rewrap(t, c, crypto.RewrapOptions{})
		require.Zero(t, again.Rewrapped)
		for _, c := range []*crypto.Client{c, w.client(t)} {
			readable(t, c, values)
			same, err := c.Subkey(t.Context(), "acme", "cards", "test", 16)
			require.NoError(t, err)
			require.Equal(t, domain, same)
		}
	})
}

func TestRewrapMovesRootsToAnotherKEK(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme", "globex")
		to := newKEK(t)
		before := w.all(t)
		report := rewrap(t, c, crypto.RewrapOptions{KEK: to})
		require.Equal(t, crypto.RewrapReport{KEK: to.URI(), Tenants: 2, Roots: 2, RootsMoved: 2, Keyrings: 12}, report)
		require.Equal(t, int64(2), to.wraps.Load())
		for i, r := range w.all(t) {
			if r.Purpose == "root" {
				require.Equal(t, to.URI(), r.KEK)
			} else {
				require.Equal(t, before[i], r, "keyrings are not touched")
			}
		}
		readable(t, c, values) // from memory
		_, err := w.client(t).Decrypt(t.Context(), values[0].ciphertext, values[0].at)
		require.ErrorIs(t, err, crypto.ErrKeyring)
		require.ErrorIs(t, err, kms.ErrInvalid)
		w.config.KEK = to
		readable(t, w.client(t), values)
		require.Zero(t, rewrap(t, w.client(t), crypto.RewrapOptions{}).RootsMoved)
	})
}

// A fleet changes its KEK without a pause: every process knows both first.
func TestFormerKEKsOpenUntilRewrapped(t *testing.T) {
	w := newWorld(t)
	values := seal(t, w.client(t), "acme", "globex")
	old, to := w.kek, newKEK(t)
	w.config.KEK, w.config.FormerKEKs = to, []kms.KEK{old}
	c := w.client(t)
	readable(t, c, values)
	readable(t, c, seal(t, c, "initech"))
	require.Zero(t, old.wraps.Load()-2, "the former key wraps nothing")
	require.Equal(t, int64(2), rewrap(t, c, crypto.RewrapOptions{}).RootsMoved)
	w.config.FormerKEKs = nil
	readable(t, w.client(t), values)

	w.config.FormerKEKs = []kms.KEK{nil}
	_, err := crypto.New(t.Context(), w.config)
	require.Equal(t, fault.Config, fault.KindOf(err))
}

func TestRewrapStaysInsideKMS(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/old")
	server.CreateKey("alias/new")
	open := func(name string) *awskms.KEK {
		k, err := awskms.Open(t.Context(), server.Config(name))
		require.NoError(t, err)
		return k
	}
	w := newWorld(t)
	w.config.KEK = open("alias/old")
	c := w.client(t)
	values := seal(t, c, "acme", "globex")
	server.ResetCalls()
	report := rewrap(t, c, crypto.RewrapOptions{KEK: open("alias/new")})
	require.Equal(t, int64(2), report.RootsMoved)
	require.Equal(t, int64(2), report.InsideKMS)
	require.Equal(t, 2, server.Calls("ReEncrypt"))
	require.Zero(t, server.Calls("Encrypt"))
	require.Equal(t, map[string]string{"purpose": "roots", "tenant": "globex"}, server.LastContext("ReEncrypt"))
	w.config.KEK = open("alias/new")
	readable(t, w.client(t), values)

	// A local key is another service: the root passes through this process.
	local := newKEK(t)
	report = rewrap(t, w.client(t), crypto.RewrapOptions{KEK: local})
	require.Equal(t, int64(2), report.RootsMoved)
	require.Zero(t, report.InsideKMS)
	w.config.KEK = local
	readable(t, w.client(t), values)
}

// An alias was pointed at another key: the records name the same KEK as before.
func TestRewrapFollowsAMovedAlias(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey("alias/privet")
	open := func(name string) *awskms.KEK {
		k, err := awskms.Open(t.Context(), server.Config(name))
		require.NoError(t, err)
		return k
	}
	w := newWorld(t)
	w.config.KEK = open("alias/privet")
	values := seal(t, w.client(t), "acme")
	server.CreateKey("alias/privet")
	_, err := w.client(t).Decrypt(t.Context(), values[0].ciphertext, values[0].at)
	require.ErrorIs(t, err, crypto.ErrKeyring)
	require.NotEmpty(t, fault.HintOf(err))

	w.config.FormerKEKs = []kms.KEK{open(id)}
	c := w.client(t)
	readable(t, c, values)
	status, err := c.Status(t.Context(), crypto.StatusOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(1), status.Keyrings["root"].Stale)
	require.Equal(t, int64(1), rewrap(t, c, crypto.RewrapOptions{}).RootsMoved)
	require.Zero(t, rewrap(t, c, crypto.RewrapOptions{}).RootsMoved)
	server.Destroy(id)
	w.config.FormerKEKs = nil
	readable(t, w.client(t), values)
}

func TestRewrapLeavesFormerKeyMaterial(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey()
	kek, err := awskms.Open(t.Context(), server.Config(id))
	require.NoError(t, err)
	w := newWorld(t)
	w.config.KEK = kek
	c := w.client(t)
	values := seal(t, c, "acme")
	first := server.Material(id)
	second := server.Rotate(id)
	material := func() (string, int64) {
		var got string
		s, err := c.Status(t.Context(), crypto.StatusOptions{Materials: true, Each: func(s crypto.TenantStatus) error {
			got = s.Material
			return nil
		}})
		require.NoError(t, err)
		return got, s.Keyrings["root"].Stale
	}
	got, stale := material()
	require.Equal(t, first, got)
	require.Equal(t, int64(1), stale)
	require.Zero(t, rewrap(t, c, crypto.RewrapOptions{}).RootsMoved)
	require.Equal(t, int64(1), rewrap(t, c, crypto.RewrapOptions{AllRoots: true}).InsideKMS)
	got, stale = material()
	require.Equal(t, second, got)
	require.Zero(t, stale)
	readable(t, w.client(t), values)
}

func TestRewrapResumesAfterACrash(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme", "globex")
		rotateRoot(t, c, "acme")
		newest := rotateRoot(t, c, "globex").Keys[1].ID
		to := newKEK(t)
		ctx, cancel := context.WithCancel(t.Context())
		first, err := c.Rewrap(ctx, crypto.RewrapOptions{KEK: to, PerSecond: -1, Progress: func(r crypto.RewrapReport) {
			if r.Rewrapped == 8 {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, fault.Stopped, fault.KindOf(err))
		require.Equal(t, int64(8), first.Rewrapped)
		require.Equal(t, int64(1), first.RootsMoved, "acme's was done")
		w.config.FormerKEKs = []kms.KEK{to}
		readable(t, w.client(t), values) // and half of it serves

		second := rewrap(t, w.client(t), crypto.RewrapOptions{KEK: to})
		require.Equal(t, int64(4), second.Rewrapped)
		require.Equal(t, int64(1), second.RootsMoved)
		require.Equal(t, map[crypto.KeyID]int{newest: 6}, w.parents(t, "globex"))
		w.config.KEK, w.config.FormerKEKs = to, nil
		readable(t, w.client(t), values)
	})
}

func TestRewrapsAtOnceDoTheWorkOnce(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme", "globex", "initech")
		for _, tenant := range []string{"acme", "globex", "initech"} {
			rotateRoot(t, c, tenant)
		}
		to := newKEK(t)
		reports, errs := make([]crypto.RewrapReport, 3), make([]error, 3)
		var group sync.WaitGroup
		for i := range reports {
			c := w.client(t)
			group.Go(func() {
				reports[i], errs[i] = c.Rewrap(t.Context(), crypto.RewrapOptions{KEK: to, RemoveOld: true, OldFor: time.Nanosecond, PerSecond: -1})
			})
		}
		group.Wait()
		require.NoError(t, errors.Join(errs...))
		var sum crypto.RewrapReport
		for _, r := range reports {
			sum.Rewrapped += r.Rewrapped
			sum.RootsMoved += r.RootsMoved
			sum.KeysRemoved += r.KeysRemoved
		}
		require.Equal(t, int64(18), sum.Rewrapped)
		require.Equal(t, int64(3), sum.RootsMoved)
		w.config.KEK = to
		readable(t, w.client(t), values)
		// A run that met another's changes leaves the removal to the next.
		next := rewrap(t, w.client(t), crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond})
		require.Equal(t, int64(3), sum.KeysRemoved+next.KeysRemoved)
		readable(t, w.client(t), values)
	})
}

// What others do to a keyring while it is rewrapped is not lost.
func TestRewrapMeetsOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		at     string // the purpose of the keyring that is about to be written
		meddle func(*testing.T, *world, keystore.Record)
		want   func(*testing.T, *world, keystore.Record, crypto.RewrapReport)
	}{
		"a rotation": {
			"value",
			func(t *testing.T, w *world, r keystore.Record) {
				_, err := w.client(t).Rotate(t.Context(), crypto.Scope{Tenant: "acme"})
				require.NoError(t, err)
			},
			func(t *testing.T, w *world, r keystore.Record, report crypto.RewrapReport) {
				info, err := w.client(t).Keyring(t.Context(), crypto.Scope{Tenant: "acme"})
				require.NoError(t, err)
				require.Len(t, info.Keys, 2, "the added key is there")
				require.Equal(t, int64(6), report.Rewrapped)
			},
		},
		"an erasure": {
			"value",
			func(t *testing.T, w *world, r keystore.Record) {
				r = w.get(t, r.ID)
				r.State, r.Wrapped = keystore.Erased, nil
				require.NoError(t, w.store.Store.Update(t.Context(), r))
			},
			func(t *testing.T, w *world, r keystore.Record, report crypto.RewrapReport) {
				require.Equal(t, keystore.Erased, w.get(t, r.ID).State, "the tombstone stays")
				require.Equal(t, int64(5), report.Rewrapped)
				require.Equal(t, int64(1), report.Erased)
			},
		},
		"a rotation of the root": {
			"value",
			func(t *testing.T, w *world, r keystore.Record) {
				c := w.client(t)
				rotateRoot(t, c, "acme")
				_, err := c.Encrypt(t.Context(), []byte("x"), crypto.Context{Tenant: "acme", Subject: "late", Field: "f"})
				require.NoError(t, err)
			},
			func(t *testing.T, w *world, r keystore.Record, report crypto.RewrapReport) {
				require.Zero(t, report.KeysRemoved, "the root's keys are in use again")
				require.Equal(t, int64(6), report.Rewrapped)
				s, err := w.client(t).Status(t.Context(), crypto.StatusOptions{Verify: true})
				require.NoError(t, err)
				require.Zero(t, s.Unreadable())
				require.Equal(t, int64(6), s.Stale())
			},
		},
		"a rotation of the root and another rewrap": {
			"subject",
			func(t *testing.T, w *world, r keystore.Record) {
				c := w.client(t)
				rotateRoot(t, c, "acme")
				id, err := crypto.SubjectID(t.Context(), c, "acme", "1")
				require.NoError(t, err)
				_, err = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"})
				require.NoError(t, err)
				_, err = c.Rewrap(t.Context(), crypto.RewrapOptions{})
				require.NoError(t, err)
				require.NotEqual(t, r.Parent, w.get(t, id).Parent)
			},
			func(t *testing.T, w *world, r keystore.Record, report crypto.RewrapReport) {
				s, err := w.client(t).Status(t.Context(), crypto.StatusOptions{Verify: true})
				require.NoError(t, err)
				require.Zero(t, s.Unreadable(), "no key was removed that wraps something")
				require.Zero(t, report.KeysRemoved)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			values := seal(t, w.client(t), "acme")
			rotateRoot(t, w.client(t), "acme")
			var met keystore.Record
			store := &meddlingStore{Store: w.store.Store}
			store.before = func(_ context.Context, r keystore.Record) {
				if r.Purpose == tc.at && met.Tenant == "" {
					met = r
					tc.meddle(t, w, r)
				}
			}
			cfg := w.config
			cfg.Keystore = store
			c, err := crypto.New(t.Context(), cfg)
			require.NoError(t, err)
			defer c.Close()
			report := rewrap(t, c, crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond})
			require.NotEmpty(t, met.Tenant)
			tc.want(t, w, met, report)
			if name != "an erasure" {
				readable(t, w.client(t), values)
			}
		})
	}
}

func TestRemoveOldWaitsForCachesAndSparesWhatIsUsed(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme")
		rotateRoot(t, c, "acme")
		young := rewrap(t, c, crypto.RewrapOptions{RemoveOld: true})
		require.Equal(t, int64(1), young.TooYoung)
		require.Zero(t, young.KeysRemoved, "a process may still use the former key")

		dry := rewrap(t, c, crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond, DryRun: true})
		require.Equal(t, int64(1), dry.KeysRemoved)
		done := rewrap(t, c, crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond})
		require.Equal(t, int64(1), done.KeysRemoved)
		info, err := c.Keyring(t.Context(), crypto.Scope{Tenant: "acme", Root: true})
		require.NoError(t, err)
		require.Len(t, info.Keys, 1)
		require.True(t, info.Keys[0].Primary)
		readable(t, c, values)
		readable(t, w.client(t), values)
	})
}

// A keyring that cannot be read stays as it is, keeps its root's keys, and stops
// nothing else.
func TestRewrapLeavesWhatItCannotRead(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	values := seal(t, c, "acme", "broken", "globex")
	for _, tenant := range []string{"acme", "broken", "globex"} {
		rotateRoot(t, c, tenant)
	}
	id, err := crypto.SubjectID(t.Context(), c, "acme", "2")
	require.NoError(t, err)
	rec := w.get(t, id)
	rec.Wrapped[len(rec.Wrapped)-1] ^= 1
	require.NoError(t, w.store.Update(t.Context(), rec))
	broken := w.get(t, id)
	root := w.get(t, keystore.ID{Tenant: "broken", Purpose: "root"})
	root.Wrapped[len(root.Wrapped)-1] ^= 1
	require.NoError(t, w.store.Update(t.Context(), root))

	report, err := w.client(t).Rewrap(t.Context(), crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond, PerSecond: -1})
	require.ErrorIs(t, err, crypto.ErrKeyring)
	require.Equal(t, fault.Data, fault.KindOf(err))
	require.Equal(t, int64(11), report.Rewrapped)
	require.Equal(t, int64(1+1+6), report.Failed, "a keyring, a root and what it wraps")
	require.Len(t, report.Problems, 8)
	require.Equal(t, int64(1), report.KeysRemoved, "those of globex alone")
	require.Equal(t, broken, w.get(t, id))
	readable(t, w.client(t), slices.Concat(values[:2], values[3:4], values[8:]))

	s, err := w.client(t).Status(t.Context(), crypto.StatusOptions{Verify: true})
	require.NoError(t, err)
	require.Equal(t, int64(8), s.Unreadable())
	require.False(t, s.OldBackups.Harmless)
}

// A KEK that wraps and does not unwrap never gets a root.
func TestRewrapProvesTheNewKEK(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	values := seal(t, c, "acme")
	to := newKEK(t)
	denied := fmt.Errorf("no permission to decrypt: %w", kms.ErrDenied)
	before := w.all(t)
	_, err := c.Rewrap(t.Context(), crypto.RewrapOptions{KEK: wrapOnly{to, denied}})
	require.ErrorIs(t, err, kms.ErrDenied)
	require.Equal(t, before, w.all(t))
	readable(t, w.client(t), values)
}

type wrapOnly struct {
	kms.KEK
	err error
}

func (k wrapOnly) Unwrap(context.Context, []byte, map[string]string) ([]byte, error) {
	return nil, k.err
}

func TestRewrapKeepsItsPace(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	seal(t, c, "acme")
	rotateRoot(t, c, "acme")
	began := time.Now()
	report, err := c.Rewrap(t.Context(), crypto.RewrapOptions{PerSecond: 100})
	require.NoError(t, err)
	require.Equal(t, int64(6), report.Rewrapped)
	// The root, then six keyrings, 10 ms apart.
	require.GreaterOrEqual(t, time.Since(began), 60*time.Millisecond)
}

// A keystore that was restored is brought up to the ledger before its keyrings move:
// the erased are not carried over to new keys.
func TestRewrapCarriesOutErasuresFirst(t *testing.T) {
	w := newWorld(t)
	w.config.Ledger = memledger.New()
	c := w.client(t)
	values := seal(t, c, "acme", "globex")
	backup := copyStore(t, w.store)
	_, err := c.Shred(t.Context(), "acme", "1", crypto.ShredOptions{})
	require.NoError(t, err)

	w.store.Store = backup
	c = w.client(t)
	status := func() crypto.Status {
		s, err := c.Status(t.Context(), crypto.StatusOptions{})
		require.NoError(t, err)
		require.True(t, s.Ledger)
		return s
	}
	require.Equal(t, int64(1), status().Behind)
	rotateRoot(t, c, "acme")
	require.Equal(t, int64(6), rewrap(t, c, crypto.RewrapOptions{DryRun: true, Tenant: "acme"}).Rewrapped)
	require.Equal(t, int64(1), status().Behind, "a dry run changes nothing")
	report := rewrap(t, c, crypto.RewrapOptions{})
	require.Equal(t, int64(5), report.Rewrapped)
	require.Equal(t, int64(1), report.Erased)
	require.Zero(t, status().Behind)
	_, err = w.client(t).Decrypt(t.Context(), values[1].ciphertext, values[1].at)
	require.ErrorIs(t, err, crypto.ErrErased)
	readable(t, w.client(t), slices.Concat(values[:1], values[2:]))
}
