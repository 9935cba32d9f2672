package column

import (
	"database/sql/driver"

	"github.com/privet-dev/privet/crypto"
)

// An Encrypted is a value of a bytea or BLOB column. The zero Encrypted is NULL. A copy
// is a value of its own, but shares its plaintext where T is a reference. It is not safe
// for concurrent use while one of its pointer methods runs.
type Encrypted[T any] struct{ value[T] }

// An EncryptedText is a value of a text column; otherwise it is an [Encrypted].
type EncryptedText[T any] struct{ value[T] }

// Of returns a column value that holds a plaintext and is to be sealed.
func Of[T any](v T) (e Encrypted[T]) {
	e.Set(v)
	return e
}

// TextOf returns a value of a text column that holds a plaintext and is to be sealed.
func TextOf[T any](v T) (e EncryptedText[T]) {
	e.Set(v)
	return e
}

// Value implements [driver.Valuer]: the ciphertext as []byte, or nil for NULL. A value
// that was not sealed is [ErrNotSealed].
func (e Encrypted[T]) Value() (driver.Value, error) {
	ciphertext, err := e.Ciphertext()
	if ciphertext == nil || err != nil {
		return nil, err
	}
	return ciphertext, nil
}

// Value implements [driver.Valuer]: the text form of the ciphertext, or nil for NULL. A
// value that was not sealed is [ErrNotSealed].
func (e EncryptedText[T]) Value() (driver.Value, error) {
	ciphertext, err := e.Ciphertext()
	if ciphertext == nil || err != nil {
		return nil, err
	}
	return crypto.EncodeText(ciphertext), nil
}
