package crypto_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/pgtest"
)

// What follows is shared by the tests of rotation, rewrapping and status.

// onEveryStore runs a test on each implementation of the keystore.
func onEveryStore(t *testing.T, test func(*testing.T, *world)) {
	for name, open := range map[string]func(*testing.T) (keystore.Store, error){
		"memstore": func(*testing.T) (keystore.Store, error) { return memstore.New(), nil },
		"sqlitestore": func(t *testing.T) (keystore.Store, error) {
			return sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "keys.db"))
		},
		"pgstore": func(t *testing.T) (keystore.Store, error) { return pgstore.Open(t.Context(), pgtest.Database(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			if name == "pgstore" && testing.Short() {
				t.Skip("starts a server")
			}
			store, err := open(t)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			test(t, newWorldOn(t, store))
		})
	}
}

// newWorldOn returns a world on a keystore.
func newWorldOn(t testing.TB, store keystore.Store) *world {
	w := newWorld(t)
	w.store.Store = store
	return w
}

// newKEK returns one more local key.
func newKEK(t testing.TB) *countingKEK {
	t.Helper()
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	return &countingKEK{KEK: kek}
}

// A sealedValue is a value that must stay readable.
type sealedValue struct {
	ciphertext []byte
	at         crypto.Context
}

// seal encrypts one value at each scope that values have.
func seal(t testing.TB, c *crypto.Client, tenants ...string) []sealedValue {
	t.Helper()
	var out []sealedValue
	for _, tenant := range tenants {
		for _, subject := range []string{"", "1", "2", "3"} {
			at := crypto.Context{Tenant: tenant, Subject: subject, Field: "customer.email"}
			ct, err := c.Encrypt(t.Context(), []byte(tenant+subject), at)
			require.NoError(t, err)
			out = append(out, sealedValue{ct, at})
		}
		_, err := c.Subkey(t.Context(), tenant, "cards", "test", 16)
		require.NoError(t, err)
	}
	return out
}

// readable requires that a client opens all values.
func readable(t testing.TB, c *crypto.Client, values []sealedValue) {
	t.Helper()
	for _, v := range values {
		pt, err := c.Decrypt(t.Context(), v.ciphertext, v.at)
		require.NoError(t, err, "%s/%s", v.at.Tenant, v.at.Subject)
		require.Equal(t, v.at.Tenant+v.at.Subject, string(pt))
	}
}

// actions returns what was recorded, in order.
func (l *eventLog) actions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, e := range l.events {
		out = append(out, e.Action)
	}
	return out
}

// rotateRoot rotates a tenant's root.
func rotateRoot(t testing.TB, c *crypto.Client, tenant string) crypto.KeyringInfo {
	t.Helper()
	info, err := c.Rotate(t.Context(), crypto.Scope{Tenant: tenant, Root: true})
	require.NoError(t, err)
	return info
}

// A meddlingStore calls before with every update.
type meddlingStore struct {
	keystore.Store
	before  func(context.Context, keystore.Record)
	updates atomic.Int64
}

func (s *meddlingStore) Update(ctx context.Context, r keystore.Record) error {
	s.updates.Add(1)
	if s.before != nil {
		s.before(ctx, r)
	}
	return s.Store.Update(ctx, r)
}
