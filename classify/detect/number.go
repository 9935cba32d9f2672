package detect

import (
	"github.com/privet-dev/privet/classify"
)

// A run is a sequence of digits and single separators, such as
// +49 (30) 901820-44: what cards, social security and phone numbers look like.
type run struct {
	plus   bool
	digits [maxRunDigits]byte
	n      int
	// end[i] is where in the text digit i ends.
	end [maxRunDigits]int
	// before[i] is the separator before digit i, 0 for none; the last one where
	// there are two, as in ") ".
	before [maxRunDigits]byte
}

// maxRunDigits is one more than the longest number, so that one that is too long
// shows.
const maxRunDigits = 24

// read reads the run at i.
func (r *run) read(text []byte, i int) {
	if text[i] == '+' {
		r.plus = true
		i++
	}
	gap := byte(0)
	for separators := 0; i < len(text) && r.n < maxRunDigits; i++ {
		c := text[i]
		switch {
		case class[c]&digit != 0:
			r.digits[r.n], r.end[r.n], r.before[r.n] = c-'0', i+1, gap
			r.n++
			gap, separators = 0, 0
		case class[c]&space != 0 && separators < 2:
			gap = c
			separators++
		default:
			return
		}
	}
}

// number looks for a card, social security or phone number at pos.
func (s *scanner) number() bool {
	if s.text[s.pos] == ':' {
		return false
	}
	var r run
	r.read(s.text, s.pos)
	if r.n < 7 {
		return false
	}
	if t, score, n := r.match(s); n > 0 {
		return s.report(t, s.pos, r.end[n-1], score)
	}
	return false
}

// match returns the type of the number that the first n digits are; n is 0 if
// they are none.
func (r *run) match(s *scanner) (t classify.Type, score float64, n int) {
	if r.ssn() && s.ends(r.end[8]) {
		return classify.USSSN, 0.8, 9
	}
	// What follows a number may look like more of it, as a date after a card
	// number: every end of a group is tried, the longest first.
	for n := r.n; n >= 7; n-- {
		if !r.endsGroup(s, n) {
			continue
		}
		if !r.plus && r.card(n) {
			return classify.CardNumber, 0.95, n
		}
	}
	for n := r.n; n >= 7; n-- {
		if !r.endsGroup(s, n) {
			continue
		}
		if score := r.phone(n); score > 0 {
			return classify.Phone, score, n
		}
	}
	return "", 0, 0
}

// endsGroup reports whether a number may end after n digits: at the end of a
// group that is not the start of something else, as of a time of day.
func (r *run) endsGroup(s *scanner, n int) bool {
	if n < r.n && r.before[n] == 0 || !s.ends(r.end[n-1]) {
		return false
	}
	next := s.text[r.end[n-1]:]
	return len(next) < 2 || next[0] != ':' || class[next[1]]&(digit|hex) == 0 && next[1] != ':'
}

// ssn reports whether the run starts with a US social security number,
// ddd-dd-dddd. Areas 000, 666 and 900 to 999, group 00 and serial 0000 are never
// issued.
func (r *run) ssn() bool {
	if r.plus || r.n < 9 || r.n > 9 && r.before[9] == 0 || r.n > 9 && r.before[9] == '-' {
		return false
	}
	for i := range 9 {
		if want := i == 3 || i == 5; want != (r.before[i] == '-') || !want && r.before[i] != 0 {
			return false
		}
	}
	d := r.digits
	area := int(d[0])*100 + int(d[1])*10 + int(d[2])
	return area != 0 && area != 666 && area < 900 && (d[3] != 0 || d[4] != 0) &&
		(d[5] != 0 || d[6] != 0 || d[7] != 0 || d[8] != 0)
}

// phone returns how sure it is that the first n digits are a phone number: in
// the international form (E.164), in North America's with three groups, or in a
// national one with a leading zero and separators.
func (r *run) phone(n int) float64 {
	d := &r.digits
	switch {
	case r.plus:
		if d[0] != 0 && n >= 8 && n <= 15 {
			return 0.9
		}
	case d[0] == 0 && d[1] == 0:
		if d[2] != 0 && n >= 10 && n <= 17 && r.before[1] == 0 {
			return 0.7
		}
	case d[0] == 0:
		// Not 01.02.2003 10: groups of two digits are a date.
		if n < 9 || n > 12 || r.before[2] != 0 {
			return 0
		}
		if groups, dots, slashes := r.groups(n); groups >= 2 && dots == 0 && slashes < 2 {
			return 0.6
		}
	case n == 10:
		if r.before[3] != 0 && r.before[6] != 0 && d[0] >= 2 && d[3] >= 2 {
			if groups, _, _ := r.groups(n); groups == 3 {
				return 0.7
			}
		}
	case n == 11 && d[0] == 1:
		if r.before[1] != 0 && r.before[4] != 0 && r.before[7] != 0 && d[1] >= 2 && d[4] >= 2 {
			if groups, _, _ := r.groups(n); groups == 4 {
				return 0.7
			}
		}
	}
	return 0
}

// groups counts the groups of the first n digits, and the dots and slashes that
// part them.
func (r *run) groups(n int) (groups, dots, slashes int) {
	for _, c := range r.before[1:n] {
		switch c {
		case 0:
			continue
		case '.':
			dots++
		case '/':
			slashes++
		}
		groups++
	}
	return groups + 1, dots, slashes
}
