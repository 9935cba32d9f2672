package mask

// shortestCard is the shortest number of cards in circulation, in digits.
const shortestCard = 13

// luhnSum returns the Luhn sum (ISO/IEC 7812-1) mod 10: 0 where the check passes.
func luhnSum(digits []uint16) int {
	sum := 0
	for i, d := range digits {
		x := int(d)
		if (len(digits)-i)%2 == 0 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum % 10
}

// setLuhn sets the digit at a position to the one that makes the check pass.
// Whether the position is doubled or not, ten digits contribute ten different
// values to the sum, so that there is exactly one.
func setLuhn(digits []uint16, at int) {
	for d := range uint16(10) {
		digits[at] = d
		if luhnSum(digits) == 0 {
			return
		}
	}
}

// spoil makes a card number fail the Luhn check, unless the rule wants it valid.
// Any offset but 0 fails, and the same for all keeps results different.
func (m *fpeMasker) spoil() {
	if m.r.card {
		at := len(m.numerals) - m.r.last - 1
		m.numerals[at] = (m.numerals[at] + uint16(m.r.luhnOffset)) % 10
	}
}
