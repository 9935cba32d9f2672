package mask

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// A canonical turns the text of a value into its canonical form. It belongs to
// one masker.
type canonical struct {
	form sqlForm
	buf  []byte
}

// sqlForm is how a type spells equal values differently.
type sqlForm uint8

const (
	formExact  sqlForm = iota
	formBlanks         // bpchar: trailing blanks mean nothing
	formFolded         // citext: case means nothing
)

func (c Column) form() sqlForm {
	switch c.SQLType {
	case "bpchar":
		return formBlanks
	case "citext":
		return formFolded
	}
	return formExact
}

// shown is the form of rules that show parts of the value: case stays, because
// results that differ in case only are equal to citext as their originals are.
func (f sqlForm) shown() sqlForm {
	if f == formFolded {
		return formExact
	}
	return f
}

// value returns the canonical form of src, which is src itself or lies in the
// canonical's own buffer until the next call.
func (c *canonical) value(src []byte) []byte {
	switch c.form {
	case formBlanks:
		return bytes.TrimRight(src, " ")
	case formFolded:
		c.buf = appendLower(c.buf[:0], src)
		return c.buf
	}
	return src
}

// appendLower appends src in lower case, by simple case mapping, as citext's
// lower() does.
func appendLower(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if b := src[i]; b < utf8.RuneSelf {
			if 'A' <= b && b <= 'Z' {
				b += 'a' - 'A'
			}
			dst = append(dst, b)
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, src[i])
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}

// limit returns the longest value in characters as a number to compare with;
// a column without limit has a very large one.
func (c Column) limit() int {
	if c.MaxLen <= 0 {
		return 1 << 30
	}
	return c.MaxLen
}
