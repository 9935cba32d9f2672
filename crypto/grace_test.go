package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

// awsWorld is a client over the real AWS client and a double of its service.
func awsWorld(t *testing.T) (*kmstest.Server, *crypto.Client) {
	t.Helper()
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	cfg := server.Config("alias/privet")
	cfg.MaxAttempts = 1
	kek, err := awskms.Open(t.Context(), cfg)
	require.NoError(t, err)
	c, err := crypto.New(t.Context(), crypto.Config{KEK: kek, Keystore: memstore.New(), CacheLife: 5 * time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return server, c
}

// While the key service gives no answer, keys in memory write for 3 minutes past
// their life and read for an hour, and the client says that it is degraded.
func TestKMSOutageServesWithinGrace(t *testing.T) {
	for name, fault := range map[string]kmstest.Fault{
		"throttled": kmstest.Throttled(0),
		"internal":  kmstest.Internal(0),
		"dropped":   kmstest.Dropped(0),
	} {
		t.Run(name, func(t *testing.T) {
			server, c := awsWorld(t)
			at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
			ciphertext := encrypt(t, c, "x", at)
			require.NoError(t, c.Degraded())
			server.Inject(fault)

			crypto.Advance(c, 6*time.Minute) // past every life
			for range 3 {
				requireOpens(t, c, "x", ciphertext, at)
				encrypt(t, c, "y", at)
				crypto.Settle(c)
			}
			require.ErrorIs(t, c.Degraded(), kms.ErrUnavailable)
			_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "other", Field: "f"})
			require.ErrorIs(t, err, kms.ErrUnavailable, "there is nothing to serve")
			encrypt(t, c, "y", crypto.Context{Tenant: "acme", Subject: "new", Field: "f"})

			crypto.Advance(c, 3*time.Minute)
			requireOpens(t, c, "x", ciphertext, at)
			_, err = c.Encrypt(t.Context(), nil, at)
			require.ErrorIs(t, err, kms.ErrUnavailable)
			_, err = c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "acme", Subject: "newer", Field: "f"})
			require.ErrorIs(t, err, kms.ErrUnavailable)

			crypto.Advance(c, 51*time.Minute)
			requireOpens(t, c, "x", ciphertext, at)
			crypto.Settle(c)
			crypto.Advance(c, 6*time.Minute)
			_, err = c.Decrypt(t.Context(), ciphertext, at)
			require.ErrorIs(t, err, kms.ErrUnavailable, "the grace is over")
			require.NotErrorIs(t, err, crypto.ErrDecrypt)

			server.Heal()
			requireOpens(t, c, "x", ciphertext, at)
			encrypt(t, c, "y", at)
			require.NoError(t, c.Degraded())
		})
	}
}

// When the service is back, what was served from its grace is confirmed in the
// background.
func TestKMSOutageEnds(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		down := fmt.Errorf("injected: %w", kms.ErrUnavailable)
		w.kek.fail.Store(&down)
		time.Sleep(6 * time.Minute)
		for range 100 {
			requireOpens(t, c, "x", ciphertext, benchAt)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		require.LessOrEqual(t, w.kek.unwraps.Load(), int64(100*time.Second/crypto.GraceRetry)+1, "asked now and then")
		require.Error(t, c.Degraded())
		w.kek.fail.Store(nil)
		for range 20 {
			requireOpens(t, c, "x", ciphertext, benchAt)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		require.NoError(t, c.Degraded())
		encrypt(t, c, "y", benchAt) // past the grace for writing, had it gone on
		before := w.kek.unwraps.Load()
		for range 100 {
			requireOpens(t, c, "x", ciphertext, benchAt)
			time.Sleep(time.Second)
		}
		require.Equal(t, before, w.kek.unwraps.Load(), "confirmed for a whole life")
	})
}

// A failure is not reported for ever where nobody asks again.
func TestDegradedIsForgotten(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		down := fmt.Errorf("injected: %w", kms.ErrUnavailable)
		w.kek.fail.Store(&down)
		_, err := c.Encrypt(t.Context(), nil, benchAt)
		require.ErrorIs(t, err, kms.ErrUnavailable)
		require.ErrorIs(t, c.Degraded(), kms.ErrUnavailable)
		time.Sleep(5 * time.Minute)
		require.NoError(t, c.Degraded())
	})
}

