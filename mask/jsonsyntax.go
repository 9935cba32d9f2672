package mask

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/fault"
)

// string reads the string at pos into text.
func (m *jsonMasker) string() error {
	m.text = m.text[:0]
	for m.pos++; m.pos < len(m.src); {
		// Everything up to the next quote or escape is taken at once.
		n := bytes.IndexAny(m.src[m.pos:], "\"\\")
		if n < 0 {
			break
		}
		part := m.src[m.pos : m.pos+n]
		for i, c := range part {
			if c < ' ' {
				m.pos += i
				return errSyntax
			}
		}
		m.text = append(m.text, part...)
		m.pos += n
		if m.src[m.pos] == '"' {
			m.pos++
			if !utf8.Valid(m.text) {
				return errSyntax
			}
			return nil
		}
		if err := m.escape(); err != nil {
			return err
		}
	}
	m.pos = len(m.src)
	return errSyntax
}

// escape reads the escape sequence at pos.
func (m *jsonMasker) escape() error {
	if m.pos+1 >= len(m.src) {
		return errSyntax
	}
	c := m.src[m.pos+1]
	if c != 'u' {
		i := strings.IndexByte(`"\/bfnrt`, c)
		if i < 0 {
			return errSyntax
		}
		m.text = append(m.text, "\"\\/\b\f\n\r\t"[i])
		m.pos += 2
		return nil
	}
	r, ok := m.unit()
	if !ok {
		return errSyntax
	}
	if utf16.IsSurrogate(r) {
		at := m.pos
		if low, ok := m.unit(); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			r = utf16.DecodeRune(r, low)
		} else {
			// json, unlike jsonb, stores halves of surrogate pairs.
			m.pos, r = at, utf8.RuneError
		}
	}
	m.text = utf8.AppendRune(m.text, r)
	return nil
}

// unit reads the \uXXXX at pos.
func (m *jsonMasker) unit() (r rune, ok bool) {
	if m.pos+6 > len(m.src) || m.src[m.pos] != '\\' || m.src[m.pos+1] != 'u' {
		return 0, false
	}
	for _, c := range m.src[m.pos+2 : m.pos+6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	m.pos += 6
	return r, true
}

// skip reads the value at pos, whatever it is, and checks that it is JSON.
func (m *jsonMasker) skip(depth int) error {
	if len(m.path)+depth > maxDepth {
		return fault.New(fault.Data, "%s: a document is nested deeper than %d", m.doc.col, maxDepth)
	}
	switch c := m.peek(); c {
	case '"':
		return m.string()
	case '{', '[':
		return m.skipContainer(c, depth)
	case 't':
		return m.word("true")
	case 'f':
		return m.word("false")
	case 'n':
		return m.word("null")
	}
	return m.number()
}

func (m *jsonMasker) skipContainer(opening byte, depth int) error {
	closing := opening + 2 // { and }, [ and ] are two apart in ASCII
	m.pos++
	if m.peek() == closing {
		m.pos++
		return nil
	}
	for {
		if opening == '{' {
			if m.peek() != '"' {
				return errSyntax
			}
			if err := m.string(); err != nil {
				return err
			}
			if m.peek() != ':' {
				return errSyntax
			}
			m.pos++
		}
		if err := m.skip(depth + 1); err != nil {
			return err
		}
		switch m.peek() {
		case ',':
			m.pos++
		case closing:
			m.pos++
			return nil
		default:
			return errSyntax
		}
	}
}

func (m *jsonMasker) word(w string) error {
	if !bytes.HasPrefix(m.src[m.pos:], []byte(w)) {
		return errSyntax
	}
	m.pos += len(w)
	return nil
}

// number reads the number at pos: RFC 8259, section 6.
func (m *jsonMasker) number() error {
	digits := func() int {
		n := 0
		for m.pos < len(m.src) && '0' <= m.src[m.pos] && m.src[m.pos] <= '9' {
			m.pos++
			n++
		}
		return n
	}
	is := func(chars string) bool {
		return m.pos < len(m.src) && strings.IndexByte(chars, m.src[m.pos]) >= 0
	}
	if is("-") {
		m.pos++
	}
	if is("0") {
		m.pos++
	} else if digits() == 0 {
		return errSyntax
	}
	if is(".") {
		m.pos++
		if digits() == 0 {
			return errSyntax
		}
	}
	if is("eE") {
		m.pos++
		if is("+-") {
			m.pos++
		}
		if digits() == 0 {
			return errSyntax
		}
	}
	return nil
}
