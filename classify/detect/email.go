package detect

import (
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/classify"
)

// Lengths of RFC 5321, section 4.5.3.1, in bytes.
const (
	maxLocal  = 64
	maxDomain = 255
	maxLabel  = 63
)

// email looks around the @ at pos.
func (s *scanner) email() bool {
	at := s.pos
	start := at
	for start > s.free && at-start < maxLocal {
		if class[s.text[start-1]]&local != 0 {
			start--
			continue
		}
		size := letterBefore(s.text[s.free:start])
		if size == 0 {
			break
		}
		start -= size
	}
	// Dots and quotes belong to the sentence, not to the address.
	for start < at && (s.text[start] == '.' || s.text[start] == '\'' || s.text[start] == '`') {
		start++
	}
	if start == at || s.text[at-1] == '.' {
		return false
	}
	end := s.domain(at + 1)
	if end == 0 {
		return false
	}
	return s.report(classify.Email, start, end, 0.95)
}

// letterBefore returns the length of the letter beyond ASCII that ends text, or
// 0.
func letterBefore(text []byte) int {
	if len(text) == 0 || text[len(text)-1] < utf8.RuneSelf {
		return 0
	}
	r, size := utf8.DecodeLastRune(text)
	if size > 1 && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)) {
		return size
	}
	return 0
}

// domain returns where the domain name that starts at i ends, or 0 if there is
// none: at least two labels, the last one a top-level domain in letters.
func (s *scanner) domain(i int) int {
	start, label, labels, end := i, i, 0, 0
	for {
		size := 0
		if i < len(s.text) && i-start < maxDomain {
			size = labelChar(s.text[i:])
		}
		if size > 0 {
			i += size
			continue
		}
		// A label ends here.
		if i == label || i-label > maxLabel || s.text[label] == '-' || s.text[i-1] == '-' {
			break
		}
		if labels++; labels > 1 && topLevel(s.text[label:i]) {
			end = i
		}
		if i >= len(s.text) || s.text[i] != '.' {
			break
		}
		i++
		label = i
	}
	return end
}

// labelChar returns the length of the first character of s if it can stand in a
// label, else 0.
func labelChar(s []byte) int {
	if s[0] < utf8.RuneSelf {
		if class[s[0]]&(digit|letter) != 0 || s[0] == '-' {
			return 1
		}
		return 0
	}
	r, size := utf8.DecodeRune(s)
	if size > 1 && (unicode.IsLetter(r) || unicode.IsMark(r)) {
		return size
	}
	return 0
}

// images are endings of files named like icon@2x.png.
var images = [...]string{"png", "jpg", "jpeg", "gif", "svg", "webp"}

// topLevel reports whether a label can be a top-level domain: letters only, or
// an internationalized one in its ASCII form.
func topLevel(label []byte) bool {
	if len(label) < 2 {
		return false
	}
	if len(label) > 4 && string(label[:4]) == "xn--" {
		return true
	}
	for _, c := range label {
		if c < utf8.RuneSelf && class[c]&letter == 0 {
			return false
		}
	}
	for _, image := range images {
		if string(label) == image {
			return false
		}
	}
	return true
}