// While the keystore gives no answer, the same holds.
func TestKeystoreOutageServesWithinGrace(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		gone := errors.New("connection refused")
		fail := func(context.Context) error { return gone }
		w.store.hook.Store(&fail)
		defer w.store.hook.Store(nil)
		time.Sleep(6 * time.Minute)
		requireOpens(t, c, "x", ciphertext, benchAt)
		encrypt(t, c, "y", benchAt)
		require.ErrorIs(t, c.Degraded(), gone)
		time.Sleep(2*time.Minute + time.Second)
		_, err := c.Encrypt(t.Context(), nil, benchAt)
		require.ErrorIs(t, err, gone)
		requireOpens(t, c, "x", ciphertext, benchAt)
		time.Sleep(time.Hour)
		_, err = c.Decrypt(t.Context(), ciphertext, benchAt)
		require.ErrorIs(t, err, gone)
		w.store.hook.Store(nil)
		requireOpens(t, c, "x", ciphertext, benchAt)
		require.NoError(t, c.Degraded())
	})
}

// A keystore that refuses this role is no outage.
func TestKeystoreDenialFailsClosed(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		refused := fmt.Errorf("injected: %w", keystore.ErrDenied)
		fail := func(context.Context) error { return refused }
		w.store.hook.Store(&fail)
		defer w.store.hook.Store(nil)
		time.Sleep(6 * time.Minute)
		_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
		require.ErrorIs(t, err, keystore.ErrDenied)
	})
}

// Whatever the service answers as policy takes everything under the key out of
// memory at once, other tenants' keys included, and there is no grace.
func TestKMSDenialFailsClosedAtOnce(t *testing.T) {
	for name, deny := range map[string]func(*kmstest.Server){
		"disabled":  func(s *kmstest.Server) { s.Disable("alias/privet") },
		"denied":    func(s *kmstest.Server) { s.Inject(kmstest.AccessDenied()) },
		"not found": func(s *kmstest.Server) { s.Inject(kmstest.Fault{Code: "NotFoundException"}) },
		"pending":   func(s *kmstest.Server) { s.Inject(kmstest.Fault{Code: "KMSInvalidStateException"}) },
	} {
		t.Run(name, func(t *testing.T) {
			server, c := awsWorld(t)
			at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
			ciphertext, other := encrypt(t, c, "x", at), encrypt(t, c, "x", benchAt)
			deny(server)
			requireOpens(t, c, "x", ciphertext, at)
			// Nobody has asked the service yet. The next who does learns it for all.
			_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "umbrella", Field: "f"})
			require.ErrorIs(t, err, kms.ErrDenied)
			for range 2 {
				_, err = c.Decrypt(t.Context(), ciphertext, at)
				require.ErrorIs(t, err, kms.ErrDenied)
				_, err = c.Encrypt(t.Context(), nil, at)
				require.ErrorIs(t, err, kms.ErrDenied)
				_, err = c.Decrypt(t.Context(), other, benchAt)
				require.ErrorIs(t, err, kms.ErrDenied)
				_, err = c.Subkey(t.Context(), "acme", "cards", "p", 32)
				require.ErrorIs(t, err, kms.ErrDenied)
			}
			require.NoError(t, c.Degraded(), "it did answer")
			server.Enable("alias/privet")
			server.Heal()
			requireOpens(t, c, "x", ciphertext, at)
		})
	}
}

// A denial that a refresh in the background finds, or one after an outage, ends the
// service of what is in memory too.
func TestKMSDenialEndsGrace(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		denied := fmt.Errorf("injected: %w", kms.ErrDenied)
		down := fmt.Errorf("injected: %w", kms.ErrUnavailable)

		w.kek.fail.Store(&denied)
		time.Sleep(280 * time.Second) // due, not over
		requireOpens(t, c, "x", ciphertext, benchAt)
		synctest.Wait()
		_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
		require.ErrorIs(t, err, kms.ErrDenied)

		w.kek.fail.Store(nil)
		requireOpens(t, c, "x", ciphertext, benchAt)
		w.kek.fail.Store(&down)
		time.Sleep(10 * time.Minute)
		requireOpens(t, c, "x", ciphertext, benchAt)
		w.kek.fail.Store(&denied)
		time.Sleep(crypto.GraceRetry)
		requireOpens(t, c, "x", ciphertext, benchAt)
		synctest.Wait()
		_, err = c.Decrypt(t.Context(), ciphertext, benchAt)
		require.ErrorIs(t, err, kms.ErrDenied)
	})
}

