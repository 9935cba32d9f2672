package verify

import (
	"bytes"
	"hash/maphash"
	"unicode"
	"unicode/utf8"
)

// maxPhrase is the longest run of words, in the middle of a text, that is looked
// up as one piece.
const maxPhrase = 8

// A class is the form in which a piece of text is compared.
type class uint8

const (
	classWords  class = iota // words in lower case
	classDigits              // a number without its separators
	classCode                // letters and digits without their separators
	classes
)

// A tokenizer takes values apart into the pieces that could be an original, and
// yields the fingerprint of each. Its work is linear in the length of a value,
// whatever the value is. It belongs to one goroutine.
type tokenizer struct {
	k *keyed
	// yield is called once for each piece, size being a number's digits.
	yield func(fp uint64, c class, size int)
	// phrase is the longest run of words to yield, at most maxPhrase; a whole
	// value is yielded whatever its length.
	phrase int
	// digits and codes say that numbers and codes are looked for at all.
	digits, codes bool
	// whole leaves out what stands in the middle of a longer text.
	whole bool

	fold, plain, run []byte
	starts           []int
	elements         []byte
	unescaped        []byte
	raw              []byte
	lines            []byte
}

// text yields the pieces of one text.
func (t *tokenizer) text(b []byte) {
	whole, n := t.words(b)
	if n > 0 && (n > t.phrase || t.whole) {
		t.yield(whole, classWords, 0)
	}
	if !t.whole && t.unescape(b) {
		t.words(t.lines)
	}
	if t.digits {
		t.numbers(b)
	}
	if t.codes {
		t.code(b)
	}
}

// unescape puts b into lines with a blank for every \n, \r and \t that stands
// there as two characters, as in JSON that is stored as text, and reports whether
// there is one: it would otherwise hide the start of the word after it.
func (t *tokenizer) unescape(b []byte) bool {
	if bytes.IndexByte(b, '\\') < 0 {
		return false
	}
	found := false
	t.lines = t.lines[:0]
	for {
		i := bytes.IndexByte(b, '\\')
		if i < 0 || i+1 == len(b) {
			break
		}
		t.lines = append(t.lines, b[:i]...)
		if b = b[i+1:]; b[0] == 'n' || b[0] == 'r' || b[0] == 't' {
			b, found = b[1:], true
		}
		t.lines = append(t.lines, ' ')
	}
	t.lines = append(t.lines, b...)
	return found
}

// words yields every run of up to t.phrase words and returns the fingerprint of
// all words of b and their number.
func (t *tokenizer) words(b []byte) (whole uint64, n int) {
	var ends [maxPhrase]uint64 // ends[i] is the run of i+1 words that ends here
	whole = t.k.salts[saltWords]
	word := func(w []byte) {
		f := maphash.Bytes(t.k.seed, w)
		whole = t.k.chain(whole, f)
		n++
		if t.whole {
			return
		}
		for i := min(n, t.phrase) - 1; i > 0; i-- {
			ends[i] = t.k.chain(ends[i-1], f)
			t.yield(ends[i], classWords, 0)
		}
		if t.phrase > 0 {
			ends[0] = t.k.chain(t.k.salts[saltWords], f)
			t.yield(ends[0], classWords, 0)
		}
	}
	t.fold = t.fold[:0]
	flush := func() {
		if w := trimWord(t.fold); len(w) > 0 {
			word(w)
		}
		t.fold = t.fold[:0]
	}
	for i := 0; i < len(b); {
		c := b[i]
		if c < utf8.RuneSelf {
			switch {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || inWord(c):
				t.fold = append(t.fold, c)
			case 'A' <= c && c <= 'Z':
				t.fold = append(t.fold, c+'a'-'A')
			case c == '%' && i+2 < len(b) && b[i+1] == '4' && b[i+2] == '0':
				t.fold = append(t.fold, '@') // an e-mail address in a URL
				i += 2
			case len(t.fold) > 0:
				flush()
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
			t.fold = utf8.AppendRune(t.fold, unicode.ToLower(r))
		} else {
			flush()
		}
		i += size
	}
	flush()
	return whole, n
}

// inWord reports whether c is part of a word when it stands inside one: so that
// an address, a host name or a UUID is one word.
func inWord(c byte) bool {
	return c == '@' || c == '.' || c == '-' || c == '_' || c == '+'
}

// trimWord cuts the punctuation around a word.
func trimWord(w []byte) []byte {
	for len(w) > 0 && inWord(w[0]) {
		w = w[1:]
	}
	for len(w) > 0 && inWord(w[len(w)-1]) {
		w = w[:len(w)-1]
	}
	return w
}
