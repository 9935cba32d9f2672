package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

func TestConcurrentFirstUseMakesOneKeyring(t *testing.T) {
	w := newWorld(t)
	clients := []*crypto.Client{w.client(t), w.client(t), w.client(t)}
	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "email"}
	ciphertexts := make([][]byte, 60)
	var group sync.WaitGroup
	for i := range ciphertexts {
		group.Go(func() {
			var err error
			if ciphertexts[i], err = clients[i%3].Encrypt(t.Context(), []byte(fmt.Sprint(i)), at); err != nil {
				t.Errorf("Encrypt: %v", err)
			}
		})
	}
	group.Wait()
	for i, ciphertext := range ciphertexts {
		for _, c := range append(clients, w.client(t)) {
			requireOpens(t, c, fmt.Sprint(i), ciphertext, at)
		}
		require.Equal(t, ciphertexts[0][:5], ciphertext[:5], "one key")
	}
	require.Len(t, w.all(t), 3, "a root, the domain that names subjects, a keyring")
	require.LessOrEqual(t, w.kek.wraps.Load(), int64(3), "one root a process at most")
}

func TestOneKMSCallPerTenant(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	kek, err := awskms.Open(t.Context(), server.Config("alias/privet"))
	require.NoError(t, err)
	cfg := crypto.Config{KEK: kek, Keystore: memstore.New()}
	work := func() {
		c, err := crypto.New(t.Context(), cfg)
		require.NoError(t, err)
		defer c.Close()
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				for _, tenant := range []string{"acme", "umbrella"} {
					at := crypto.Context{Tenant: tenant, Subject: fmt.Sprint(i % 40), Field: "f"}
					ciphertext, err := c.Encrypt(t.Context(), []byte("x"), at)
					if err == nil {
						_, err = c.Decrypt(t.Context(), ciphertext, at)
					}
					if err == nil {
						_, err = c.Subkey(t.Context(), tenant, fmt.Sprint("domain", i%3), "mask", 32)
					}
					if err != nil {
						t.Errorf("%v", err)
					}
				}
			})
		}
		group.Wait()
	}
	work()
	require.Equal(t, 2, server.Calls("Encrypt"), "a root each for two tenants")
	require.Zero(t, server.Calls("Decrypt"))
	require.Equal(t, kms.ContextTenant, "tenant")
	require.Equal(t, "roots", server.LastContext("Encrypt")["purpose"])
	work()
	require.Equal(t, 2, server.Calls("Encrypt"))
	require.Equal(t, 2, server.Calls("Decrypt"), "a second process")
}

func TestKMSErrorsAreNotRemembered(t *testing.T) {
	w := newWorld(t)
	ciphertext := encrypt(t, w.client(t), "x", benchAt)
	c := w.client(t)
	for _, family := range []error{kms.ErrUnavailable, kms.ErrDenied, kms.ErrInvalid} {
		said := fmt.Errorf("injected: %w", family)
		w.kek.fail.Store(&said)
		for range 2 {
			before := w.kek.unwraps.Load()
			_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
			require.ErrorIs(t, err, family)
			require.NotErrorIs(t, err, crypto.ErrDecrypt)
			require.Equal(t, before+1, w.kek.unwraps.Load(), "asked again")
		}
		_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "new", Field: "f"})
		require.ErrorIs(t, err, family)
	}
	w.kek.fail.Store(nil)
	requireOpens(t, c, "x", ciphertext, benchAt)
	before := w.kek.unwraps.Load()
	requireOpens(t, c, "x", ciphertext, benchAt)
	require.Equal(t, before, w.kek.unwraps.Load())
}

func TestKeystoreErrorsAreNotRemembered(t *testing.T) {
	w := newWorld(t)
	ciphertext := encrypt(t, w.client(t), "x", benchAt)
	c := w.client(t)
	down := errors.New("the database is down")
	fail := func(context.Context) error { return down }
	w.store.hook.Store(&fail)
	_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, crypto.ErrDecrypt)
	w.store.hook.Store(nil)
	requireOpens(t, c, "x", ciphertext, benchAt)
}