// A tenant that stays denied does not have everybody else's keys read again each
// time it is tried.
func TestDeniedTenantDisturbsNobody(t *testing.T) {
	w := newWorld(t)
	encrypt(t, w.client(t), "x", crypto.Context{Tenant: "denied", Field: "f"})
	c := w.client(t)
	ciphertext := encrypt(t, c, "x", benchAt)
	denied := fmt.Errorf("injected: %w", kms.ErrDenied)
	var before int64
	for i := range 20 {
		w.kek.fail.Store(&denied)
		_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "denied", Field: "f"})
		require.ErrorIs(t, err, kms.ErrDenied)
		w.kek.fail.Store(nil)
		crypto.Advance(c, 2*time.Second)
		requireOpens(t, c, "x", ciphertext, benchAt)
		if i == 0 {
			before = w.kek.unwraps.Load()
		}
	}
	require.Equal(t, before+19, w.kek.unwraps.Load(), "the denied tenant's own calls")
}

// A service that hangs delays the first caller by a second and the next not at all.
func TestHangingKMSHangsNobodyWithinGrace(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
		items := []crypto.Item{{Data: encrypt(t, c, "x", at), At: at}, {Data: encrypt(t, c, "x", benchAt), At: benchAt}}
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return fmt.Errorf("%w: %w", kms.ErrUnavailable, ctx.Err())
		}
		w.kek.hook.Store(&hang)
		time.Sleep(6 * time.Minute)
		began := time.Now()
		for _, r := range c.DecryptBatch(t.Context(), items) {
			require.NoError(t, r.Err)
		}
		require.LessOrEqual(t, time.Since(began), crypto.GracePatience)
		began = time.Now()
		requireOpens(t, c, "x", items[0].Data, at)
		requireOpens(t, c, "x", items[1].Data, benchAt)
		require.Zero(t, time.Since(began))
		_, err := c.Decrypt(t.Context(), items[0].Data, crypto.Context{Tenant: "acme", Subject: "unknown", Field: "f"})
		require.Equal(t, crypto.ErrDecrypt, err)
		require.LessOrEqual(t, time.Since(began), crypto.GracePatience)
	})
}

// What is served under a root in its grace does not gain a life of its own by being
// read again.
func TestGraceDoesNotProlongItself(t *testing.T) {
	w := newWorld(t)
	subject := func(i int) crypto.Context {
		return crypto.Context{Tenant: "acme", Subject: fmt.Sprint(i), Field: "f"}
	}
	ciphertext := encrypt(t, w.client(t), "x", subject(1))
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		encrypt(t, c, "x", subject(2))
		down := fmt.Errorf("injected: %w", kms.ErrUnavailable)
		w.kek.fail.Store(&down)
		time.Sleep(7*time.Minute + 50*time.Second)
		requireOpens(t, c, "x", ciphertext, subject(1)) // first read now, root in its grace
		encrypt(t, c, "x", subject(1))
		time.Sleep(20 * time.Second)
		_, err := c.Encrypt(t.Context(), nil, subject(1))
		require.ErrorIs(t, err, kms.ErrUnavailable)
		requireOpens(t, c, "x", ciphertext, subject(1))
		time.Sleep(57 * time.Minute)
		_, err = c.Decrypt(t.Context(), ciphertext, subject(1))
		require.ErrorIs(t, err, kms.ErrUnavailable)
	})
}

// An erasure is seen although the key service is away, as soon as the keystore is
// asked again.
func TestErasureEndsGrace(t *testing.T) {
	w := newWorld(t)
	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", at)
		id, err := crypto.SubjectID(t.Context(), c, "acme", "4711")
		require.NoError(t, err)
		down := fmt.Errorf("injected: %w", kms.ErrUnavailable)
		w.kek.fail.Store(&down)
		time.Sleep(10 * time.Minute)
		requireOpens(t, c, "x", ciphertext, at)
		require.NoError(t, w.store.Update(t.Context(), keystore.Record{ID: id, State: keystore.Erased, Version: 1}))
		time.Sleep(crypto.GraceRetry)
		_, _ = c.Decrypt(t.Context(), ciphertext, at)
		synctest.Wait()
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, crypto.ErrErased)
	})
}

