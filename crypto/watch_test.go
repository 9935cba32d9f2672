package crypto_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
)

// A toldStore is a keystore of which a test says what it tells.
type toldStore struct {
	keystore.Store
	tell func(keystore.ID)
}

func (s *toldStore) Watch(_ context.Context, changed func(keystore.ID)) (stop func(), err error) {
	s.tell = changed
	return func() {}, nil
}

// A listener that was lost may have missed anything: all keys are read again, and the
// key service is asked.
func TestALostListenerForgetsEverything(t *testing.T) {
	w := newWorld(t)
	store := &toldStore{Store: w.store}
	w.config.Keystore = store
	c := w.client(t)
	values := seal(t, c, "acme")
	readable(t, c, values)
	reads, asked := w.store.gets.Load(), w.kek.unwraps.Load()
	readable(t, c, values)
	require.Equal(t, reads, w.store.gets.Load())
	store.tell(keystore.ID{})
	readable(t, c, values)
	require.Greater(t, w.store.gets.Load(), reads)
	require.Greater(t, w.kek.unwraps.Load(), asked)
}

// An erasure that is heard of while the keyring is being loaded is not undone by the
// load: what was read before is kept by nobody.
func TestAnErasureHeardDuringALoadStays(t *testing.T) {
	w := newWorld(t)
	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
	other := crypto.Context{Tenant: "acme", Subject: "4712", Field: "f"}
	writer := w.client(t)
	ciphertext, kept := encrypt(t, writer, "x", at), encrypt(t, writer, "y", other)
	bubble(t, func(t *testing.T) {
		store := &toldStore{Store: w.store}
		w.config.Keystore = store
		c := w.client(t)
		id, err := crypto.SubjectID(t.Context(), c, "acme", "4711")
		require.NoError(t, err)
		requireOpens(t, c, "y", kept, other)
		crypto.DropRoot(c, "acme")
		release := make(chan struct{})
		w.kek.hook.Store(new(func(context.Context) error {
			<-release
			return nil
		}))
		defer w.kek.hook.Store(nil)
		early := make(chan error, 1)
		go func() {
			_, err := c.Decrypt(t.Context(), ciphertext, at)
			early <- err
		}()
		synctest.Wait() // it has read the keyring, and waits for its root
		require.NoError(t, w.store.Update(t.Context(), keystore.Record{ID: id, State: keystore.Erased, Version: 1}))
		store.tell(id)
		close(release)
		require.NoError(t, <-early, "it asked before the erasure")
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, crypto.ErrErased)
		reads := w.store.gets.Load()
		requireOpens(t, c, "y", kept, other)
		require.Equal(t, reads, w.store.gets.Load(), "the other subject's keyring stays in memory")
	})
}

// A keystore that was restored and changed since may hold another keyring under the
// same number of changes. It takes the place of the one in memory.
func TestARestoredKeyringOfTheSameVersionIsRead(t *testing.T) {
	w := newWorld(t)
	at := crypto.Context{Tenant: "acme", Field: "f"}
	encrypt(t, w.client(t), "x", at)
	backup := memstore.New()
	for _, rec := range w.all(t) {
		require.NoError(t, backup.Create(t.Context(), rec))
	}
	scope := crypto.Scope{Tenant: "acme"}
	store := &toldStore{Store: w.store.Store}
	w.config.Keystore = store
	c := w.client(t)
	before, err := c.Rotate(t.Context(), scope)
	require.NoError(t, err)
	requireOpens(t, c, "y", encrypt(t, c, "y", at), at)

	w.config.Keystore = backup
	other := w.client(t)
	after, err := other.Rotate(t.Context(), scope)
	require.NoError(t, err)
	require.Equal(t, before.Changes, after.Changes)
	store.Store = backup
	requireOpens(t, c, "z", encrypt(t, other, "z", at), at)
}
