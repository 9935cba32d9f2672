package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escaped reads the string that starts at open and has an escape at the current
// position.
func (r *Reader) escaped(open int) (string, error) {
	b := append(make([]byte, 0, 2*(r.pos-open)+16), r.data[open+1:r.pos]...)
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return "", r.fail(open, "the string is not valid UTF-8")
			}
			r.pos++
			return string(b), nil
		case c < ' ':
			return "", r.fail(r.pos, "a control character stands unescaped in a string")
		case c != '\\':
			b = append(b, c)
			r.pos++
		default:
			var err error
			if b, err = r.escape(b); err != nil {
				return "", err
			}
		}
	}
	return "", r.fail(open, "the string does not end")
}

// escape reads one escape sequence and appends what it stands for.
func (r *Reader) escape(b []byte) ([]byte, error) {
	at := r.pos
	if at+1 == len(r.data) {
		return nil, r.fail(at, "the string does not end")
	}
	r.pos += 2
	switch c := r.data[at+1]; c {
	case '"', '\\', '/':
		return append(b, c), nil
	case 'b':
		return append(b, '\b'), nil
	case 'f':
		return append(b, '\f'), nil
	case 'n':
		return append(b, '\n'), nil
	case 'r':
		return append(b, '\r'), nil
	case 't':
		return append(b, '\t'), nil
	case 'u':
		u, ok := r.hex4()
		if !ok {
			return nil, r.fail(at, `\u is followed by four hexadecimal digits`)
		}
		if !utf16.IsSurrogate(u) {
			return utf8.AppendRune(b, u), nil
		}
		// A surrogate stands for half a character: the other half must follow.
		if r.pos+1 < len(r.data) && r.data[r.pos] == '\\' && r.data[r.pos+1] == 'u' {
			r.pos += 2
			if low, ok := r.hex4(); ok {
				if c := utf16.DecodeRune(u, low); c != utf8.RuneError {
					return utf8.AppendRune(b, c), nil
				}
			}
		}
		return nil, r.fail(at, "a surrogate stands alone")
	}
	return nil, r.fail(at, "unknown escape")
}

// hex4 reads four hexadecimal digits.
func (r *Reader) hex4() (rune, bool) {
	if r.pos+4 > len(r.data) {
		return 0, false
	}
	u, err := strconv.ParseUint(string(r.data[r.pos:r.pos+4]), 16, 16)
	r.pos += 4
	return rune(u), err == nil
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string in its shortest form: only what must
// be escaped is. Invalid UTF-8 becomes U+FFFD, so that the output is always
// valid; callers who cannot have that check before.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			ru, n := utf8.DecodeRuneInString(s[i:])
			if ru == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
