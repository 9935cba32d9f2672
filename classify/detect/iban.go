package detect

import "github.com/privet-dev/privet/classify"

// ibanLength is the length of each country's IBAN, from the SWIFT registry.
var ibanLength = map[[2]byte]int{}

func init() {
	for _, c := range []struct {
		length    int
		countries string
	}{
		{15, "NO"}, {16, "BE"}, {18, "DKFIFOGLNLSDFK"}, {19, "MKSI"}, {20, "ATBAEEKZLTLUXKMN"}, {21, "CHHRLILV"},
		{22, "BGBHCRDEGBGEIEMERSVA"}, {23, "AEGIILIQTLSOOM"}, {24, "ADCZESMDPKROSASESKTNVGLY"}, {25, "PTST"},
		{26, "ISTR"}, {27, "FRGRITMCMRSMBIDJ"}, {28, "ALAZBYCYDOGTHULBPLSVNI"}, {29, "BREGPSQAUA"}, {30, "JOKWMUYE"},
		{31, "MTSC"}, {32, "LC"}, {33, "RU"},
	} {
		for i := 0; i < len(c.countries); i += 2 {
			ibanLength[[2]byte{c.countries[i], c.countries[i+1]}] = c.length
		}
	}
}

// iban looks for an IBAN (ISO 13616) at pos: a country, two check digits and the
// country's number of letters and digits, in one piece or in groups that single
// blanks part, with the remainder 1 modulo 97.
func (s *scanner) iban() bool {
	t := s.text[s.pos:]
	if len(t) < 15 || class[t[1]]&letter == 0 || class[t[2]]&digit == 0 || class[t[3]]&digit == 0 {
		return false
	}
	length := ibanLength[[2]byte{t[0] &^ 0x20, t[1] &^ 0x20}]
	if length == 0 {
		return false
	}
	var chars [34]byte
	n, i := 0, 0
	for ; i < len(t) && n < length; i++ {
		c := t[i]
		switch {
		case class[c]&(digit|letter) != 0:
			chars[n] = c
			n++
		case (c == ' ' || c == '-') && n >= 4 && t[i-1] != ' ' && t[i-1] != '-':
		default:
			return false
		}
	}
	if n < length || !s.ends(s.pos+i) {
		return false
	}
	sum := 0
	for j := range length {
		c := chars[(j+4)%length]
		switch {
		case c <= '9':
			sum = (sum*10 + int(c-'0')) % 97
		default:
			sum = (sum*100 + int(c&^0x20-'A') + 10) % 97
		}
	}
	return sum == 1 && s.report(classify.IBAN, s.pos, s.pos+i, 1)
}
