package mask

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/tokenize/ff1"
)

// alphabets are what fpe encrypts over.
var alphabets = []struct{ name, chars string }{
	{"digits", "0123456789"},
	{"hex", "0123456789abcdef"},
	{"lower", "abcdefghijklmnopqrstuvwxyz"},
	{"upper", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	{"letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"},
	{"alnum_lower", "0123456789abcdefghijklmnopqrstuvwxyz"},
	{"alnum_upper", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
	{"alnum", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"},
}

var fpeRule = &definition{
	name: "fpe",
	doc: "Format-preserving encryption (FF1, NIST SP 800-38G): the characters of the alphabet are permuted, blanks and " +
		"punctuation stay where they are, anything else is an error. Kept characters become FF1's tweak. What is " +
		"encrypted of a value must have at least 10^6 possibilities (6 digits); a shorter value is an error that " +
		"stops the run. Injective, and works on unique columns. On int4, int8 and numeric columns, of whole numbers " +
		"up to 2^63-1, the sign and, unless length=any, the number of digits stay, which must be 7 at least.",
	params: []param{
		choiceParam("alphabet", "digits, hex, lower, upper, letters, alnum_lower, alnum_upper or alnum", "digits", alphabetNames()...),
		intParam("keep_first", "characters of the alphabet kept at the start", "0", 0, 64),
		intParam("keep_last", "characters of the alphabet kept at the end", "0", 0, 64),
		choiceParam("format", "plain, or card: 12 to 19 digits that pass the Luhn check; by default card where the "+
			"column's type is card_number", "", "plain", "card"),
		choiceParam("luhn", "of cards: fail, certainly not a card, or valid", "fail", "fail", "valid"),
		choiceParam("length", "of int4 and int8 columns: keep the number of digits, or any number from 0 to 2^31-1 for one in "+
			"that range and from 2^31 for one beyond", "keep", "keep", "any"),
		domainParam(),
	},
	kinds:   []sqlKind{kindText, kindInteger, kindDecimal},
	example: "fpe(keep_last=4, format=card)", in: "4111-1111-1111-1111", out: "0092-7369-9033-1111", keyed: true,
	check: func(s Spec) string {
		card := s.word("format") == "card"
		switch {
		case card && s.word("alphabet") != "digits":
			return "format=card takes alphabet=digits only"
		case s.given("luhn") && s.word("format") == "plain":
			return "luhn belongs to format=card"
		case s.word("length") == "any" && (card || s.word("alphabet") != "digits" || s.given("keep_first") || s.given("keep_last")):
			return "length=any takes no other parameter than domain"
		case card && s.int("keep_first")+s.int("keep_last") > shortestCard-1-6:
			return "of the shortest card's 13 digits one is recomputed and 6 must be encrypted (10^6 possibilities), so at most 6 can be kept"
		}
		return ""
	},
	compile: compileFPE,
}

func alphabetNames() (names []string) {
	for _, a := range alphabets {
		names = append(names, a.name)
	}
	return names
}

// fpe is a compiled fpe rule.
type fpe struct {
	col        Column
	cipher     *ff1.Cipher
	chars      string
	numeral    [128]int8 // numeral + 1 of an ASCII character
	first      int
	last       int
	least      int // numerals that must be encrypted
	card       bool
	luhnOffset byte
	form       sqlForm
}

func compileFPE(b *build) (func() Masker, error) {
	col := b.col
	if err := col.want("fpe", kindText, kindInteger, kindDecimal); err != nil {
		return nil, err
	}
	if !b.spec.given("format") && col.Type == classify.CardNumber && b.spec.word("alphabet") == "digits" && b.spec.word("length") == "keep" {
		b.spec = b.spec.with("format", "card")
	}
	spec := b.spec
	r := &fpe{
		col: col, form: col.form(),
		first: spec.int("keep_first"), last: spec.int("keep_last"),
		card: spec.word("format") == "card",
	}
	if r.card && r.first+r.last > shortestCard-1-6 {
		return nil, fault.New(fault.Policy, "%s: rule fpe keeps %d digits of a card number; of the shortest, 13 digits, one is recomputed and 6 must be encrypted", col, r.first+r.last).
			WithHint("keep at most 6, as in fpe(keep_last=4)")
	}
	alphabet := spec.word("alphabet")
	for _, a := range alphabets {
		if a.name == alphabet {
			r.chars = a.chars
		}
	}
	for i := range len(r.chars) {
		r.numeral[r.chars[i]] = int8(i + 1)
	}
	r.least = ff1.MinLen(len(r.chars), ff1.SecureDomain)
	integer := col.kind() != kindText
	if integer && (alphabet != "digits" || col.SQLType == "int2") {
		return nil, fault.New(fault.Policy, "%s: rule fpe cannot mask a column of type %s%s", col, col.SQLType, map[bool]string{
			true: ": it has fewer than a million values", false: " with alphabet=" + alphabet}[col.SQLType == "int2"])
	}
	if r.form == formFolded && (alphabet == "upper" || alphabet == "letters" || alphabet == "alnum" || alphabet == "alnum_upper") {
		return nil, fault.New(fault.Policy, "%s: rule fpe with alphabet=%s on citext: results that differ in case only would be equal", col, alphabet).
			WithHint("use alphabet=lower or alnum_lower")
	}
	shortest := r.first + r.last + r.least
	if r.card {
		shortest = shortestCard
	}
	if !integer && col.limit() < shortest {
		return nil, fault.New(fault.Policy, "%s: rule fpe needs values of %s to have 10^6 possibilities and the column takes %d", col, count(shortest, "character"), col.MaxLen).
			WithHint("keep fewer characters, use a larger alphabet, or partial, null or constant(…)")
	}
	// The key's purpose holds what changes the meaning of a ciphertext.
	purpose, radix := "fpe/1/"+alphabet, len(r.chars)
	switch {
	case r.card:
		purpose = "fpe/1/card"
	case spec.word("length") == "any":
		purpose, radix = "fpe/1/integer", 2
	}
	key, err := b.subkey(purpose)
	if err != nil {
		return nil, err
	}
	r.cipher, err = ff1.New(key, radix)
	clear(key)
	if err != nil {
		return nil, fault.New(fault.Unexpected, "%s: rule fpe: %v", col, err)
	}
	b.traits = Traits{Output: OutputPermutation, Injective: true, Domain: pow(len(r.chars), r.least)}
	if r.card {
		b.traits.Domain = pow(10, shortestCard-1-r.first-r.last)
		if spec.word("luhn") == "fail" {
			r.luhnOffset = 5
			b.traits.Output = OutputFictional
		}
	}
	if spec.word("length") == "any" {
		if col.kind() != kindInteger {
			return nil, fault.New(fault.Policy, "%s: rule fpe with length=any on a column of type %s; it is for int4 and int8", col, col.SQLType)
		}
		b.traits.Domain = 1 << 31
		return func() Masker { return &anyIntegerMasker{col: col, worker: r.cipher.NewWorker()} }, nil
	}
	if integer {
		return func() Masker { return &integerMasker{fpeMasker: fpeMasker{r: r, worker: r.cipher.NewWorker()}} }, nil
	}
	return func() Masker { return &fpeMasker{r: r, worker: r.cipher.NewWorker(), canon: canonical{form: r.form}} }, nil
}

// fpeMasker masks text.
type fpeMasker struct {
	r        *fpe
	canon    canonical
	worker   *ff1.Worker
	numerals []uint16 // of the whole value, in its order
	work     []uint16
	tweak    []byte
}

func (m *fpeMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if len(src) == 0 {
		return dst, false, nil
	}
	if err := m.read(src); err != nil {
		return dst, false, err
	}
	if err := m.encrypt(); err != nil {
		return dst, false, err
	}
	m.spoil()
	// Separators stay where they are.
	at := 0
	for _, c := range src {
		if c < utf8.RuneSelf && m.r.numeral[c] != 0 {
			c = m.r.chars[m.numerals[at]]
			at++
		}
		dst = append(dst, c)
	}
	return dst, false, nil
}

// read collects the value's numerals and refuses what is neither one nor a
// separator.
func (m *fpeMasker) read(src []byte) error {
	m.numerals = m.numerals[:0]
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf && m.r.numeral[c] != 0 {
			m.numerals = append(m.numerals, uint16(m.r.numeral[c]-1))
			i++
			continue
		}
		size := separatorLen(src[i:])
		if size == 0 {
			return fault.New(fault.Data, "%s: a value has a character outside the alphabet of rule fpe (%s) at byte %d", m.r.col, m.r.name(), i).
				WithHint("choose another alphabet, as in fpe(alphabet=alnum), or another rule such as hash")
		}
		i += size
	}
	n := len(m.numerals) - m.r.first - m.r.last
	if m.r.card {
		if len(m.numerals) < 12 || len(m.numerals) > 19 {
			return fault.New(fault.Data, "%s: a card number has %s; 12 to 19 are possible", m.r.col, count(len(m.numerals), "digit")).
				WithHint("use fpe(format=plain) where the column holds other numbers too")
		}
		n--
	}
	if n < m.r.least {
		return fault.New(fault.Data, "%s: a value has %s to encrypt and rule fpe needs %d (10^6 possibilities)", m.r.col, count(max(n, 0), "character"), m.r.least).
			WithHint("keep fewer characters, or use partial, hash or null on this column")
	}
	return nil
}

// name returns what errors call the alphabet.
func (r *fpe) name() string {
	for _, a := range alphabets {
		if a.chars == r.chars {
			return a.name
		}
	}
	return ""
}

// separatorLen returns the length of the character that s starts with if it
// stays: blanks, punctuation and symbols. Letters, digits and marks say
// something about the value, and give 0.
func separatorLen(s []byte) int {
	if c := s[0]; c < utf8.RuneSelf {
		if c >= ' ' && c < 0x7f && !isAlnum(c) {
			return 1
		}
		return 0
	}
	c, size := utf8.DecodeRune(s)
	if size > 1 && (unicode.IsPunct(c) || unicode.IsSymbol(c) || unicode.Is(unicode.Zs, c)) {
		return size
	}
	return 0
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// encrypt replaces the numerals between the kept ones by their image. Card
// numbers pass the Luhn check before and after.
func (m *fpeMasker) encrypt() error {
	all, first, last := m.numerals, m.r.first, m.r.last
	if m.r.card {
		if luhnSum(all) != 0 {
			return fault.New(fault.Data, "%s: a card number's check digit is wrong", m.r.col).
				WithHint("correct the row, or use fpe(format=plain), whose results may pass for cards")
		}
		last++
	}
	middle := all[first : len(all)-last]
	m.tweak = m.tweak[:0]
	for _, n := range all[:first] {
		m.tweak = append(m.tweak, byte(n))
	}
	m.tweak = append(m.tweak, 0xff)
	for _, n := range all[len(all)-m.r.last:] {
		m.tweak = append(m.tweak, byte(n))
	}
	var err error
	if m.work, err = m.worker.AppendEncrypt(m.work[:0], middle, m.tweak); err != nil {
		return fault.New(fault.Data, "%s: rule fpe: a value has %s; at most %d are possible", m.r.col, count(len(middle), "character"), ff1.MaxLen)
	}
	copy(middle, m.work)
	if m.r.card {
		setLuhn(all, len(all)-last)
	}
	return nil
}

// count returns n and the noun, with an s unless n is 1.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
