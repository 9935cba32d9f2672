package verify

import "bytes"

// The lengths of numbers, in digits, that can identify somebody. Shorter ones
// are everywhere, longer ones are looked up as text.
const (
	minDigits = 7
	maxDigits = 19
)

// gap is how many separators may stand between two groups of one number, as in
// "(030) - 123".
const gap = 3

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// separates reports whether c may stand between the groups of digits of one
// number: a phone number, a card number, an account.
func separates(c byte) bool {
	switch c {
	case ' ', '.', '-', '(', ')', '/', '+', '\t':
		return true
	}
	return false
}

// numbers yields every run of neighbouring groups of digits that has a number's
// length: 555-010-9999 is found in "call 555 010 9999 2 times".
func (t *tokenizer) numbers(b []byte) {
	t.run, t.starts = t.run[:0], t.starts[:0]
	seps, inside := 0, false
	reset := func() { t.run, t.starts, seps, inside = t.run[:0], t.starts[:0], 0, false }
	for i := 0; i <= len(b); i++ {
		if i < len(b) && isDigit(b[i]) {
			if !inside {
				if seps > gap {
					reset()
				}
				t.starts = append(t.starts, len(t.run))
				inside, seps = true, 0
			}
			if len(t.run)-t.starts[len(t.starts)-1] <= maxDigits {
				t.run = append(t.run, b[i])
			}
			continue
		}
		if inside {
			inside = false
			t.windows()
		}
		if i == len(b) || !separates(b[i]) {
			reset()
		} else {
			seps++
		}
	}
}

// windows yields the numbers that end where t.run ends.
func (t *tokenizer) windows() {
	first := len(t.starts)
	for first > 0 && len(t.run)-t.starts[first-1] <= maxDigits {
		first--
		if number := t.run[t.starts[first]:]; len(number) >= minDigits {
			t.number(number)
		}
	}
	// What lies further back can be part of no later number.
	if first > 64 {
		cut := t.starts[first]
		t.run = append(t.run[:0], t.run[cut:]...)
		t.starts = append(t.starts[:0], t.starts[first:]...)
		for i := range t.starts {
			t.starts[i] -= cut
		}
	}
}

// number yields one number; with the international prefix 00 also without it.
func (t *tokenizer) number(digits []byte) {
	t.yield(t.k.bytes(saltDigits, digits), classDigits, len(digits))
	if bare, ok := bytes.CutPrefix(digits, []byte("00")); ok && len(bare) >= minDigits {
		t.yield(t.k.bytes(saltDigits, bare), classDigits, len(bare))
	}
}
