// Package kms is what privet asks of a key management service: wrap a short
// secret, unwrap it again, and say plainly why not.
//
// A key-encryption key ([KEK]) never leaves its service. It wraps tenant roots or
// the data keys of envelopes, a few hundred bytes each, and nothing else; it is
// asked once per tenant and cache life, never per value. Implementations are
// [github.com/privet-dev/privet/crypto/kms/awskms], everything that Tink has a KMS
// integration for ([FromTink]), and, for one machine,
// [github.com/privet-dev/privet/crypto/kms/localkms];
// [github.com/privet-dev/privet/crypto/kms/kmstest] is the test double.
package kms

import (
	"context"
	"errors"
	"fmt"
)

// A KEK is one key-encryption key.
//
// Wrap encrypts plaintext (at most [MaxPlaintext] bytes) and binds
// encryptionContext to the result; Unwrap gives the plaintext back only under an
// equal context. A nil and an empty context are the same. The context is not
// secret: services write it to their logs, so it never holds personal data.
//
// Both are safe for concurrent use, return soon after ctx ends, do their own
// retrying (callers do none), keep no argument, and return memory that belongs to
// the caller. Every error matches exactly one of [ErrUnavailable], [ErrDenied] and
// [ErrInvalid], or is the error of ctx; none holds plaintext or key material.
type KEK interface {
	// URI names the key: "awskms:alias/privet", "file:/var/lib/privet/kek.json".
	// It is stored beside what the key wraps. It holds no secret.
	URI() string
	// Wrap encrypts plaintext under the key.
	Wrap(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error)
	// Unwrap opens what Wrap returned.
	Unwrap(ctx context.Context, wrapped []byte, encryptionContext map[string]string) ([]byte, error)
}

// MaxPlaintext is the most bytes that every KEK can wrap; AWS KMS sets it.
const MaxPlaintext = 4096

// The families of what can go wrong. They decide what a caller may do next.
var (
	// ErrUnavailable: the service did not answer, or asked for patience
	// (throttling, time out, its own failure). Trying later may help.
	ErrUnavailable = errors.New("the key service is unavailable")
	// ErrDenied: the service answered no (key disabled, deleted or unknown, access
	// denied, credentials refused). Nothing held under the key may be used further.
	ErrDenied = errors.New("the key service refuses")
	// ErrInvalid: this wrapped key cannot be opened under this key and context, or
	// the request is malformed. Others may be.
	ErrInvalid = errors.New("the wrapped key is not of this key and context")
)

// A Purpose says what a KEK may wrap. A key has one purpose, so that whoever may
// open envelopes cannot open roots with the same permission.
type Purpose string

// The purposes.
const (
	// Roots wrap tenant roots, always with an encryption context.
	Roots Purpose = "roots"
	// Envelopes wrap the data keys of self-contained ciphertexts.
	Envelopes Purpose = "envelopes"
)

// ContextPurpose and ContextTenant are the keys of the encryption context that a
// tenant root is wrapped with. IAM and key policies may name them
// (kms:EncryptionContext:purpose).
const (
	ContextPurpose = "purpose"
	ContextTenant  = "tenant"
)

// A Purposed KEK states its purpose. One that does not, such as a [TinkKEK], may serve
// as either, and keeping them apart is then its operator's care.
type Purposed interface {
	Purpose() Purpose
}

// RootContext returns the encryption context of a tenant's root.
func RootContext(tenant string) map[string]string {
	return map[string]string{ContextPurpose: string(Roots), ContextTenant: tenant}
}

// Valid reports whether p is one of the purposes.
func (p Purpose) Valid() bool { return p == Roots || p == Envelopes }

// Check returns an error of the family [ErrInvalid] unless a key of purpose p may
// work under encryptionContext: one for roots only under a context that says
// "purpose": "roots" and names a tenant, one for envelopes never under such a one.
func (p Purpose) Check(encryptionContext map[string]string) error {
	said := encryptionContext[ContextPurpose]
	switch {
	case p == Roots && (said != string(Roots) || encryptionContext[ContextTenant] == ""):
		return fmt.Errorf("kms: a key for roots was asked to work without the encryption context of a root: %w", ErrInvalid)
	case p == Envelopes && said == string(Roots):
		return fmt.Errorf("kms: a key for envelopes was asked to work on a root: %w", ErrInvalid)
	}
	return nil
}
