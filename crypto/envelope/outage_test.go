package envelope_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
)

func TestKMSOutageServesWithinGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		var reports atomic.Int64
		c := open(t, envelope.Config{KEKs: []kms.KEK{k}, ReadGrace: 20 * time.Minute, Report: func(error) { reports.Add(1) }})
		began := time.Now()
		ciphertext := seal(t, c, "x", at)
		require.NoError(t, c.Degraded())
		k.fail(kms.ErrUnavailable)
		for time.Since(began) < 8*time.Minute-time.Second {
			time.Sleep(time.Second)
			require.Equal(t, ciphertext[:60], seal(t, c, "x", at)[:60], "at %s", time.Since(began))
			requireOpens(t, c, "x", ciphertext, at)
		}
		require.ErrorIs(t, c.Degraded(), kms.ErrUnavailable)
		require.Positive(t, reports.Load())
		calls := k.wraps.Load() + k.unwraps.Load()
		require.Less(t, calls, int64(40), "the key service is not stormed while it is away")

		time.Sleep(2 * time.Second)
		_, err := c.Encrypt(t.Context(), nil, at)
		require.ErrorIs(t, err, kms.ErrUnavailable, "the grace for writing is over")
		_, err = c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "new", Field: "f"})
		require.ErrorIs(t, err, kms.ErrUnavailable)
		for time.Since(began) < 25*time.Minute-time.Second {
			time.Sleep(time.Second)
			requireOpens(t, c, "x", ciphertext, at)
		}
		time.Sleep(2 * time.Second)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, kms.ErrUnavailable, "the grace for reading is over")
		require.NotErrorIs(t, err, crypto.ErrDecrypt)

		k.fail(nil)
		requireOpens(t, c, "x", ciphertext, at)
		require.NotEqual(t, ciphertext[:60], seal(t, c, "x", at)[:60])
		require.NoError(t, c.Degraded())
	})
}

// An idle process has not noticed that the key service is away: it asks when it is
// needed again, and then may use the grace that is left.
func TestGraceAfterIdling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := with(t, k)
		ciphertext := seal(t, c, "x", at)
		time.Sleep(6 * time.Minute)
		k.fail(kms.ErrUnavailable)
		require.Equal(t, ciphertext[:60], seal(t, c, "x", at)[:60])
		require.EqualValues(t, 2, k.wraps.Load(), "it asked first")
		requireOpens(t, c, "x", ciphertext, at)
		require.EqualValues(t, 1, k.unwraps.Load())
		k.fail(nil)
		time.Sleep(time.Second)
		seal(t, c, "x", at) // in the background, it asks again
		synctest.Wait()
		require.NotEqual(t, ciphertext[:60], seal(t, c, "x", at)[:60])
	})
}

func TestNoGraceWhereNoneIsConfigured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := open(t, envelope.Config{KEKs: []kms.KEK{k}, WriteGrace: -1, ReadGrace: -1})
		ciphertext := seal(t, c, "x", at)
		k.fail(kms.ErrUnavailable)
		time.Sleep(5*time.Minute - time.Second)
		seal(t, c, "x", at)
		time.Sleep(time.Second)
		_, err := c.Encrypt(t.Context(), nil, at)
		require.ErrorIs(t, err, kms.ErrUnavailable)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, kms.ErrUnavailable)
	})
}

func TestGraceDoesNotStretchTheOtherLimits(t *testing.T) {
	k := newKEK("mem:1")
	c := open(t, envelope.Config{KEKs: []kms.KEK{k}, DataKeyMessages: 3, DataKeyBytes: 100})
	seal(t, c, "x", at)
	k.fail(kms.ErrUnavailable)
	_, err := c.Encrypt(t.Context(), make([]byte, 100), at)
	require.ErrorIs(t, err, kms.ErrUnavailable, "too many bytes")
	seal(t, c, "x", at)
	seal(t, c, "x", at)
	for range 3 {
		_, err = c.Encrypt(t.Context(), nil, at)
		require.ErrorIs(t, err, kms.ErrUnavailable, "too many messages")
	}
	k.fail(nil)
	seal(t, c, "x", at)
}

func TestDeniedFailsClosedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		here, there := newKEK("mem:here"), newKEK("mem:there")
		c := open(t, envelope.Config{KEKs: []kms.KEK{here}})
		both := open(t, envelope.Config{KEKs: []kms.KEK{here, there}})
		umbrella := crypto.Context{Tenant: "umbrella", Field: "f"}
		ciphertext, other := seal(t, c, "x", at), seal(t, c, "y", umbrella)
		shared := seal(t, both, "z", at)
		time.Sleep(4*time.Minute + 30*time.Second) // in the time of the background refresh
		here.fail(kms.ErrDenied)
		for _, c := range []*envelope.Client{c, both} {
			seal(t, c, "x", at) // the last one: it sets off the refresh
			synctest.Wait()
			_, err := c.Encrypt(t.Context(), nil, at)
			require.ErrorIs(t, err, kms.ErrDenied)
			require.ErrorIs(t, c.Degraded(), kms.ErrDenied)
		}
		_, err := c.Encrypt(t.Context(), nil, umbrella)
		require.ErrorIs(t, err, kms.ErrDenied, "what one tenant's key heard goes for all under the KEK")
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, kms.ErrDenied)
		require.NotErrorIs(t, err, crypto.ErrDecrypt)
		_, err = c.Decrypt(t.Context(), other, umbrella)
		require.ErrorIs(t, err, kms.ErrDenied)
		requireOpens(t, both, "z", shared, at)
		require.EqualValues(t, 1, there.unwraps.Load(), "the other KEK says yes")

		here.fail(kms.ErrUnavailable)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, kms.ErrUnavailable, "no grace for what was denied")
		here.fail(nil)
		requireOpens(t, c, "x", ciphertext, at)
		requireOpens(t, c, "y", other, umbrella)
		seal(t, c, "x", at)
	})
}

