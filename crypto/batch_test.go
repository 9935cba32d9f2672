package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

// items are n values of n subjects of one tenant.
func items(n int) []crypto.Item {
	all := make([]crypto.Item, n)
	for i := range all {
		all[i] = crypto.Item{
			Data: []byte(fmt.Sprint("value ", i)),
			At:   crypto.Context{Tenant: "acme", Subject: fmt.Sprint(i), Field: "f"},
		}
	}
	return all
}

// sealed returns the items with their ciphertexts.
func sealed(t testing.TB, c *crypto.Client, plain []crypto.Item) []crypto.Item {
	t.Helper()
	out := make([]crypto.Item, len(plain))
	for i, r := range c.EncryptBatch(t.Context(), plain) {
		require.NoError(t, r.Err)
		out[i] = crypto.Item{Data: r.Data, At: plain[i].At}
	}
	return out
}

// A thousand cold subjects cost one read of the keystore and no call of the key
// service, and making them one write.
func TestBatchReadsTheKeystoreOnce(t *testing.T) {
	w := newWorld(t)
	plain := items(1000)
	c := w.client(t)
	encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "first", Field: "f"})
	gets, creates, wraps := w.store.gets.Load(), w.store.creates.Load(), w.kek.wraps.Load()
	ciphertexts := sealed(t, c, plain)
	require.Equal(t, gets+1, w.store.gets.Load())
	require.Equal(t, creates+1, w.store.creates.Load())
	require.Equal(t, wraps, w.kek.wraps.Load())
	require.Zero(t, w.kek.unwraps.Load())

	c = w.client(t)
	encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "first", Field: "f"})
	gets, unwraps := w.store.gets.Load(), w.kek.unwraps.Load()
	for i, r := range c.DecryptBatch(t.Context(), ciphertexts) {
		require.NoError(t, r.Err)
		require.Equal(t, plain[i].Data, r.Data, "in order")
	}
	require.Equal(t, gets+1, w.store.gets.Load())
	require.Equal(t, unwraps, w.kek.unwraps.Load())
	for i, r := range c.DecryptBatch(t.Context(), ciphertexts) {
		require.NoError(t, r.Err)
		require.Equal(t, plain[i].Data, r.Data)
	}
	require.Equal(t, gets+1, w.store.gets.Load(), "warm")
}

// Several tenants, values with and without a subject, subjects that come up again:
// one call of the key service per tenant.
func TestBatchOfManyContexts(t *testing.T) {
	w := newWorld(t)
	var plain []crypto.Item
	for i := range 300 {
		at := crypto.Context{Tenant: fmt.Sprint("tenant", i%5), Field: fmt.Sprint("field", i%3)}
		if i%4 != 0 {
			at.Subject = fmt.Sprint(i % 7)
		}
		plain = append(plain, crypto.Item{Data: []byte(fmt.Sprint(i)), At: at})
	}
	ciphertexts := sealed(t, w.client(t), plain)
	require.EqualValues(t, 5, w.kek.wraps.Load())
	c := w.client(t)
	gets := w.store.gets.Load()
	for i, r := range c.DecryptBatch(t.Context(), ciphertexts) {
		require.NoError(t, r.Err)
		require.Equal(t, plain[i].Data, r.Data)
	}
	require.EqualValues(t, 5, w.kek.unwraps.Load())
	require.LessOrEqual(t, w.store.gets.Load()-gets, int64(7), "the keyrings, the keys that name subjects, and five roots")
	for i := range ciphertexts {
		requireOpens(t, w.client(t), string(plain[i].Data), ciphertexts[i].Data, ciphertexts[i].At)
	}
	require.Empty(t, c.DecryptBatch(t.Context(), nil))
}

// Each item fails for itself.
func TestBatchErrorsAreOfTheirItems(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	ciphertexts := sealed(t, c, items(8))
	id, err := crypto.SubjectID(t.Context(), c, "acme", "3")
	require.NoError(t, err)
	require.NoError(t, w.store.Update(t.Context(), keystore.Record{ID: id, State: keystore.Erased, Version: 1}))
	id, err = crypto.SubjectID(t.Context(), c, "acme", "4")
	require.NoError(t, err)
	spoiled := w.get(t, id)
	spoiled.Wrapped[20] ^= 1
	require.NoError(t, w.store.Update(t.Context(), spoiled))

	ciphertexts[0].Data[30] ^= 1
	ciphertexts[1].At.Subject = "unknown"
	ciphertexts[2].At.Field = ""
	ciphertexts[5].Data = nil
	ciphertexts[6].At.Tenant = "a\nb"
	c = w.client(t)
	results := c.DecryptBatch(t.Context(), ciphertexts)
	for i, want := range []error{crypto.ErrDecrypt, crypto.ErrDecrypt, crypto.ErrContext, crypto.ErrErased, crypto.ErrKeyring, crypto.ErrDecrypt, crypto.ErrContext, nil} {
		require.ErrorIs(t, results[i].Err, want, "%d", i)
		require.Equal(t, want != nil, results[i].Data == nil, "%d", i)
	}
	require.Equal(t, "value 7", string(results[7].Data))

	results = c.EncryptBatch(t.Context(), ciphertexts)
	for i, want := range []error{nil, nil, crypto.ErrContext, crypto.ErrErased, crypto.ErrKeyring, nil, crypto.ErrContext, nil} {
		require.ErrorIs(t, results[i].Err, want, "%d", i)
	}
}

