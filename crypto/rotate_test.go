package crypto_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

func TestRotateKeepsOldCiphertexts(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		c := w.client(t)
		values := seal(t, c, "acme")
		for _, s := range []crypto.Scope{{Tenant: "acme"}, {Tenant: "acme", Subject: "1"}} {
			at := crypto.Context{Tenant: "acme", Subject: s.Subject, Field: "f"}
			before, err := c.Encrypt(t.Context(), []byte("x"), at)
			require.NoError(t, err)
			info, err := c.Rotate(t.Context(), s)
			require.NoError(t, err)
			require.Len(t, info.Keys, 2)
			require.True(t, info.Keys[1].Primary)
			require.False(t, info.Keys[0].Primary)

			after, err := c.Encrypt(t.Context(), []byte("x"), at)
			require.NoError(t, err)
			require.Equal(t, info.Keys[1].ID.String(), fmt.Sprintf("%x", after[1:5]), "this process uses the new key at once")
			for ct, want := range map[string]bool{string(before): true, string(after): false} {
				stale, err := c.Stale(t.Context(), []byte(ct), at)
				require.NoError(t, err)
				require.Equal(t, want, stale)
			}
			stored, err := c.Keyring(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, info.Keys, stored.Keys)
			require.Equal(t, info.Changes, stored.Changes)
		}
		readable(t, c, values)
		readable(t, w.client(t), values)
	})
}

// What goes for values goes for streams: their keys are wrapped by the same keyring.
func TestStreamsOfARotatedKeyAreReadByOtherProcesses(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("Tink's streams are not approved")
	}
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	at := crypto.Context{Tenant: "acme", Field: "backup"}
	requireOpens(t, b, "x", encrypt(t, a, "x", at), at) // b holds the keyring
	_, err := a.Rotate(t.Context(), crypto.Scope{Tenant: "acme"})
	require.NoError(t, err)
	var sealed bytes.Buffer
	stream, err := a.NewEncryptWriter(t.Context(), &sealed, at)
	require.NoError(t, err)
	_, err = stream.Write([]byte("dump"))
	require.NoError(t, err)
	require.NoError(t, stream.Close())
	r, err := b.NewDecryptReader(t.Context(), &sealed, at)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "dump", string(got))
}

// A process that holds the keyring as it was opens what one that rotated it writes.
func TestRotatedKeyIsReadByOtherProcesses(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	values := seal(t, a, "acme")
	readable(t, b, values)
	for _, subject := range []string{"", "1"} {
		_, err := a.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: subject})
		require.NoError(t, err)
	}
	fresh := seal(t, a, "acme")
	readable(t, b, fresh)
	stale, err := b.Stale(t.Context(), values[0].ciphertext, values[0].at)
	require.NoError(t, err)
	require.True(t, stale, "and knows by then what is stale")
}

