package kms_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/crypto/kms"
)

// A primitive is an AEAD of Tink's, which FIPS mode would not let run, that fails
// where told to and may hang.
type primitive struct {
	aead tink.AEAD
	fail error
	hang chan struct{}
}

func newPrimitive(t *testing.T) *primitive {
	t.Helper()
	p := &primitive{}
	fips140.WithoutEnforcement(func() {
		h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		require.NoError(t, err)
		p.aead, err = aead.New(h)
		require.NoError(t, err)
	})
	return p
}

func (p *primitive) Encrypt(plaintext, ad []byte) (out []byte, err error) {
	if p.hang != nil {
		<-p.hang
	}
	if p.fail != nil {
		return nil, p.fail
	}
	fips140.WithoutEnforcement(func() { out, err = p.aead.Encrypt(plaintext, ad) })
	return out, err
}

func (p *primitive) Decrypt(ciphertext, ad []byte) (out []byte, err error) {
	if p.hang != nil {
		<-p.hang
	}
	if p.fail != nil {
		return nil, p.fail
	}
	fips140.WithoutEnforcement(func() { out, err = p.aead.Decrypt(ciphertext, ad) })
	return out, err
}

type contextual struct{ *primitive }

func (c contextual) EncryptWithContext(_ context.Context, plaintext, ad []byte) ([]byte, error) {
	return c.Encrypt(plaintext, ad)
}

func (c contextual) DecryptWithContext(_ context.Context, ciphertext, ad []byte) ([]byte, error) {
	return c.Decrypt(ciphertext, ad)
}

const tinkURI = "gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k"

func TestFromTink(t *testing.T) {
	p := newPrimitive(t)
	for name, k := range map[string]*kms.TinkKEK{
		"plain": kms.FromTink(tinkURI, p), "with context": kms.FromTinkWithContext(tinkURI, contextual{p}),
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tinkURI, k.URI())
			require.Equal(t, tinkURI+" "+tinkURI, fmt.Sprintf("%v %#v", k, k))
			for _, ec := range []map[string]string{nil, {}, kms.RootContext("acme"), {"a": "b"}} {
				wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), ec)
				require.NoError(t, err)
				got, err := k.Unwrap(t.Context(), wrapped, ec)
				require.NoError(t, err)
				require.Equal(t, "a keyset", string(got))
				for _, other := range []map[string]string{kms.RootContext("globex"), {"a": "c"}, {"b": "a"}, {"": ""}} {
					_, err = k.Unwrap(t.Context(), wrapped, other)
					require.Error(t, err)
				}
			}
			for _, n := range []int{0, kms.MaxPlaintext + 1} {
				_, err := k.Wrap(t.Context(), make([]byte, n), nil)
				require.ErrorIs(t, err, kms.ErrInvalid)
			}
			_, err := k.Unwrap(t.Context(), nil, nil)
			require.ErrorIs(t, err, kms.ErrInvalid)
		})
	}
}

// The associated data is the documented form: empty without a context, so that plain
// Tink opens what is wrapped without one.
func TestFromTinkBindsTheContext(t *testing.T) {
	p := newPrimitive(t)
	k := kms.FromTink(tinkURI, p)
	for want, ec := range map[string]map[string]string{
		"": nil,
		"privet/kms/1\x00\x00\x00\x02\x00\x00\x00\x07purpose\x00\x00\x00\x05roots\x00\x00\x00\x06tenant\x00\x00\x00\x04acme": kms.RootContext("acme"),
	} {
		wrapped, err := k.Wrap(t.Context(), []byte("x"), ec)
		require.NoError(t, err)
		got, err := p.Decrypt(wrapped, []byte(want))
		require.NoError(t, err)
		require.Equal(t, "x", string(got))
		theirs, err := p.Encrypt([]byte("y"), []byte(want))
		require.NoError(t, err)
		got, err = k.Unwrap(t.Context(), theirs, ec)
		require.NoError(t, err)
		require.Equal(t, "y", string(got))
	}
}

func TestFromTinkErrorsHaveFamilies(t *testing.T) {
	p := newPrimitive(t)
	k := kms.FromTink(tinkURI, p)
	denied := &fs.PathError{Op: "decrypt", Path: "key", Err: errors.New("permission denied")}
	for name, tc := range map[string]struct {
		fail   error
		family func(error) error
		want   error
	}{
		"unknown":           {errors.New("something"), nil, kms.ErrUnavailable},
		"has one":           {fmt.Errorf("no: %w", kms.ErrDenied), nil, kms.ErrDenied},
		"has two":           {errors.Join(kms.ErrUnavailable, kms.ErrInvalid), nil, kms.ErrInvalid},
		"told":              {denied, func(error) error { return kms.ErrDenied }, kms.ErrDenied},
		"told otherwise":    {fmt.Errorf("no: %w", kms.ErrDenied), func(error) error { return kms.ErrInvalid }, kms.ErrInvalid},
		"told nothing":      {denied, func(error) error { return nil }, kms.ErrUnavailable},
		"told what is none": {denied, func(err error) error { return err }, kms.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			p.fail, k.Family = tc.fail, tc.family
			defer func() { p.fail, k.Family = nil, nil }()
			_, err := k.Wrap(t.Context(), []byte("a secret"), nil)
			_, err2 := k.Unwrap(t.Context(), []byte("a secret"), nil)
			for _, err := range []error{err, err2} {
				for _, f := range []error{kms.ErrUnavailable, kms.ErrDenied, kms.ErrInvalid} {
					require.Equal(t, f == tc.want, errors.Is(err, f), "%v is %v", err, f)
				}
				require.ErrorContains(t, err, tinkURI)
				require.NotContains(t, err.Error(), "a secret")
				if tc.fail == error(denied) {
					require.ErrorIs(t, err, denied)
					found, ok := errors.AsType[*fs.PathError](err)
					require.True(t, ok)
					require.Same(t, denied, found)
				}
			}
		})
	}
}

// A primitive that hangs holds no caller, and reads nothing of theirs afterwards.
func TestFromTinkEndsWithTheContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := newPrimitive(t)
	p.hang = make(chan struct{})
	k := kms.FromTink(tinkURI, p)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the caller went home")
	plaintext := bytes.Repeat([]byte("x"), 32)
	done := make(chan error)
	go func() {
		_, err := k.Wrap(ctx, plaintext, nil)
		done <- err
	}()
	cancel(gone)
	err := <-done
	require.ErrorIs(t, err, gone)
	require.NotErrorIs(t, err, kms.ErrUnavailable)
	clear(plaintext)
	_, err = k.Unwrap(ctx, []byte("x"), nil)
	require.ErrorIs(t, err, gone)
	close(p.hang)
}
