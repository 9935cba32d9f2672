package kms

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// contextLabel begins the associated data that stands for an encryption context.
const contextLabel = "privet/kms/1"

// A TinkKEK is a KEK whose key service is reached through a Tink primitive: the KMS
// integrations of Tink (Google Cloud, Vault, HSMs), or a keyset of one's own. It is
// safe for concurrent use where the primitive is, as Tink's are.
//
// The primitive binds the encryption context as its associated data:
//
//	"privet/kms/1" ‖ [AppendContext]    where the context has entries
//	(empty)                             where it has none
//
// so that what is wrapped without a context is what plain Tink wraps, envelopes
// included. It states no purpose: give roots and envelopes different keys.
//
// Retries are the primitive's own; so is a limit on the time of one call.
type TinkKEK struct {
	uri  string
	aead tink.AEADWithContext

	// Family, where set before first use, tells what a primitive's error means: it
	// returns [ErrUnavailable], [ErrDenied] or [ErrInvalid]. For everything else, and
	// where it is nil, errors that match a family keep it, and others count as
	// ErrUnavailable: Tink does not say what went wrong, and keys in memory then serve
	// for their grace period at most. A Family that knows the service's "permission
	// denied" makes a revocation take effect at once.
	Family func(error) error
}

var _ KEK = (*TinkKEK)(nil)

// FromTink returns a KEK that wraps with a Tink AEAD. URI names the key in keystores
// and errors and holds no secret: the one that the primitive was made from serves,
// "gcp-kms://projects/…". The primitive is called on a goroutine of its own; one that
// hangs longer than the caller's context goes on there.
func FromTink(uri string, aead tink.AEAD) *TinkKEK {
	return &TinkKEK{uri: uri, aead: detached{aead}}
}

// FromTinkWithContext is [FromTink] for primitives that take a context and end with
// it.
func FromTinkWithContext(uri string, aead tink.AEADWithContext) *TinkKEK {
	return &TinkKEK{uri: uri, aead: aead}
}

// URI returns the name that the KEK was made with.
func (k *TinkKEK) URI() string { return k.uri }

// String returns the URI; %v of a KEK shows no key material.
func (k *TinkKEK) String() string { return k.uri }

// GoString returns the URI too.
func (k *TinkKEK) GoString() string { return k.uri }

// Wrap encrypts plaintext, 1 to [MaxPlaintext] bytes, under the context.
func (k *TinkKEK) Wrap(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	if len(plaintext) == 0 || len(plaintext) > MaxPlaintext {
		return nil, fmt.Errorf("kms: %d bytes to wrap with %s; 1 to %d are possible: %w", len(plaintext), k.uri, MaxPlaintext, ErrInvalid)
	}
	return k.explain(ctx, "wrapping", func() ([]byte, error) {
		return k.aead.EncryptWithContext(ctx, plaintext, tinkAD(encryptionContext))
	})
}

// Unwrap opens what Wrap returned under an equal context.
func (k *TinkKEK) Unwrap(ctx context.Context, wrapped []byte, encryptionContext map[string]string) ([]byte, error) {
	if len(wrapped) == 0 {
		return nil, fmt.Errorf("kms: nothing to unwrap with %s: %w", k.uri, ErrInvalid)
	}
	return k.explain(ctx, "unwrapping", func() ([]byte, error) {
		return k.aead.DecryptWithContext(ctx, wrapped, tinkAD(encryptionContext))
	})
}

// tinkAD returns the associated data that stands for an encryption context.
func tinkAD(encryptionContext map[string]string) []byte {
	if len(encryptionContext) == 0 {
		return nil
	}
	return AppendContext([]byte(contextLabel), encryptionContext)
}

// explain calls the primitive and gives its error a family. The end of ctx is not
// the service's failure.
func (k *TinkKEK) explain(ctx context.Context, what string, call func() ([]byte, error)) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("kms: %s with %s: %w", what, k.uri, context.Cause(ctx))
	}
	out, err := call()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("kms: %s with %s: %w", what, k.uri, context.Cause(ctx))
	}
	return nil, &tinkError{
		msg:    fmt.Sprintf("kms: %s with %s: %v", what, k.uri, err),
		family: k.family(err), err: err,
	}
}

func (k *TinkKEK) family(err error) error {
	if k.Family != nil {
		switch f := k.Family(err); f {
		case ErrUnavailable, ErrDenied, ErrInvalid:
			return f
		}
	}
	for _, f := range []error{ErrDenied, ErrInvalid} {
		if errors.Is(err, f) {
			return f
		}
	}
	return ErrUnavailable
}

// A tinkError matches its family and no other, and what the primitive said.
type tinkError struct {
	msg         string
	family, err error
}

func (e *tinkError) Error() string { return e.msg }

func (e *tinkError) Is(target error) bool {
	switch target {
	case ErrUnavailable, ErrDenied, ErrInvalid:
		return target == e.family
	}
	return errors.Is(e.err, target)
}

// As finds what the primitive returned.
func (e *tinkError) As(target any) bool { return errors.As(e.err, target) }

// detached lets a caller leave a primitive that knows no context.
type detached struct{ aead tink.AEAD }

func (d detached) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	// The caller may reuse its memory as soon as it has left.
	own := bytes.Clone(plaintext)
	return leave(ctx, func() ([]byte, error) {
		defer clear(own)
		return d.aead.Encrypt(own, ad)
	})
}

func (d detached) DecryptWithContext(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	own := bytes.Clone(wrapped)
	return leave(ctx, func() ([]byte, error) { return d.aead.Decrypt(own, ad) })
}

// leave returns what fn returns, or the error of ctx as soon as that ends.
func leave(ctx context.Context, fn func() ([]byte, error)) ([]byte, error) {
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := fn()
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