func TestRotateRefusesKeysThatNeverChange(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	seal(t, c, "acme")
	_, err := c.SigningKey(t.Context(), "acme", "receipts")
	require.NoError(t, err)
	for _, domain := range []string{"privet/subjects", "privet/signing"} {
		s := crypto.Scope{Tenant: "acme", Domain: domain}
		before, err := c.Keyring(t.Context(), s)
		require.NoError(t, err)
		_, rotated := c.Rotate(t.Context(), s)
		_, disabled := c.Disable(t.Context(), s, before.Keys[0].ID)
		_, older := c.DisableOlder(t.Context(), s, before.Keys[0].ID)
		for _, err := range []error{rotated, disabled, older} {
			require.ErrorIs(t, err, crypto.ErrFixed)
			require.Equal(t, fault.Guard, fault.KindOf(err))
			require.NotEmpty(t, fault.HintOf(err))
		}
		after, err := c.Keyring(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

func TestRotateMakesNoKeyrings(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	for _, s := range []crypto.Scope{{Tenant: "acme"}, {Tenant: "acme", Root: true}, {Tenant: "acme", Subject: "7"}, {Tenant: "acme", Domain: "cards"}} {
		_, err := c.Rotate(t.Context(), s)
		require.ErrorIs(t, err, crypto.ErrKeyring, "%s", s)
		require.Equal(t, fault.Data, fault.KindOf(err))
	}
	require.Empty(t, w.all(t))
	for _, s := range []crypto.Scope{
		{}, {Tenant: "acme", Root: true, Subject: "1"}, {Tenant: "acme", Domain: "d", Subject: "1"},
		{Tenant: "acme", Root: true, Domain: "d"}, {Tenant: "a\x00b"}, {Tenant: "acme", Domain: "a\x00b"},
	} {
		_, err := c.Rotate(t.Context(), s)
		require.ErrorIs(t, err, crypto.ErrContext, "%+v", s)
	}
}

func TestRotateLeavesTheErasedErased(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	seal(t, c, "acme")
	id, err := crypto.SubjectID(t.Context(), c, "acme", "1")
	require.NoError(t, err)
	rec := w.get(t, id)
	rec.State, rec.Wrapped = keystore.Erased, nil
	require.NoError(t, w.store.Update(t.Context(), rec))
	_, err = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"})
	require.ErrorIs(t, err, crypto.ErrErased)
	require.Equal(t, keystore.Erased, w.get(t, id).State)
}

// An erasure that comes between the reading and the change of a keyring wins.
func TestAnErasureDuringARotationWins(t *testing.T) {
	w := newWorld(t)
	seal(t, w.client(t), "acme")
	id, err := crypto.SubjectID(t.Context(), w.client(t), "acme", "1")
	require.NoError(t, err)
	w.config.Recorder = recorderFunc(func(context.Context, event.Event) error {
		rec := w.get(t, id)
		rec.State, rec.Wrapped = keystore.Erased, nil
		return w.store.Update(t.Context(), rec)
	})
	_, err = w.client(t).Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"})
	require.ErrorIs(t, err, crypto.ErrErased)
	require.Equal(t, keystore.Erased, w.get(t, id).State)
}

type recorderFunc func(context.Context, event.Event) error

func (f recorderFunc) Record(ctx context.Context, e event.Event) error { return f(ctx, e) }

func TestRotationsAtOnceAddOneKey(t *testing.T) {
	onEveryStore(t, func(t *testing.T, w *world) {
		seal(t, w.client(t), "acme")
		// All have read the keyring before the first writes it.
		const n = 4
		var ready sync.WaitGroup
		ready.Add(n)
		errs, infos := make([]error, n), make([]crypto.KeyringInfo, n)
		var done sync.WaitGroup
		for i := range n {
			cfg := w.config
			var first sync.Once
			cfg.Keystore = &meddlingStore{Store: w.store.Store, before: func(context.Context, keystore.Record) {
				first.Do(func() { ready.Done(); ready.Wait() })
			}}
			c, err := crypto.New(t.Context(), cfg)
			require.NoError(t, err)
			defer c.Close()
			done.Go(func() { infos[i], errs[i] = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme"}) })
		}
		done.Wait()
		for i := range n {
			require.NoError(t, errs[i])
			require.Len(t, infos[i].Keys, 2)
			require.Equal(t, infos[0].Keys, infos[i].Keys)
		}
	})
}

func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	seal(t, c, "acme")
	info, err := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme"})
	require.NoError(t, err)
	before := w.all(t)
	w.events.fail = errors.New("the log is full")
	_, rotate := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme"})
	_, root := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Root: true})
	_, disable := c.Disable(t.Context(), crypto.Scope{Tenant: "acme"}, info.Keys[0].ID)
	_, rewrap := c.Rewrap(t.Context(), crypto.RewrapOptions{KEK: newKEK(t)})
	for _, err := range []error{rotate, root, disable, rewrap} {
		require.ErrorIs(t, err, w.events.fail)
	}
	require.Equal(t, before, w.all(t))
}

func TestEventsNameKeysAndNoSubject(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	seal(t, c, "acme")
	n := len(w.events.events)
	info, err := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"})
	require.NoError(t, err)
	_, err = c.Disable(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"}, info.Keys[0].ID)
	require.NoError(t, err)
	_, err = c.Enable(t.Context(), crypto.Scope{Tenant: "acme", Subject: "1"}, info.Keys[0].ID)
	require.NoError(t, err)
	require.Equal(t, []string{"crypto.keyring.rotate", "crypto.keyring.disable", "crypto.keyring.enable"}, w.events.actions()[n:])
	for i, e := range w.events.events[n:] {
		require.Equal(t, "acme", e.Tenant)
		require.Len(t, e.Subject, 64, "the keyed hash")
		require.Equal(t, "ok", e.Outcome)
		key := info.Keys[0].ID
		if i == 0 {
			key = info.Keys[1].ID
		}
		require.Equal(t, "subject/"+key.String(), e.Object)
	}
}

func TestDomainVersionsStay(t *testing.T) {
	w := newWorld(t)
	c, other := w.client(t), w.client(t)
	subkey := func(c *crypto.Client, version int) []byte {
		t.Helper()
		b, err := c.SubkeyVersion(t.Context(), "acme", "cards", version, "test", 16)
		require.NoError(t, err)
		return b
	}
	newest := func(c *crypto.Client) []byte {
		t.Helper()
		b, err := c.Subkey(t.Context(), "acme", "cards", "test", 16)
		require.NoError(t, err)
		return b
	}
	v1 := newest(c)
	require.Equal(t, v1, subkey(c, 0))
	require.Equal(t, v1, subkey(other, 1))
	version, err := c.DomainVersion(t.Context(), "acme", "cards")
	require.NoError(t, err)
	require.Equal(t, 1, version)

	info, err := c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Domain: "cards"})
	require.NoError(t, err)
	require.Equal(t, 2, info.Keys[1].Version)
	require.NotEqual(t, v1, newest(c))
	require.Equal(t, v1, subkey(c, 1))
	require.Equal(t, newest(c), subkey(c, 2))
	require.Equal(t, newest(c), subkey(other, 2), "known elsewhere as soon as it is asked for")
	version, err = c.DomainVersion(t.Context(), "acme", "cards")
	require.NoError(t, err)
	require.Equal(t, 2, version)

	for _, version := range []int{-1, 3, 1 << 30} {
		_, err = c.SubkeyVersion(t.Context(), "acme", "cards", version, "test", 16)
		require.ErrorIs(t, err, crypto.ErrVersion)
	}
	_, err = c.Disable(t.Context(), crypto.Scope{Tenant: "acme", Domain: "cards"}, info.Keys[0].ID)
	require.NoError(t, err)
	_, err = c.SubkeyVersion(t.Context(), "acme", "cards", 1, "test", 16)
	require.ErrorIs(t, err, crypto.ErrVersion)
	require.Equal(t, newest(c), subkey(c, 2))
	_, err = c.SubkeyVersion(t.Context(), "acme", "privet/subjects", 1, "test", 16)
	require.ErrorIs(t, err, crypto.ErrContext)
	_, err = c.DomainVersion(t.Context(), "acme", "privet/subjects")
	require.ErrorIs(t, err, crypto.ErrContext)
}

func TestRotateRootsResumesWhereItStopped(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	tenants := []string{"a", "b", "c", "d"}
	values := seal(t, c, tenants...)
	var began time.Time // after all roots were made
	for _, r := range w.all(t) {
		if r.Purpose == "root" && !r.Updated.Before(began) {
			began = r.Updated.Add(time.Microsecond)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	n, err := c.RotateRoots(ctx, began, func(i crypto.KeyringInfo) {
		if i.Tenant == "b" {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, fault.Stopped, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), began.Format(time.RFC3339Nano))
	require.Equal(t, 2, n)
	n, err = c.RotateRoots(t.Context(), began, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for _, tenant := range tenants {
		info, err := c.Keyring(t.Context(), crypto.Scope{Tenant: tenant, Root: true})
		require.NoError(t, err)
		require.Len(t, info.Keys, 2, tenant)
	}
	readable(t, c, values)
	readable(t, w.client(t), values)
}

// Another process holds the root as it was, and opens what is under the new one.
func TestRotatedRootIsKnownElsewhere(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	readable(t, b, seal(t, b, "acme"))
	rotateRoot(t, a, "acme")
	at := crypto.Context{Tenant: "acme", Subject: "new", Field: "f"}
	ct, err := a.Encrypt(t.Context(), []byte("x"), at)
	require.NoError(t, err)
	calls := w.kek.unwraps.Load()
	pt, err := b.Decrypt(t.Context(), ct, at)
	require.NoError(t, err)
	require.Equal(t, "x", string(pt))
	require.Equal(t, int64(1), w.kek.unwraps.Load()-calls)
}

// A record that names a parent which never was costs no call of the key service.
func TestForgedParentCostsNoKMSCalls(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	values := seal(t, c, "acme")
	id, err := crypto.SubjectID(t.Context(), c, "acme", "1")
	require.NoError(t, err)
	rec := w.get(t, id)
	rec.Parent ^= 1
	require.NoError(t, w.store.Update(t.Context(), rec))
	b := w.client(t)
	readable(t, b, values[:1])
	calls := w.kek.unwraps.Load()
	for range 10 {
		_, err := b.Decrypt(t.Context(), values[1].ciphertext, values[1].at)
		require.ErrorIs(t, err, crypto.ErrKeyring)
	}
	require.Equal(t, calls, w.kek.unwraps.Load())
}

func TestARootHasALimitOfKeys(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	values := seal(t, c, "acme")
	var err error
	n := 1
	for ; err == nil && n < 100; n++ {
		_, err = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Root: true})
	}
	require.Equal(t, fault.Guard, fault.KindOf(err))
	require.Contains(t, fault.HintOf(err), "--remove-old")
	require.Greater(t, n, 30)
	readable(t, w.client(t), values)
	_, err = c.Rewrap(t.Context(), crypto.RewrapOptions{RemoveOld: true, OldFor: time.Nanosecond})
	require.NoError(t, err)
	rotateRoot(t, c, "acme")
	readable(t, w.client(t), values)
}
