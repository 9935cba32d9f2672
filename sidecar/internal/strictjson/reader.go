// Package strictjson reads JSON (RFC 8259) of a known shape, and nothing else.
//
// encoding/json is lenient where a sidecar that guards data must not be: it
// takes names in any case, lets the last of two equal names win, and replaces
// invalid UTF-8 and lone surrogates, so that what is encrypted is not what was
// sent. A [Reader] refuses all of these. The caller asks for what it expects; the
// nesting is therefore as deep as the caller asks, whatever the input holds.
//
// Errors say where, by offset and JSON pointer (RFC 6901), and repeat nothing of
// the input: a pointer holds only names the caller knows and array indexes.
package strictjson

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/suggest"
)

// An Error says where the input is not what was asked for.
type Error struct {
	// Offset is the position in bytes, counted from 0.
	Offset int
	// Pointer is the JSON pointer of the value, "" for the whole document.
	Pointer string
	// Msg says what is wrong, without anything of the input.
	Msg string

	err error
}

// Error returns pointer, offset and message.
func (e *Error) Error() string {
	if e.Pointer == "" {
		return fmt.Sprintf("%s (at byte %d)", e.Msg, e.Offset)
	}
	return fmt.Sprintf("%s: %s (at byte %d)", e.Pointer, e.Msg, e.Offset)
}

// ErrTooMany is matched by the error of an array with more elements than allowed.
var ErrTooMany = errors.New("too many items")

// Unwrap returns [ErrTooMany] where that is the reason, else nil.
func (e *Error) Unwrap() error { return e.err }

// A Reader reads one document from left to right. It belongs to one goroutine,
// and keeps a reference to the data while it reads; the strings it returns are
// copies.
type Reader struct {
	data []byte
	pos  int
	path []step
}

// A step is one level of the pointer: a name, or an index where name is "".
type step struct {
	name  string
	index int
}

// New returns a Reader of data.
func New(data []byte) *Reader { return &Reader{data: data} }

// Fail returns an *[Error] at the value that is being read, for checks that the
// caller makes on what it got.
func (r *Reader) Fail(msg string) error { return r.fail(r.pos, msg) }

func (r *Reader) fail(at int, msg string) error {
	return &Error{Offset: at, Pointer: r.pointer(), Msg: msg}
}

func (r *Reader) pointer() string {
	var b strings.Builder
	for _, s := range r.path {
		b.WriteByte('/')
		if s.name != "" {
			b.WriteString(s.name)
		} else {
			b.WriteString(strconv.Itoa(s.index))
		}
	}
	return b.String()
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\r', '\n':
			r.pos++
		default:
			return
		}
	}
}

// next returns the next byte that is not space, 0 at the end.
func (r *Reader) next() byte {
	r.space()
	if r.pos == len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

// take consumes c, or says what was expected instead.
func (r *Reader) take(c byte, expected string) error {
	if r.next() != c {
		if r.pos == len(r.data) {
			return r.fail(r.pos, "the document ends too early")
		}
		return r.fail(r.pos, expected)
	}
	r.pos++
	return nil
}

// Object reads an object whose names are all among names, each at most once,
// and calls field with the index of each name; field must read the value. It
// returns a bit for every name that was there. names holds at most 64.
func (r *Reader) Object(names []string, field func(i int) error) (seen uint64, err error) {
	if err := r.take('{', "expected an object"); err != nil {
		return 0, err
	}
	if r.next() == '}' {
		r.pos++
		return 0, nil
	}
	for {
		if r.next() != '"' {
			return seen, r.take('"', "expected a name in double quotes")
		}
		at := r.pos
		i, err := r.name(names)
		if err != nil {
			return seen, err
		}
		if seen&(1<<i) != 0 {
			return seen, r.fail(at, fmt.Sprintf("the name %q is given twice", names[i]))
		}
		seen |= 1 << i
		if err := r.take(':', "expected a colon"); err != nil {
			return seen, err
		}
		r.path = append(r.path, step{name: names[i]})
		if err := field(i); err != nil {
			return seen, err
		}
		r.path = r.path[:len(r.path)-1]
		if r.next() == ',' {
			r.pos++
			continue
		}
		return seen, r.take('}', "expected a comma or the object's end")
	}
}

// name reads a name and returns its index.
func (r *Reader) name(names []string) (int, error) {
	at := r.pos
	// Names as the client's encoder writes them need no copy.
	for i, n := range names {
		end := at + 1 + len(n)
		if end < len(r.data) && r.data[end] == '"' && string(r.data[at+1:end]) == n {
			r.pos = end + 1
			return i, nil
		}
	}
	s, err := r.str()
	if err != nil {
		return 0, err
	}
	if i := slices.Index(names, s); i >= 0 {
		return i, nil
	}
	msg := "unknown name"
	if len(s) < 64 {
		msg += suggest.DidYouMean(s, names)
	}
	return 0, r.fail(at, msg+"; names here are: "+strings.Join(names, ", "))
}

// Array reads an array and calls item for each element; item must read it. It
// refuses more than limit elements before it reads the first one too many.
func (r *Reader) Array(limit int, item func(i int) error) error {
	if err := r.take('[', "expected an array"); err != nil {
		return err
	}
	if r.next() == ']' {
		r.pos++
		return nil
	}
	for i := 0; ; i++ {
		if i == limit {
			return &Error{Offset: r.pos, Pointer: r.pointer(), Msg: fmt.Sprintf("more than %d items", limit), err: ErrTooMany}
		}
		r.path = append(r.path, step{index: i})
		if err := item(i); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
		if r.next() == ',' {
			r.pos++
			continue
		}
		return r.take(']', "expected a comma or the array's end")
	}
}

// String reads a string.
func (r *Reader) String() (string, error) {
	if r.next() != '"' {
		return "", r.take('"', "expected a string")
	}
	return r.str()
}

// Int reads a whole number from 0 to limit, without fraction or exponent.
func (r *Reader) Int(limit int) (int, error) {
	r.space()
	start := r.pos
	for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
		r.pos++
	}
	digits := r.data[start:r.pos]
	n, err := strconv.Atoi(string(digits))
	if err != nil || n > limit || len(digits) > 1 && digits[0] == '0' {
		return 0, r.fail(start, fmt.Sprintf("expected a whole number from 0 to %d", limit))
	}
	return n, nil
}

// End refuses anything but space after the document.
func (r *Reader) End() error {
	if r.space(); r.pos != len(r.data) {
		return r.fail(r.pos, "something follows the document")
	}
	return nil
}

// str reads the string that starts at the current quote.
func (r *Reader) str() (string, error) {
	open := r.pos
	r.pos++
	start, ascii := r.pos, byte(0)
	for ; r.pos < len(r.data); r.pos++ {
		c := r.data[r.pos]
		switch {
		case c == '"':
			s := r.data[start:r.pos]
			if ascii >= utf8.RuneSelf && !utf8.Valid(s) {
				return "", r.fail(open, "the string is not valid UTF-8")
			}
			r.pos++
			return string(s), nil
		case c == '\\':
			return r.escaped(open)
		case c < ' ':
			return "", r.fail(r.pos, "a control character stands unescaped in a string")
		}
		ascii |= c
	}
	return "", r.fail(open, "the string does not end")
}