func TestBatchFailsAsAWhole(t *testing.T) {
	w := newWorld(t)
	ciphertexts := sealed(t, w.client(t), items(50))
	down := errors.New("the database is down")
	fail := func(context.Context) error { return down }
	w.store.hook.Store(&fail)
	for _, r := range w.client(t).DecryptBatch(t.Context(), ciphertexts) {
		require.ErrorIs(t, r.Err, down)
	}
	w.store.hook.Store(nil)
	said := fmt.Errorf("injected: %w", kms.ErrUnavailable)
	w.kek.fail.Store(&said)
	before := w.kek.unwraps.Load()
	for _, r := range w.client(t).DecryptBatch(t.Context(), ciphertexts) {
		require.ErrorIs(t, r.Err, kms.ErrUnavailable)
	}
	require.Equal(t, before+1, w.kek.unwraps.Load(), "not once an item")
}

// Items and single values that need the same keyring at once are served by one load,
// and a caller who leaves fails nobody else.
func TestBatchSharesLoads(t *testing.T) {
	w := newWorld(t)
	ciphertexts := sealed(t, w.client(t), items(20))
	bubble(t, func(t *testing.T) {
		c := w.client(t)
		encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "first", Field: "f"})
		release := make(chan struct{})
		hold := func(ctx context.Context) error {
			<-release
			return nil
		}
		w.store.hook.Store(&hold)
		defer w.store.hook.Store(nil)
		before := w.store.gets.Load()
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan []crypto.Result, 1)
		go func() { left <- c.DecryptBatch(ctx, ciphertexts[:15]) }()
		synctest.Wait()
		second := make(chan []crypto.Result, 1)
		go func() { second <- c.DecryptBatch(t.Context(), ciphertexts) }()
		synctest.Wait()
		single := make(chan error, 1)
		go func() {
			_, err := c.Decrypt(t.Context(), ciphertexts[17].Data, ciphertexts[17].At)
			single <- err
		}()
		synctest.Wait()
		cancel()
		for _, r := range <-left {
			require.ErrorIs(t, r.Err, context.Canceled)
		}
		close(release)
		require.NoError(t, <-single)
		for i, r := range <-second {
			require.NoError(t, r.Err)
			require.Equal(t, fmt.Sprint("value ", i), string(r.Data))
		}
		require.Equal(t, before+2, w.store.gets.Load(), "15 subjects, and 5 more")
	})
}

// Batches of several processes that need the same new keyrings make one each.
func TestBatchRaceMakesOneKeyringEach(t *testing.T) {
	w := newWorld(t)
	plain := items(100)
	type batch []crypto.Item
	done := make(chan batch, 4)
	for range 4 {
		c := w.client(t)
		go func() {
			out := make(batch, len(plain))
			for i, r := range c.EncryptBatch(t.Context(), plain) {
				if r.Err != nil {
					t.Errorf("EncryptBatch: %v", r.Err)
				}
				out[i] = crypto.Item{Data: r.Data, At: plain[i].At}
			}
			done <- out
		}()
	}
	c := w.client(t)
	for range 4 {
		for i, r := range c.DecryptBatch(t.Context(), <-done) {
			require.NoError(t, r.Err)
			require.Equal(t, plain[i].Data, r.Data)
		}
	}
	require.Len(t, w.all(t), 102)
}

// Ciphertexts of other subjects cost no reads of their own: what was just read holds
// all keys there are.
func TestBatchOfWrongSubjectsReadsOnce(t *testing.T) {
	w := newWorld(t)
	ciphertexts := sealed(t, w.client(t), items(100))
	for i := range ciphertexts {
		ciphertexts[i].At.Subject = fmt.Sprint((i + 1) % 100)
	}
	c := w.client(t)
	encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "first", Field: "f"})
	gets := w.store.gets.Load()
	for _, r := range c.DecryptBatch(t.Context(), ciphertexts) {
		require.Equal(t, crypto.ErrDecrypt, r.Err)
	}
	require.Equal(t, gets+1, w.store.gets.Load())
}
