package verify

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A pointer is a parsed JSON pointer whose steps may be *, for every member or
// element. nil points to everything, member names included.
type pointer []string

// parsePointer parses Column.Path.
func parsePointer(path string) pointer {
	if path == "" {
		return nil
	}
	steps := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, s := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
	}
	return steps
}

// matches reports whether the place that steps lead to is at or below p.
func (p pointer) matches(steps []string) bool {
	if len(steps) < len(p) {
		return false
	}
	for i, s := range p {
		if s != "*" && s != steps[i] {
			return false
		}
	}
	return true
}

// scanJSON calls f with every string and number of a JSON document at or below
// p; with a nil p also with the names of members. Strings come unescaped, and
// are valid until f returns. What is not JSON is read as far as it makes sense,
// never refused: the database has accepted it, and nothing may go unseen.
func scanJSON(b []byte, buf *[]byte, p pointer, f func([]byte)) {
	var (
		steps []string // the place, where p asks for it
		stack []byte   // '{' or '[' for each open container
		name  bool     // the next string is a member's name
	)
	enter := func(c byte) {
		stack = append(stack, c)
		if p != nil {
			steps = append(steps, "0")
		}
		name = c == '{'
	}
	leaf := func(v []byte) {
		if p == nil || p.matches(steps) {
			f(v)
		}
	}
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '{', '[':
			enter(c)
			i++
		case '}', ']':
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
				if p != nil {
					steps = steps[:len(steps)-1]
				}
			}
			name = false
			i++
		case ',':
			name = len(stack) > 0 && stack[len(stack)-1] == '{'
			if p != nil && len(stack) > 0 && !name {
				n, _ := strconv.Atoi(steps[len(steps)-1])
				steps[len(steps)-1] = strconv.Itoa(n + 1)
			}
			i++
		case ':', ' ', '\t', '\n', '\r':
			i++
		case '"':
			var s []byte
			s, i = jsonString(b, i+1, (*buf)[:0])
			*buf = s
			if !name {
				leaf(s)
				break
			}
			name = false
			if p == nil {
				f(s)
			} else {
				steps[len(steps)-1] = string(s)
			}
		default:
			start := i
			for i < len(b) && strings.IndexByte("{}[],:\" \t\n\r", b[i]) < 0 {
				i++
			}
			switch v := b[start:i]; string(v) {
			case "true", "false", "null":
			default:
				leaf(v)
			}
		}
	}
}

// jsonString appends the string that starts at b[i], after its quote, and
// returns the position after the closing one.
func jsonString(b []byte, i int, dst []byte) ([]byte, int) {
	for i < len(b) && b[i] != '"' {
		if b[i] != '\\' || i+1 == len(b) {
			dst = append(dst, b[i])
			i++
			continue
		}
		i++
		switch c := b[i]; c {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b', 'f':
			dst = append(dst, ' ')
		case 'u':
			r, ok := hex4(b, i+1)
			if !ok {
				dst = append(dst, c)
				break
			}
			i += 4
			if utf16.IsSurrogate(r) && i+2 < len(b) && b[i+1] == '\\' && b[i+2] == 'u' {
				if low, ok := hex4(b, i+3); ok {
					if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
						r, i = pair, i+6
					}
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst, min(i+1, len(b))
}

// hex4 reads the four hexadecimal digits of an escape.
func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[i:i+4]), 16, 32)
	return rune(n), err == nil
}