// A load that began before a drop is not kept, and nobody who asks after it gets it.
func TestLoadFromBeforeADropIsNotKept(t *testing.T) {
	w := newWorld(t)
	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
	ciphertext := encrypt(t, w.client(t), "x", at)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		id, err := crypto.SubjectID(t.Context(), c, "acme", "4711")
		require.NoError(t, err)
		kek, release := w.kek, make(chan struct{})
		crypto.DropRoot(c, "acme")
		hold := func(context.Context) error {
			<-release
			return nil
		}
		kek.hook.Store(&hold)
		defer kek.hook.Store(nil)
		early := make(chan error, 1)
		go func() {
			_, err := c.Decrypt(t.Context(), ciphertext, at)
			early <- err
		}()
		synctest.Wait() // it has read the keyring, and waits for its root
		require.NoError(t, w.store.Update(t.Context(), keystore.Record{ID: id, State: keystore.Erased, Version: 1}))
		crypto.Drop(c, "acme", "4711")
		late := make(chan error, 1)
		go func() {
			_, err := c.Decrypt(t.Context(), ciphertext, at)
			late <- err
		}()
		synctest.Wait()
		close(release)
		require.NoError(t, <-early, "it asked before the erasure")
		require.ErrorIs(t, <-late, crypto.ErrErased)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, crypto.ErrErased)
	})
}

// A key that a keyring lacks is asked for once a second, and its ciphertexts are refused
// without a wait. A rotation shows all the same.
func TestTheSameUnknownKeyIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		a, b := w.client(t), w.client(t)
		foreign := encrypt(t, a, "x", crypto.Context{Tenant: "globex", Field: "f"})
		at := crypto.Context{Tenant: "acme", Field: "f"}
		requireOpens(t, b, "x", encrypt(t, a, "x", at), at)
		refuse := func() {
			_, err := b.Decrypt(t.Context(), foreign, at)
			require.Equal(t, crypto.ErrDecrypt, err)
		}
		time.Sleep(time.Second)
		refuse()
		reads, began := w.store.gets.Load(), time.Now()
		for range 1000 {
			refuse()
		}
		require.Equal(t, reads, w.store.gets.Load())
		require.Zero(t, time.Since(began))
		time.Sleep(time.Millisecond)
		_, err := a.Rotate(t.Context(), crypto.Scope{Tenant: "acme"})
		require.NoError(t, err)
		requireOpens(t, b, "y", encrypt(t, a, "y", at), at)
		time.Sleep(time.Second)
		reads = w.store.gets.Load()
		refuse()
		require.Greater(t, w.store.gets.Load(), reads, "not remembered for ever")
	})
}

// Forged key ids cause few reads of the keystore, however many there are.
func TestForgedKeyIDsAreNoFlood(t *testing.T) {
	w := newWorld(t)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		before, began := w.store.gets.Load(), time.Now()
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				forged := append([]byte(nil), ciphertext...)
				forged[4] ^= 0xff // never the genuine one
				for n := range 50 {
					forged[1], forged[2] = byte(i), byte(n)
					_, err := c.Decrypt(t.Context(), forged, benchAt)
					if err != crypto.ErrDecrypt {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		allowed := int64(time.Since(began)/crypto.ReloadEvery) + 2
		require.LessOrEqual(t, w.store.gets.Load()-before, allowed)
		require.Less(t, allowed, int64(200))
		requireOpens(t, c, "x", ciphertext, benchAt)
	})
}

func TestKMSCallsInFlightAreLimited(t *testing.T) {
	w := newWorld(t)
	w.config.KMSCalls = 3
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		var now, most atomic.Int64
		slow := func(context.Context) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			return nil
		}
		w.kek.hook.Store(&slow)
		items := make([]crypto.Item, 30)
		for i := range items {
			items[i].At = crypto.Context{Tenant: fmt.Sprint("tenant", i), Subject: "1", Field: "f"}
		}
		began := time.Now()
		for _, r := range c.EncryptBatch(t.Context(), items) {
			require.NoError(t, r.Err)
		}
		require.EqualValues(t, 3, most.Load())
		require.Equal(t, 10*time.Second, time.Since(began), "and that many do run at once")
	})
}
