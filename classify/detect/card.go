package detect

// An issuer is a range of card numbers: what they start with, compared over as
// many digits as from has, and how long they are.
type issuer struct {
	from, to int // first digits
	digits   int // how many
	min, max int // length
}

// issuers are the ranges of ISO/IEC 7812 that card schemes use.
var issuers = [...]issuer{
	{4, 4, 1, 13, 13}, {4, 4, 1, 16, 16}, {4, 4, 1, 19, 19}, // Visa
	{51, 55, 2, 16, 16}, {2221, 2720, 4, 16, 16}, // Mastercard
	{34, 34, 2, 15, 15}, {37, 37, 2, 15, 15}, // American Express
	{6011, 6011, 4, 16, 19}, {644, 649, 3, 16, 19}, {65, 65, 2, 16, 19}, // Discover
	{3528, 3589, 4, 16, 19},                                         // JCB
	{300, 305, 3, 14, 19}, {36, 36, 2, 14, 19}, {38, 39, 2, 14, 19}, // Diners Club
	{62, 62, 2, 16, 19},                                           // UnionPay
	{50, 50, 2, 16, 19}, {56, 58, 2, 16, 19}, {67, 67, 2, 16, 19}, // Maestro; 12 digits are too often something else
	{2200, 2204, 4, 16, 19}, // Mir
}

// card reports whether the first n digits are a card number: of an issuer's
// range and length, with a right check digit, in one piece or in groups of at
// least three that blanks or hyphens part.
func (r *run) card(n int) bool {
	if n < 13 || n > 19 || !r.issued(n) {
		return false
	}
	group, mark := 0, byte(0)
	for i := range n {
		if c := r.before[i]; c != 0 {
			if c != ' ' && c != '-' || mark != 0 && c != mark || group < 3 && i > 0 {
				return false
			}
			mark, group = c, 0
		}
		group++
	}
	if group < 3 {
		return false
	}
	sum := 0
	for i, d := range r.digits[:n] {
		x := int(d)
		if (n-i)%2 == 0 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

func (r *run) issued(n int) bool {
	for _, s := range &issuers {
		if n < s.min || n > s.max {
			continue
		}
		first := 0
		for _, d := range r.digits[:s.digits] {
			first = first*10 + int(d)
		}
		if s.from <= first && first <= s.to {
			return true
		}
	}
	return false
}
