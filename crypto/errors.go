package crypto

import (
	"errors"

	"github.com/privet-dev/privet/internal/fault"
)

// What a caller may act on. Errors of the key service match a family of package
// kms ([kms.ErrUnavailable], [kms.ErrDenied], [kms.ErrInvalid]); errors of the
// keystore are those of its implementation. None of them holds a value, a
// subject's id or key material.
var (
	// ErrDecrypt is the one answer to a ciphertext that cannot be opened: cut short,
	// changed, of another context, of a key that is unknown or disabled. It says no
	// more on purpose, and trying again does not help.
	ErrDecrypt error = &fault.Error{
		Kind: fault.Data,
		Msg:  "crypto: the ciphertext cannot be opened",
		Hint: "tenant, subject and field must be the ones it was encrypted with",
	}
	// ErrErased says that the subject was erased: its keys are destroyed, what they
	// encrypted is gone for ever, and no new keys are made for it.
	ErrErased error = &fault.Error{
		Kind: fault.Data,
		Msg:  "crypto: the subject was erased",
		Hint: "treat its values as deleted; an erased subject never gets keys again",
	}
	// ErrContext is the family of contexts and names that cannot be used: a tenant or
	// field that is missing, too long or malformed.
	ErrContext = errors.New("crypto: unusable context")
	// ErrKeyring is the family of stored keyrings that cannot be used: a record that
	// was changed, that is not of this root or KEK, or that holds keys of another
	// kind. It speaks to the operator; a ciphertext has no part in it.
	ErrKeyring = errors.New("crypto: unusable keyring")
	// ErrClosed says that the client was closed.
	ErrClosed = errors.New("crypto: the client is closed")
	// ErrTooLarge says that a plaintext is above the limit of AES-GCM, 64 GiB.
	ErrTooLarge = errors.New("crypto: the plaintext is too large for one ciphertext")
)

// errAbsent: no keyring of that name is stored. It never leaves the package.
var errAbsent = errors.New("crypto: no such keyring")
