// Package copytext rewrites rows in PostgreSQL's COPY text format as they stream
// from one server to another.
//
// A [Rewriter] turns one row into another: it finds the columns it has to
// change, hands their values to maskers and copies every other byte as it is.
// [Pipe] runs COPY TO on one connection and COPY FROM on another with a Rewriter
// between them. Neither allocates per row.
//
// The format (PostgreSQL manual, COPY, "Text Format"): a row is a line, columns
// are separated by tabs, \N alone is NULL, and a backslash escapes the bytes
// that would otherwise end a column or a line. Text and never binary: it needs
// no codec for enums, domains and extension types, and what is not touched
// arrives exactly as the source wrote it.
//
// What the server never writes is refused instead of guessed at: an escape it
// does not use, a NUL, a line with too few or too many columns.
package copytext

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Null is how NULL is written: a column of exactly these bytes.
const Null = `\N`

var (
	errTrailingBackslash = errors.New("the value ends in a lone backslash")
	errUnknownEscape     = errors.New("the value holds a backslash escape that PostgreSQL does not write")
	errNUL               = errors.New("the value holds a NUL byte, which PostgreSQL's text cannot")
)

// IsNull reports whether a column's raw bytes are NULL.
func IsNull(field []byte) bool {
	return len(field) == 2 && field[0] == '\\' && field[1] == 'N'
}

// decoded holds the byte that a letter after the backslash stands for; 0 for
// those that stand for none.
var decoded = [256]byte{
	'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\',
}

// encoded is the inverse of decoded.
var encoded = [256]byte{
	'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\',
}

// AppendDecoded appends the value that a column's raw bytes stand for. The
// caller has asked [IsNull] before. The letters above, octal (\123, up to three
// digits) and hexadecimal (\x7f, up to two) are read; anything else after a
// backslash is an error.
func AppendDecoded(dst, field []byte) ([]byte, error) {
	for {
		i := bytes.IndexByte(field, '\\')
		if i < 0 {
			return append(dst, field...), nil
		}
		dst = append(dst, field[:i]...)
		c, n, err := decodeEscape(field[i+1:])
		if err != nil {
			return dst, err
		}
		dst = append(dst, c)
		field = field[i+1+n:]
	}
}

// decodeEscape reads what follows a backslash and says how many bytes it took.
func decodeEscape(s []byte) (c byte, n int, err error) {
	if len(s) == 0 {
		return 0, 0, errTrailingBackslash
	}
	if c := decoded[s[0]]; c != 0 {
		return c, 1, nil
	}
	var value uint
	switch {
	case s[0] == 'x':
		for n = 1; n < 3 && n < len(s); n++ {
			d, ok := hexDigit(s[n])
			if !ok {
				break
			}
			value = value<<4 | uint(d)
		}
		if n == 1 {
			return 0, 0, errUnknownEscape
		}
	case '0' <= s[0] && s[0] <= '7':
		for n = 0; n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7'; n++ {
			value = value<<3 | uint(s[n]-'0')
		}
		value &= 0xff // as the server does with \400 and above
	default:
		return 0, 0, errUnknownEscape
	}
	if value == 0 {
		return 0, 0, errNUL
	}
	return byte(value), n, nil
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// AppendEncoded appends the raw bytes of a column that holds value. A NUL in it
// is an error.
func AppendEncoded(dst, value []byte) ([]byte, error) {
	for len(value) > 0 {
		i := firstSpecial(value)
		dst = append(dst, value[:i]...)
		if i == len(value) {
			break
		}
		e, err := encodeByte(value[i])
		if err != nil {
			return dst, err
		}
		if e != 0 {
			dst = append(dst, '\\', e)
		} else {
			dst = append(dst, value[i])
		}
		value = value[i+1:]
	}
	return dst, nil
}

// encodeByte returns the letter that stands for c after a backslash, or 0 where
// c stands for itself.
func encodeByte(c byte) (byte, error) {
	if c == 0 {
		return 0, errNUL
	}
	return encoded[c], nil
}

// encodeTail escapes dst[start:] in place, where a value was just appended.
// Values that need no escape, nearly all, cost one look.
func encodeTail(dst []byte, start int) ([]byte, error) {
	if clean(dst[start:]) {
		return dst, nil
	}
	first := start + firstSpecial(dst[start:])
	grow := 0
	for _, c := range dst[first:] {
		e, err := encodeByte(c)
		if err != nil {
			return dst, err
		}
		if e != 0 {
			grow++
		}
	}
	// From the end backwards, so that nothing is overwritten before it is read.
	from := len(dst)
	for range grow {
		dst = append(dst, 0)
	}
	to := len(dst)
	for to > from {
		from--
		if e := encoded[dst[from]]; e != 0 {
			to -= 2
			dst[to], dst[to+1] = '\\', e
		} else {
			to--
			dst[to] = dst[from]
		}
	}
	return dst, nil
}

const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
)

// special has a bit set where b, eight bytes, holds a control byte or a
// backslash: a byte below 0x20 borrows when 0x20 is taken from it, and so does a
// zero, which a backslash becomes by XOR. A borrow can reach into higher bytes
// and accuse them falsely, never into lower ones, so the lowest accused byte is
// the first.
func special(b []byte) uint64 {
	w := binary.LittleEndian.Uint64(b)
	x := w ^ lows*'\\'
	return ((w-lows*0x20)&^w | (x-lows)&^x) & highs
}

// clean reports whether firstSpecial finds nothing.
func clean(b []byte) bool {
	if len(b) < 8 {
		return firstSpecial(b) == len(b)
	}
	found := special(b[len(b)-8:])
	for ; len(b) > 8; b = b[8:] {
		found |= special(b)
	}
	return found == 0
}

// firstSpecial returns the index of the first control byte or backslash, or
// len(b).
func firstSpecial(b []byte) int {
	i := 0
	for i+8 <= len(b) && special(b[i:]) == 0 {
		i += 8
	}
	for i < len(b) && b[i] >= 0x20 && b[i] != '\\' {
		i++
	}
	return i
}

// AppendFields appends the raw columns of a line, with or without its newline,
// to dst. They are slices of line.
func AppendFields(dst [][]byte, line []byte) [][]byte {
	line = bytes.TrimSuffix(line, newline)
	for {
		i := bytes.IndexByte(line, '\t')
		if i < 0 {
			return append(dst, line)
		}
		dst = append(dst, line[:i:i])
		line = line[i+1:]
	}
}

var newline = []byte{'\n'}
