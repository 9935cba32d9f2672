package crypto

import (
	"errors"
	"strconv"

	"github.com/privet-dev/privet/internal/fault"
)

var (
	// ErrSealed says that what is to be encrypted is a ciphertext already. Nothing is
	// ever encrypted twice.
	ErrSealed error = &fault.Error{
		Kind: fault.Data,
		Msg:  "crypto: already sealed",
		Hint: "seal a value once; open it before it is changed",
	}
	// ErrStruct is the family of types that cannot be sealed or opened: without an
	// encrypted field, or with one that cannot hold a ciphertext. It is the same at
	// every call, and a mistake in the program.
	ErrStruct = errors.New("crypto: the type cannot be sealed")
)

// A FieldError says which field of a struct could not be sealed or opened. Where there
// are several, they are joined.
type FieldError struct {
	// Path leads from the value to the field by Go names and indexes, "[3].Email"; a
	// map's keys, which may be personal data, are "[…]".
	Path string
	// Field is the name under which the value is encrypted, as in [Context].
	Field string
	// Err is what is wrong.
	Err error
}

// Error returns the path and what is wrong, without a value.
func (e *FieldError) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// A place is where a walk stands. It becomes text when something is wrong there.
type place struct {
	up   *place
	name string // of a field, "" for an element
	at   int    // of an element, -1 for one of a map
}

func (p *place) field(name string) *place { return &place{up: p, name: name} }

func (p *place) index(i int) *place { return &place{up: p, at: i} }

// String returns the path, "the value" at its beginning.
func (p *place) String() string {
	if p == nil {
		return "the value"
	}
	return string(p.append(nil))
}

func (p *place) append(dst []byte) []byte {
	if p == nil {
		return dst
	}
	dst = p.up.append(dst)
	switch {
	case p.name != "":
		if len(dst) > 0 {
			dst = append(dst, '.')
		}
		return append(dst, p.name...)
	case p.at < 0:
		return append(dst, "[…]"...)
	}
	dst = append(dst, '[')
	return append(strconv.AppendInt(dst, int64(p.at), 10), ']')
}
