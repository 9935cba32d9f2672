package column

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/internal/cell"
	"github.com/privet-dev/privet/internal/fault"
)

// What a caller may act on.
var (
	// ErrNotSealed says that there is no ciphertext to write: the value is a plaintext.
	ErrNotSealed error = &fault.Error{
		Kind: fault.Data,
		Msg:  "column: the value is not sealed, and a plaintext is never written",
		Hint: "call Seal on it or on the struct around it first",
	}
	// ErrNotOpen says that there is no plaintext to read: the value is a ciphertext.
	ErrNotOpen error = &fault.Error{
		Kind: fault.Data,
		Msg:  "column: the value is not open",
		Hint: "call Open on it or on the struct around it first, or OpenAll",
	}
	// ErrType says that a column of another type was scanned.
	ErrType = errors.New("column: encrypted values are read from bytea and text columns")
)

// A value is what both column types are.
type value[T any] struct {
	state cell.State
	// stored is the ciphertext, or what the database gave in its place.
	stored []byte
	// plain is behind a pointer for the sake of fmt, which prints the fields of an
	// unexported field without asking its methods, and stops at pointers.
	plain *T
	// at is where it was sealed or opened, while it is open.
	at cell.At
}

// Set makes v the plaintext, which is to be sealed before it is written.
func (e *value[T]) Set(v T) { *e = value[T]{state: cell.Plain, plain: &v} }

// SetNull makes the value NULL.
func (e *value[T]) SetNull() { *e = value[T]{} }

// IsNull reports whether the value is NULL.
func (e value[T]) IsNull() bool { return e.state == cell.Null }

// IsSealed reports whether the value has a ciphertext, and so can be written.
func (e value[T]) IsSealed() bool { return e.state == cell.Sealed || e.state == cell.Open }

// IsOpen reports whether the plaintext can be read; NULL can.
func (e value[T]) IsOpen() bool {
	return e.state == cell.Null || e.state == cell.Plain || e.state == cell.Open
}

// Plaintext returns the plaintext of a value that was set or opened, T's zero value for
// NULL, and [ErrNotOpen] for one that was read and not opened.
func (e value[T]) Plaintext() (v T, err error) {
	switch {
	case e.IsNull():
		return v, nil
	case !e.IsOpen():
		return v, ErrNotOpen
	}
	return *e.plain, nil
}

// Ciphertext returns the ciphertext itself, whatever the column's form is, nil for NULL,
// and [ErrNotSealed] for a plaintext. The memory is the value's own.
func (e value[T]) Ciphertext() ([]byte, error) {
	switch {
	case e.IsNull():
		return nil, nil
	case !e.IsSealed():
		return nil, ErrNotSealed
	}
	return e.stored, nil
}

// Scan implements sql.Scanner: it takes a ciphertext of either form, or NULL, and copies
// it. What is no ciphertext is kept out of sight: opening it is an error, unless a
// migration admits it (see [crypto.Migration]), and so is writing it back. What is
// neither bytes nor text is [ErrType].
func (e *value[T]) Scan(src any) error {
	var stored []byte
	switch src := src.(type) {
	case nil:
		e.SetNull()
		return nil
	case []byte:
		stored = src
	case string:
		stored = []byte(src)
	default:
		return &fault.Error{Kind: fault.Config, Msg: fmt.Sprintf("%v, and this one gave a %T", ErrType, src),
			Hint: "make the column bytea, or text for EncryptedText", Err: ErrType}
	}
	*e = value[T]{state: cell.Sealed}
	switch {
	case crypto.IsText(string(stored[:min(len(stored), len(crypto.TextPrefix))])):
		ciphertext, err := crypto.DecodeText(string(stored))
		if err != nil {
			e.SetNull()
			return err
		}
		e.stored = ciphertext
		return nil
	case !looksSealed(stored):
		e.state = cell.Foreign
	}
	// pgx and database/sql use their memory again.
	e.stored = bytes.Clone(stored)
	if e.stored == nil {
		e.stored = []byte{}
	}
	return nil
}

// looksSealed reports whether bytes begin like a ciphertext and are long enough for one:
// a Tink prefix, a nonce of 12 bytes, a tag of 16.
func looksSealed(b []byte) bool { return len(b) >= 5+12+16 && b[0] == 0x01 }

// Cell is for package crypto, which seals and opens the fields of a struct together.
func (e *value[T]) Cell(cell.Key) cell.Cell { return (*inside[T])(e) }

// inside is the value as package crypto sees it.
type inside[T any] value[T]

func (e *inside[T]) State() cell.State { return e.state }

func (e *inside[T]) At() (cell.At, bool) { return e.at, e.state == cell.Open }

func (e *inside[T]) Encode() ([]byte, error) { return encode(*e.plain) }

func (e *inside[T]) Stored() []byte { return e.stored }

func (e *inside[T]) Seal(ciphertext []byte, at cell.At) {
	e.state, e.stored, e.at = cell.Open, ciphertext, at
}

func (e *inside[T]) Opened(plaintext []byte, at cell.At) (func(), error) {
	v, err := decode[T](plaintext)
	if err != nil {
		return nil, err
	}
	return func() {
		if e.plain = &v; e.state == cell.Foreign {
			e.state, e.stored = cell.Plain, nil
			return
		}
		e.state, e.at = cell.Open, at
	}, nil
}