// A key that was on its way when the KEK said no to another is not kept.
func TestDeniedReachesKeysOnTheirWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		one, two := seal(t, with(t, k), "x", at), seal(t, with(t, k), "y", at)
		c := with(t, k)
		answer := make(chan struct{})
		first := true
		k.hook.Store(new(func(context.Context) error {
			if first {
				first = false
				<-answer // the key service had said yes before it was disabled
				return nil
			}
			return fmt.Errorf("injected: %w", kms.ErrDenied)
		}))
		done := make(chan error)
		go func() {
			_, err := c.Decrypt(t.Context(), one, at)
			done <- err
		}()
		synctest.Wait()
		_, err := c.Decrypt(t.Context(), two, at)
		require.ErrorIs(t, err, kms.ErrDenied)
		close(answer)
		require.NoError(t, <-done, "it was asked before")
		_, err = c.Decrypt(t.Context(), one, at)
		require.ErrorIs(t, err, kms.ErrDenied)
	})
}

func TestDeniedEndsTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := with(t, k)
		ciphertext := seal(t, c, "x", at)
		k.fail(kms.ErrUnavailable)
		time.Sleep(6 * time.Minute)
		seal(t, c, "x", at)
		requireOpens(t, c, "x", ciphertext, at)
		k.fail(kms.ErrDenied)
		time.Sleep(time.Minute)
		seal(t, c, "x", at) // the last one: it sets off the question
		synctest.Wait()
		_, err := c.Encrypt(t.Context(), nil, at)
		require.ErrorIs(t, err, kms.ErrDenied)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, kms.ErrDenied)
	})
}

func TestErrorsAreNotRemembered(t *testing.T) {
	k := newKEK("mem:1")
	ciphertext := seal(t, with(t, k), "x", at)
	c := with(t, k)
	for family, want := range map[error]error{
		kms.ErrUnavailable: kms.ErrUnavailable, kms.ErrDenied: kms.ErrDenied, kms.ErrInvalid: crypto.ErrDecrypt,
	} {
		k.fail(family)
		for range 3 {
			before := k.unwraps.Load()
			_, err := c.Decrypt(t.Context(), ciphertext, at)
			require.ErrorIs(t, err, want)
			require.Equal(t, before+1, k.unwraps.Load(), "asked again")
			_, err = c.Encrypt(t.Context(), nil, at)
			require.ErrorIs(t, err, family)
		}
	}
	k.fail(nil)
	requireOpens(t, c, "x", ciphertext, at)
	seal(t, c, "x", at)
}

func TestHangingKMS(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := open(t, envelope.Config{KEKs: []kms.KEK{k}, CallTimeout: 10 * time.Second})
		ciphertext := seal(t, c, "x", at)
		k.hook.Store(new(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
		began := time.Now()
		_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "new", Field: "f"})
		require.ErrorIs(t, err, kms.ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(began))
		time.Sleep(4*time.Minute + 10*time.Second)
		began = time.Now()
		for range 180 {
			seal(t, c, "x", at)
			requireOpens(t, c, "x", ciphertext, at)
			time.Sleep(time.Second)
		}
		require.Equal(t, time.Since(began), 180*time.Second, "who has a key does not wait")
		k.fail(nil)

		time.Sleep(time.Hour)
		ciphertext = seal(t, c, "x", at)
		time.Sleep(6 * time.Minute)
		k.hook.Store(new(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }))
		began = time.Now()
		for range 10 {
			seal(t, c, "x", at)
			requireOpens(t, c, "x", ciphertext, at)
		}
		require.Equal(t, time.Since(began), 2*time.Second, "who was idle waits once")
	})
}

func TestCancellationFailsNobodyElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		k := newKEK("mem:1")
		c := with(t, k)
		release := make(chan struct{})
		k.hook.Store(new(func(ctx context.Context) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
		ctx, cancel := context.WithCancel(t.Context())
		first, others := make(chan error, 1), make(chan error, 10)
		try := func(ctx context.Context, done chan error) {
			_, err := c.Encrypt(ctx, nil, at)
			done <- err
		}
		go try(ctx, first)
		synctest.Wait()
		for range 10 {
			go try(t.Context(), others)
		}
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		close(release)
		for range 10 {
			require.NoError(t, <-others)
		}
		require.EqualValues(t, 1, k.wraps.Load())
	})
}

// The buffer of a caller who gave up is not read any more.
func TestCancelledCallersBufferIsFree(t *testing.T) {
	k := newKEK("mem:1")
	ciphertext := seal(t, with(t, k), "x", at)
	c := with(t, k)
	entered, release := make(chan struct{}), make(chan struct{})
	k.hook.Store(new(func(context.Context) error { close(entered); <-release; return nil }))
	ctx, cancel := context.WithCancel(t.Context())
	buffer := append([]byte(nil), ciphertext...)
	done := make(chan error)
	go func() {
		_, err := c.Decrypt(ctx, buffer, at)
		done <- err
	}()
	<-entered
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	clear(buffer)
	k.hook.Store(nil)
	close(release)
	requireOpens(t, c, "x", ciphertext, at)
	require.LessOrEqual(t, k.unwraps.Load(), int64(2))
}
