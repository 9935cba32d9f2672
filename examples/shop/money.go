package shop

import (
	"fmt"
	"math/rand/v2"
)

// card returns a card number with a correct check digit (ISO/IEC 7812-1 annex B).
func card(r *rand.Rand) string {
	var d [16]byte
	for i := range d {
		d[i] = byte(r.IntN(10))
	}
	if r.IntN(2) == 0 {
		d[0] = 4
	} else {
		d[0], d[1] = 5, byte(1+r.IntN(5))
	}
	sum := 0
	for i, c := range d[:15] {
		n := int(c)
		if i%2 == 0 { // every second digit, seen from the check digit
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	d[15] = byte((10 - sum%10) % 10)
	for i := range d {
		d[i] += '0'
	}
	return string(d[:])
}

// iban returns a German or Dutch account number with correct check digits (ISO
// 13616, ISO 7064 MOD 97-10).
func iban(r *rand.Rand) string {
	country, account := "DE", fmt.Sprintf("%018d", r.Int64N(1e18))
	if r.IntN(3) == 0 {
		country, account = "NL", fmt.Sprintf("%c%c%c%c%010d", letter(r), letter(r), letter(r), letter(r), r.Int64N(1e10))
	}
	return fmt.Sprintf("%s%02d%s", country, 98-mod97(account+country+"00"), account)
}

// mod97 is the remainder of a number by 97 in which A stands for 10, B for 11.
func mod97(s string) int {
	m := 0
	for _, c := range s {
		if c >= 'A' {
			m = (m*100 + int(c-'A') + 10) % 97
		} else {
			m = (m*10 + int(c-'0')) % 97
		}
	}
	return m
}
