package verify

import (
	"bytes"
	"unicode"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/classify/detect"
)

// What is shorter identifies nobody; see the package's documentation.
const (
	minText   = 5
	plainWord = 8
)

// An extractor takes the originals of one source column apart into the
// fingerprints that a tokenizer would yield for them, wherever they stand. It
// belongs to one goroutine.
type extractor struct {
	t *tokenizer
	// found is called for each fingerprint of an original.
	found func(fp uint64, c class, size int)
	// known holds what the rules write themselves, as words.
	known map[uint64]bool

	typ classify.Type
	// detector is set where not the value is the original but what stands in it.
	detector *detect.Detector
	shape    shape
	path     pointer

	leftOut  int64
	elements []byte
	json     []byte
	digits   []byte
	plain    []byte
	finds    []detect.Finding
}

// value takes one value of the column apart.
func (e *extractor) value(b []byte) { e.shaped(b, e.shape) }

func (e *extractor) shaped(b []byte, s shape) {
	switch {
	case s.array:
		s.array = false
		eachElement(b, &e.elements, func(v []byte) { e.shaped(v, s) })
	case s.json:
		p := e.path
		if p == nil {
			p = pointer{} // members' names are nobody's data
		}
		scanJSON(b, &e.json, p, e.one)
	case s.bytes:
		e.one(e.t.decoded(b))
	default:
		e.one(b)
	}
}

func (e *extractor) one(b []byte) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return
	}
	if e.detector != nil {
		e.inText(b)
		return
	}
	e.whole(b, e.typ)
}

// whole takes in one original of a type.
func (e *extractor) whole(b []byte, typ classify.Type) {
	if typ == classify.Phone && bytes.HasPrefix(b, []byte("+999")) {
		e.leftOut++
		return
	}
	// A tokenizer that is told to look for whole values yields no part of one.
	e.t.whole = true
	words, n := e.t.words(b)
	if n > 0 && e.known[words] {
		return
	}
	if number := e.number(b, typ); number != nil {
		if bare, ok := bytes.CutPrefix(number, []byte("00")); ok && len(bare) >= minDigits {
			number = bare
		}
		if len(number) < minDigits {
			e.leftOut++
			return
		}
		e.found(e.t.k.bytes(saltDigits, number), classDigits, len(number))
		return
	}
	taken := false
	if n > 0 && identifies(b, n) {
		e.found(words, classWords, min(n, maxPhrase+1))
		taken = true
	}
	switch typ {
	case classify.Email, classify.StreetAddress, classify.FreeText, classify.URL:
	default:
		var ok bool
		if e.plain, ok = compact(e.plain[:0], b); ok {
			e.found(e.t.k.bytes(saltCode, e.plain), classCode, 0)
			taken = true
		}
	}
	if !taken {
		e.leftOut++
	}
}

// identifies reports whether a text of n words points to somebody.
func identifies(b []byte, n int) bool {
	runes, marks := 0, false
	for _, r := range string(b) {
		switch {
		case unicode.IsDigit(r) || r == '@':
			runes, marks = runes+1, true
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			runes++
		}
	}
	if marks {
		return runes >= minText
	}
	return n > 1 && runes >= plainWord
}

// number returns the digits of a value that is a number and nothing else; of a
// phone also where an extension follows. nil where the value is none.
func (e *extractor) number(b []byte, typ classify.Type) []byte {
	if typ == classify.IPAddress || typ == classify.GeoLocation || len(b) > 4*maxDigits {
		return nil
	}
	e.digits = e.digits[:0]
	for i, c := range b {
		switch {
		case isDigit(c):
			e.digits = append(e.digits, c)
		case separates(c):
		case typ == classify.Phone && len(e.digits) >= minDigits && i > 0:
			return e.sized()
		default:
			return nil
		}
	}
	return e.sized()
}

func (e *extractor) sized() []byte {
	if len(e.digits) == 0 || len(e.digits) > maxDigits {
		return nil
	}
	return e.digits
}

// inText takes out what redact_text takes out: the rest of a text may stay. IP
// addresses are not searched for, because version numbers look like them.
func (e *extractor) inText(b []byte) {
	e.finds = e.detector.Append(e.finds[:0], b)
	for _, f := range e.finds {
		if f.Type != classify.IPAddress {
			e.whole(b[f.Start:f.End], f.Type)
		}
	}
}
