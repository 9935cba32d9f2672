package verify

// The lengths of codes of letters and digits, without separators.
const (
	minCode = 7
	maxCode = 40
	minIBAN = 15
	maxIBAN = 34
)

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// compact appends the letters (in lower case) and digits of b; ok is false
// where that is no code: too short, too long, without a letter, or with something
// else than ASCII letters, digits and separators. One word of letters only is a
// code too, such as a user name: it identifies as a whole value, and says nothing
// in the middle of a sentence.
func compact(dst, b []byte) (code []byte, ok bool) {
	letters, digits, others := 0, 0, 0
	for _, c := range b {
		switch {
		case isDigit(c):
			digits++
			dst = append(dst, c)
		case isLetter(c):
			letters++
			dst = append(dst, c|0x20)
		case !separates(c) && c != ':' && c != '_':
			return dst, false
		default:
			others++
		}
		if len(dst) > maxCode {
			return dst, false
		}
	}
	if digits == 0 {
		return dst, letters >= plainWord && others == 0
	}
	return dst, letters > 0 && len(dst) >= minCode
}

// code yields b without its separators where the whole of it is a code, and what
// looks like the start of an IBAN in the middle of a text, as long as it may be.
func (t *tokenizer) code(b []byte) {
	if len(b) <= 3*maxCode {
		var ok bool
		if t.plain, ok = compact(t.plain[:0], b); ok {
			t.yield(t.k.bytes(saltCode, t.plain), classCode, 0)
		}
	}
	if t.whole {
		return
	}
	for i := 0; i+4 <= len(b); i++ {
		if isLetter(b[i]) && isLetter(b[i+1]) && isDigit(b[i+2]) && isDigit(b[i+3]) &&
			(i == 0 || !isLetter(b[i-1]) && !isDigit(b[i-1])) {
			t.iban(b[i:])
		}
	}
}

// iban yields the groups at the start of b, joined, at each end that makes an
// IBAN's length.
func (t *tokenizer) iban(b []byte) {
	t.plain = t.plain[:0]
	for i := 0; i <= len(b); i++ {
		if i < len(b) && (isLetter(b[i]) || isDigit(b[i])) {
			if len(t.plain) == maxIBAN {
				return
			}
			c := b[i]
			if isLetter(c) {
				c |= 0x20
			}
			t.plain = append(t.plain, c)
			continue
		}
		if len(t.plain) >= minIBAN {
			t.yield(t.k.bytes(saltCode, t.plain), classCode, 0)
		}
		if i == len(b) || b[i] != ' ' && b[i] != '-' || i > 0 && b[i-1] == b[i] {
			return
		}
	}
}
