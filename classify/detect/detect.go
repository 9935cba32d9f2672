// Package detect finds personal data in text: e-mail addresses, phone numbers,
// card numbers, IBANs, US social security numbers and IP addresses.
//
// A [Detector] reads a text once, from left to right, and reports where what
// stands, without copying any of it. Where a format has check digits or ranges
// that are never issued, they are checked, so that an order number is not taken
// for a card. Time is linear in the text's length, and no input makes it fail:
// texts need not be valid UTF-8.
package detect

import (
	"iter"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/classify"
)

// A Finding is one piece of personal data in a text.
type Finding struct {
	// Type says what it is.
	Type classify.Type
	// Start and End are its bytes: text[Start:End].
	Start, End int
	// Score is how sure the detector is, from 0 to 1: about 1 where check digits
	// agree, 0.5 where only the shape does.
	Score float64
}

// A Detector finds personal data. It is immutable and safe for concurrent use.
type Detector struct{}

// New returns a detector of all types this package knows.
func New() *Detector { return &Detector{} }

// Types returns the information types a detector may report.
func (d *Detector) Types() []classify.Type {
	return []classify.Type{
		classify.Email, classify.Phone, classify.CardNumber, classify.IBAN, classify.USSSN, classify.IPAddress,
	}
}

// Append appends the findings in text to dst, in the order of their position.
// Findings do not overlap.
func (d *Detector) Append(dst []Finding, text []byte) []Finding {
	s := scanner{text: text}
	for s.next() {
		dst = append(dst, s.found)
	}
	return dst
}

// All returns the findings in text as an iterator, in the order of their
// position. Findings do not overlap. text must not change meanwhile.
func (d *Detector) All(text []byte) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		s := scanner{text: text}
		for s.next() {
			if !yield(s.found) {
				return
			}
		}
	}
}

// Contains reports whether text holds anything that a detector finds.
func (d *Detector) Contains(text []byte) bool {
	s := scanner{text: text}
	return s.next()
}

// A scanner is one pass over a text.
type scanner struct {
	text  []byte
	pos   int // what lies before has been decided
	free  int // the end of the last finding
	found Finding
}

// next moves to the next finding.
func (s *scanner) next() bool {
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case c == '@':
			if s.email() {
				return true
			}
		case class[c]&(digit|opens) != 0 && s.starts():
			if s.address() || s.number() {
				return true
			}
			s.skipDigits()
			continue
		case class[c]&letter != 0 && s.starts():
			if s.iban() || class[c]&hex != 0 && s.address() {
				return true
			}
		}
		s.pos++
	}
	return false
}

// starts reports whether a value may start here: not within a word.
func (s *scanner) starts() bool {
	if s.pos == s.free {
		return true
	}
	before := s.text[s.pos-1]
	if before >= utf8.RuneSelf {
		r, _ := utf8.DecodeLastRune(s.text[s.free:s.pos])
		return !wordRune(r)
	}
	return class[before]&(digit|letter) == 0 && before != '_'
}

// ends reports whether a value may end before i: not within a word, a number or
// an e-mail address.
func (s *scanner) ends(i int) bool {
	if i >= len(s.text) {
		return true
	}
	c := s.text[i]
	if c >= utf8.RuneSelf {
		r, _ := utf8.DecodeRune(s.text[i:])
		return !wordRune(r)
	}
	return class[c]&(digit|letter) == 0 && c != '_' && c != '@'
}

// wordRune reports whether a character beyond ASCII is part of a word. Invalid
// UTF-8 is not.
func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

// skipDigits moves past the digits, or the one other character, at pos.
func (s *scanner) skipDigits() {
	s.pos++
	for s.pos < len(s.text) && class[s.text[s.pos]]&digit != 0 {
		s.pos++
	}
}

// report sets the finding text[start:end].
func (s *scanner) report(t classify.Type, start, end int, score float64) bool {
	s.found = Finding{Type: t, Start: start, End: end, Score: score}
	s.pos, s.free = end, end
	return true
}

// Classes of ASCII characters.
const (
	digit = 1 << iota
	letter
	hex
	opens // + ( : which may stand before a number's first digit
	local // may stand in an e-mail address's local part
	space // separates groups of digits
)

var class = func() (t [256]uint8) {
	for c := range 256 {
		b := byte(c)
		if '0' <= b && b <= '9' {
			t[c] |= digit | hex | local
		}
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' {
			t[c] |= letter | local
		}
		if 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F' {
			t[c] |= hex
		}
	}
	for _, c := range []byte("+(:") {
		t[c] |= opens
	}
	for _, c := range []byte(".!#$%&'*+/=?^_`{|}~-") {
		t[c] |= local
	}
	for _, c := range []byte(" -./()") {
		t[c] |= space
	}
	return t
}()
