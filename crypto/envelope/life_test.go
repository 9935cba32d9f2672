package envelope_test

import (
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
)

func TestOneKMSCallPerTenantAndKeyLife(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/envelopes")
	cfg := server.Config("alias/envelopes")
	cfg.Purpose = kms.Envelopes
	aws, err := awskms.Open(t.Context(), cfg)
	require.NoError(t, err)
	ciphertexts := make([][]byte, 200)
	use := func(do func(c *envelope.Client, i int, at crypto.Context) error) {
		t.Helper()
		c := with(t, aws)
		var all sync.WaitGroup
		for i := range ciphertexts {
			all.Go(func() {
				if err := do(c, i, crypto.Context{Tenant: fmt.Sprint("tenant ", i%3), Field: "f"}); err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
	}
	use(func(c *envelope.Client, i int, at crypto.Context) (err error) {
		if ciphertexts[i], err = c.Encrypt(t.Context(), []byte("x"), at); err == nil {
			_, err = c.Decrypt(t.Context(), ciphertexts[i], at)
		}
		return err
	})
	require.Equal(t, 3, server.Calls("Encrypt"), "three tenants; Tink would call 200 times")
	require.Zero(t, server.Calls("Decrypt"), "what a process writes it can read")
	use(func(c *envelope.Client, i int, at crypto.Context) error {
		_, err := c.Decrypt(t.Context(), ciphertexts[i], at)
		return err
	})
	require.Equal(t, 3, server.Calls("Encrypt"))
	require.Equal(t, 3, server.Calls("Decrypt"), "another process")
	require.Empty(t, server.LastContext("Encrypt"))
}

func TestTenantsShareNoDataKey(t *testing.T) {
	c := with(t, newKEK("mem:1"))
	a := seal(t, c, "x", at)
	b := seal(t, c, "x", crypto.Context{Tenant: "umbrella", Field: at.Field})
	require.Equal(t, a[:60], seal(t, c, "x", at)[:60])
	require.NotEqual(t, a[:60], b[:60])
}

func TestDataKeyIsReplacedByAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := with(t, k)
		began := time.Now()
		first := seal(t, c, "x", at)
		current := func() string { return string(seal(t, c, "x", at)[:60]) }
		for time.Since(began) < 5*time.Minute {
			time.Sleep(time.Second)
			before := k.wraps.Load()
			now := current()
			synctest.Wait()
			if k.wraps.Load() > before {
				require.Equal(t, string(first[:60]), now, "fetched in the background: nobody waits")
				require.InDelta(t, 240, time.Since(began).Seconds(), 16, "at about 80 % of its life")
				require.NotEqual(t, now, current())
				break
			}
		}
		require.EqualValues(t, 2, k.wraps.Load())

		// A process that slept through it does not encrypt under what is too old.
		time.Sleep(6 * time.Minute)
		last := current()
		require.EqualValues(t, 3, k.wraps.Load())
		require.Equal(t, last, current())
		require.Zero(t, k.unwraps.Load())
	})
}

func TestDataKeyIsReplacedByMessages(t *testing.T) {
	k := newKEK("mem:1")
	c := open(t, envelope.Config{KEKs: []kms.KEK{k}, DataKeyMessages: 10})
	used := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 250 {
				ciphertext, err := c.Encrypt(t.Context(), nil, at)
				if err != nil {
					t.Errorf("%v", err)
					return
				}
				mu.Lock()
				used[string(ciphertext[:60])]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.GreaterOrEqual(t, len(used), 100)
	for _, n := range used {
		require.LessOrEqual(t, n, 10)
	}
}

func TestDataKeyIsReplacedByBytes(t *testing.T) {
	k := newKEK("mem:1")
	c := open(t, envelope.Config{KEKs: []kms.KEK{k}, DataKeyBytes: 1000})
	used := map[string]int{}
	for i := range 100 {
		n := 100 + i%7*150 // 100 to 1000
		used[string(seal(t, c, string(make([]byte, n)), at)[:60])] += n
	}
	require.Greater(t, len(used), 50)
	for _, n := range used {
		require.LessOrEqual(t, n, 1000)
	}
	_, err := c.Encrypt(t.Context(), make([]byte, 1001), at)
	require.ErrorIs(t, err, crypto.ErrTooLarge)
}

func TestCallsInFlightAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := open(t, envelope.Config{KEKs: []kms.KEK{k}, MaxCalls: 3})
		k.hook.Store(new(func(context.Context) error { time.Sleep(100 * time.Millisecond); return nil }))
		var all sync.WaitGroup
		for i := range 30 {
			all.Go(func() {
				if _, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: fmt.Sprint(i), Field: "f"}); err != nil {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		require.EqualValues(t, 30, k.wraps.Load())
		require.EqualValues(t, 3, k.peak.Load())
	})
}

func TestManyTenantsAndKeysStayBounded(t *testing.T) {
	k := newKEK("mem:1")
	writer := open(t, envelope.Config{KEKs: []kms.KEK{k}, CacheSize: 64})
	reader := open(t, envelope.Config{KEKs: []kms.KEK{k}, CacheSize: 64})
	ciphertexts := map[string][]byte{}
	for i := range 1000 {
		tenant := fmt.Sprint(i)
		ciphertexts[tenant] = seal(t, writer, tenant, crypto.Context{Tenant: tenant, Field: "f"})
	}
	for range 2 {
		for tenant, ciphertext := range ciphertexts {
			requireOpens(t, reader, tenant, ciphertext, crypto.Context{Tenant: tenant, Field: "f"})
		}
	}
	for _, c := range []*envelope.Client{writer, reader} {
		w, r := envelope.Held(c)
		require.LessOrEqual(t, w, 64)
		require.LessOrEqual(t, r, 64)
	}
}

func TestDeadKeysLeaveMemory(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c := with(t, newKEK("mem:1"))
		for i := range 100 {
			seal(t, c, "x", crypto.Context{Tenant: fmt.Sprint(i), Field: "f"})
		}
		w, r := envelope.Held(c)
		require.Equal(t, [2]int{100, 100}, [2]int{w, r})
		time.Sleep(10 * time.Minute)
		seal(t, c, "x", at)
		w, r = envelope.Held(c)
		require.Equal(t, [2]int{1, 1}, [2]int{w, r})
	})
}

func TestClose(t *testing.T) {
	k := newKEK("mem:1")
	c, err := envelope.New(t.Context(), envelope.Config{KEKs: []kms.KEK{k}})
	require.NoError(t, err)
	ciphertext := seal(t, c, "x", at)
	entered := make(chan struct{})
	k.hook.Store(new(func(ctx context.Context) error { close(entered); <-ctx.Done(); return ctx.Err() }))
	waiting := make(chan error)
	go func() {
		_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "new", Field: "f"})
		waiting <- err
	}()
	<-entered
	closed := make(chan error)
	go func() { closed <- c.Close() }()
	require.ErrorIs(t, <-waiting, crypto.ErrClosed)
	require.NoError(t, errors.Join(<-closed, c.Close()))
	_, err = c.Encrypt(t.Context(), nil, at)
	require.ErrorIs(t, err, crypto.ErrClosed)
	_, err = c.Decrypt(t.Context(), ciphertext, at)
	require.ErrorIs(t, err, crypto.ErrClosed)
	_, err = c.NewEncryptWriter(t.Context(), nil, at)
	if !fips140.Enforced() {
		require.ErrorIs(t, err, crypto.ErrClosed)
	}
}