// Keys that are in use are read again in the background before their life is over,
// once however many use them, and nobody waits for it.
func TestKeysInUseAreRefreshedInTheBackground(t *testing.T) {
	w := newWorld(t)
	w.config.CacheLife = 100 * time.Second
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		gets := w.store.gets.Load()
		time.Sleep(74 * time.Second)
		requireOpens(t, c, "x", ciphertext, benchAt)
		synctest.Wait()
		require.Equal(t, gets, w.store.gets.Load(), "not due yet")
		time.Sleep(12 * time.Second)
		release := make(chan struct{})
		slow := func(context.Context) error {
			<-release
			return nil
		}
		w.store.hook.Store(&slow)
		defer w.store.hook.Store(nil)
		for range 100 {
			requireOpens(t, c, "x", ciphertext, benchAt)
		}
		synctest.Wait()
		require.Equal(t, gets+1, w.store.gets.Load(), "one flight")
		close(release)
		synctest.Wait()
		require.Equal(t, gets+2, w.store.gets.Load(), "keyring and root")
		require.EqualValues(t, 1, w.kek.unwraps.Load())
		for range 20 {
			time.Sleep(90 * time.Second)
			requireOpens(t, c, "x", ciphertext, benchAt)
			synctest.Wait()
		}
		require.Equal(t, gets+42, w.store.gets.Load())
		require.EqualValues(t, 21, w.kek.unwraps.Load(), "once in a cache life")
	})
}

// Keyrings that are due at the same time are read together, not one by one.
func TestRefreshesAreReadTogether(t *testing.T) {
	w := newWorld(t)
	const subjects = 2000
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertexts := sealed(t, c, items(subjects))
		time.Sleep(280 * time.Second)
		slow := func(context.Context) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		w.store.hook.Store(&slow)
		defer w.store.hook.Store(nil)
		gets := w.store.gets.Load()
		for i := range ciphertexts {
			requireOpens(t, c, fmt.Sprint("value ", i), ciphertexts[i].Data, ciphertexts[i].At)
		}
		time.Sleep(time.Second)
		require.Less(t, w.store.gets.Load()-gets, int64(20))
		time.Sleep(200 * time.Second) // past the life of what was not refreshed
		gets = w.store.gets.Load()
		for _, r := range c.DecryptBatch(t.Context(), ciphertexts) {
			require.NoError(t, r.Err)
		}
		require.Equal(t, gets, w.store.gets.Load(), "all were refreshed")
	})
}

// Keys that nobody used are read when they are needed, and not served past their life.
func TestIdleKeysExpire(t *testing.T) {
	w := newWorld(t)
	w.config.CacheLife = time.Minute
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		ciphertext := encrypt(t, c, "x", benchAt)
		gets := w.store.gets.Load()
		time.Sleep(61 * time.Second)
		requireOpens(t, c, "x", ciphertext, benchAt)
		require.Equal(t, gets+2, w.store.gets.Load(), "keyring and root")
		require.EqualValues(t, 1, w.kek.unwraps.Load())
	})
}

func TestFirstCallersCancellationFailsNobodyElse(t *testing.T) {
	w := newWorld(t)
	ciphertext := encrypt(t, w.client(t), "x", benchAt)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		release := make(chan struct{})
		block := func(ctx context.Context) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		w.store.hook.Store(&block)
		defer w.store.hook.Store(nil)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := c.Decrypt(ctx, ciphertext, benchAt)
			first <- err
		}()
		synctest.Wait()
		before := w.store.gets.Load()
		others := make(chan error, 10)
		for range 10 {
			go func() {
				_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
				others <- err
			}()
		}
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		require.Equal(t, before, w.store.gets.Load(), "one load in flight")
		close(release)
		for range 10 {
			require.NoError(t, <-others)
		}
		require.Equal(t, before+1, w.store.gets.Load(), "and one for the root")
	})
}

func TestLoadTimeout(t *testing.T) {
	w := newWorld(t)
	w.config.LoadTimeout = 10 * time.Second
	ciphertext := encrypt(t, w.client(t), "x", benchAt)
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		w.store.hook.Store(&hang)
		began := time.Now()
		_, err := c.Decrypt(t.Context(), ciphertext, benchAt)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(began))
		w.store.hook.Store(nil)
		requireOpens(t, c, "x", ciphertext, benchAt)
	})
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	c, err := crypto.New(t.Context(), w.config)
	require.NoError(t, err)
	ciphertext := encrypt(t, c, "x", benchAt)
	entered := make(chan struct{})
	hang := func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return ctx.Err()
	}
	w.store.hook.Store(&hang)
	waiting := make(chan error)
	go func() {
		_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "new", Field: "f"})
		waiting <- err
	}()
	<-entered
	go c.Close()
	require.ErrorIs(t, <-waiting, context.Canceled)
	require.NoError(t, c.Close())
	_, err = c.Decrypt(t.Context(), ciphertext, benchAt)
	require.ErrorIs(t, err, crypto.ErrClosed)
	_, err = c.Encrypt(t.Context(), nil, benchAt)
	require.ErrorIs(t, err, crypto.ErrClosed)
	_, err = c.Subkey(t.Context(), "acme", "d", "p", 1)
	require.ErrorIs(t, err, crypto.ErrClosed)
}
