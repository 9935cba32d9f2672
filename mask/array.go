package mask

import (
	"bytes"

	"github.com/privet-dev/privet/internal/fault"
)

// overElements returns a maker of maskers that mask every element of an array
// by the element's rule. NULL elements, dimensions and bounds stay.
func overElements(col Column, element func() Masker) func() Masker {
	return func() Masker { return &arrayMasker{col: col, element: element()} }
}

// An arrayMasker reads arrays as PostgreSQL prints them: {a,"b c",NULL,{d}},
// with bounds before where they do not start at 1. It writes them so, too.
type arrayMasker struct {
	col     Column
	element Masker
	in, out []byte
}

func (m *arrayMasker) Append(dst, src []byte, row Row) ([]byte, bool, error) {
	start := len(dst)
	refuse := func(at int) ([]byte, bool, error) {
		return dst[:start], false, fault.New(fault.Data, "%s: a value is not an array at byte %d", m.col, at)
	}
	i := 0
	if len(src) > 0 && src[0] == '[' {
		// Bounds hold digits, signs, colons and brackets: nothing of a value.
		for i < len(src) && src[i] != '=' {
			if bytes.IndexByte([]byte("[]:+-0123456789"), src[i]) < 0 {
				return refuse(i)
			}
			i++
		}
		i++
		if i > len(src) {
			return refuse(len(src))
		}
		dst = append(dst, src[:i]...)
	}
	depth, wantValue := 0, true
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case c == '{' && wantValue:
			depth++
			dst = append(dst, c)
		case c == '}' && depth > 0 && (!wantValue || src[i-1] == '{'):
			depth--
			wantValue = false
			dst = append(dst, c)
			if depth == 0 && i != len(src)-1 {
				return refuse(i + 1)
			}
		case c == ',' && depth > 0 && !wantValue:
			wantValue = true
			dst = append(dst, c)
		case depth == 0 || !wantValue || c == '}' || c == ',':
			return refuse(i)
		default:
			n, null, ok := m.read(src[i:])
			if !ok {
				return refuse(i)
			}
			if null {
				dst = append(dst, "NULL"...)
			} else {
				out, masked, err := m.element.Append(m.out[:0], m.in, row)
				m.out = out
				if err != nil {
					return dst[:start], false, err
				}
				if masked {
					dst = append(dst, "NULL"...)
				} else {
					dst = appendElement(dst, out)
				}
			}
			i += n - 1
			wantValue = false
		}
	}
	if depth != 0 || wantValue {
		return refuse(len(src))
	}
	return dst, false, nil
}

// read reads the element that s starts with into in and returns its length in s.
func (m *arrayMasker) read(s []byte) (n int, null, ok bool) {
	m.in = m.in[:0]
	quoted := s[0] == '"'
	if quoted {
		n = 1
	}
	for ; n < len(s); n++ {
		c := s[n]
		switch {
		case c == '\\':
			if n++; n == len(s) {
				return n, false, false
			}
			m.in = append(m.in, s[n])
		case quoted && c == '"':
			return n + 1, false, true
		case !quoted && (c == ',' || c == '}'):
			return n, isNull(m.in) && !bytes.Contains(s[:n], []byte(`\`)), true
		case !quoted && (c == '"' || c == '{'):
			return n, false, false
		default:
			m.in = append(m.in, c)
		}
	}
	return n, false, false
}

func isNull(s []byte) bool { return len(s) == 4 && bytes.EqualFold(s, []byte("NULL")) }

// appendElement appends one element, in quotes where PostgreSQL prints them.
func appendElement(dst, s []byte) []byte {
	if len(s) > 0 && !isNull(s) && !bytes.ContainsAny(s, "\"\\{}, \t\n\r\v\f") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
