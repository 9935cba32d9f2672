package mask

import (
	"math"
	"math/big"
	mathbits "math/bits"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

var numberNoiseRule = &definition{
	name: "number_noise",
	doc: "The number moves up or down by at most percent of itself or by at most abs, and by at least one unit of its last " +
		"decimal place. Sign and decimal places stay, and a decimal number gains no digit before the point, so that " +
		"it fits its column. Chosen by the value and, where the row has one, its subject. 0 stays 0 under percent. " +
		"NaN and Infinity stay. Not injective: refused on unique columns.",
	params: []param{
		amountParam("percent", "the largest change in percent of the value, up to 100"),
		amountParam("abs", "the largest change"),
		domainParam(),
	},
	kinds:   []sqlKind{kindDecimal, kindInteger, kindFloat},
	example: "number_noise(percent=10)", in: "4250.00", out: "4061.64", keyed: true,
	check: func(s Spec) string {
		if s.given("percent") == s.given("abs") {
			return "needs percent or abs, as in number_noise(percent=10)"
		}
		if p, _ := strconv.ParseFloat(s.word("percent"), 64); p > 100 {
			return "percent is at most 100"
		}
		return ""
	},
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("number_noise", kindInteger, kindDecimal, kindFloat); err != nil {
			return nil, err
		}
		if err := b.col.refuseUnique("number_noise", "two numbers may meet", "use fpe on int4 and int8, or null"); err != nil {
			return nil, err
		}
		prf, err := b.keyedByText("1")
		if err != nil {
			return nil, err
		}
		m := noiseMasker{prf: prf, col: b.col, kind: b.col.kind(), percent: b.spec.given("percent")}
		m.amount, m.amountScale = mantissa(b.spec.word("percent") + b.spec.word("abs"))
		b.traits = Traits{Output: OutputSynthetic}
		return func() Masker { c := m; return &c }, nil
	},
}

// mantissa splits a decimal number that the parser has checked: 2.5 is 25 with
// one decimal place.
func mantissa(s string) (m uint64, scale int) {
	whole, frac, _ := strings.Cut(s, ".")
	m, _ = strconv.ParseUint(whole+frac, 10, 64)
	return m, len(frac)
}

type noiseMasker struct {
	prf         prf
	col         Column
	kind        sqlKind
	percent     bool
	amount      uint64
	amountScale int
	scratch     cmac.Scratch
	input       []byte
}

func (m *noiseMasker) Append(dst, src []byte, row Row) ([]byte, bool, error) {
	if len(src) == 0 || isSpecialNumber(src) {
		return append(dst, src...), false, nil
	}
	n, ok := parseNumber(src)
	if !ok || n.exponent && m.kind == kindInteger || m.kind == kindInteger && n.scale > 0 {
		return dst, false, fault.New(fault.Data, "%s: a value is not a number of the column's type", m.col)
	}
	// The number's end is marked, so that no number and subject are taken for
	// another pair.
	m.input = append(append(m.input[:0], src...), 0)
	m.input = append(m.input, row.Subject...)
	random := m.prf.of(&m.scratch, m.input)
	switch {
	case m.kind == kindFloat || n.exponent:
		return m.float(dst, src, random)
	case n.digits > 18:
		return m.long(dst, src, n, random), false, nil
	}
	return m.short(dst, n, random), false, nil
}

// isSpecialNumber reports the values that are not finite.
func isSpecialNumber(s []byte) bool {
	return string(s) == "NaN" || string(s) == "Infinity" || string(s) == "-Infinity"
}

// A number is a decimal number's parts.
type number struct {
	negative bool
	exponent bool   // it has one; only whole is otherwise unset
	value    uint64 // all digits as one number, if there are at most 18
	digits   int    // without leading zeros
	whole    int    // digits before the point, without leading zeros
	scale    int    // digits after the point
}

func parseNumber(s []byte) (n number, ok bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		n.negative = s[i] == '-'
		i++
	}
	seen, point := 0, false
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			seen++
			if point {
				n.scale++
			}
			if c != '0' || n.digits > 0 {
				n.digits++
				if !point {
					n.whole++
				}
			}
			if n.digits <= 18 {
				n.value = n.value*10 + uint64(c-'0')
			}
		case c == '.' && !point:
			point = true
		case (c == 'e' || c == 'E') && seen > 0:
			n.exponent = true
			_, err := strconv.ParseFloat(string(s), 64)
			return n, err == nil
		default:
			return n, false
		}
	}
	return n, seen > 0 && seen < 1<<16
}

// short moves numbers of at most 18 digits, in units of the last decimal place.
func (m *noiseMasker) short(dst []byte, n number, random bits) []byte {
	most := m.reach(n)
	if m.percent && n.value == 0 {
		most = 0
	}
	// As many digits before the point as there are; a whole number has one.
	limit := pow10(max(n.whole, 1-n.scale) + n.scale)
	if m.kind == kindInteger {
		limit = integerLimit(m.col.SQLType) + 1
	}
	v := shift(n.value, most, limit, random)
	if n.negative && v > 0 {
		dst = append(dst, '-')
	}
	return appendScaled(dst, v, n.scale)
}

// reach returns the largest change in units of the last decimal place, at least
// one.
func (m *noiseMasker) reach(n number) uint64 {
	base, scale := n.value, m.amountScale+2
	if !m.percent {
		base, scale = pow10(n.scale), m.amountScale
	}
	hi, lo := mathbits.Mul64(base, m.amount)
	divisor := pow10(scale)
	if hi >= divisor {
		return pow10(18)
	}
	q, _ := mathbits.Div64(hi, lo, divisor)
	return max(min(q, pow10(18)), 1)
}

// shift moves v by 1 to most, up or down; a result below 0 or not below limit is
// taken on the other side, or failing that as near as possible.
func shift(v, most, limit uint64, random bits) uint64 {
	if most == 0 {
		return v
	}
	by, _ := mathbits.Mul64(random.hi, most)
	by++
	up := random.lo&1 == 0
	canUp, canDown := v+by < limit, by <= v
	switch {
	case up && canUp, !canDown && canUp:
		return v + by
	case canDown:
		return v - by
	case up && v < limit-1:
		return limit - 1
	}
	return 0
}

func pow10(n int) uint64 {
	p := uint64(1)
	for range min(n, 19) {
		p *= 10
	}
	return p
}

func integerLimit(sqlType string) uint64 {
	switch sqlType {
	case "int2":
		return math.MaxInt16
	case "int4":
		return math.MaxInt32
	}
	return math.MaxInt64
}

// appendScaled appends v with scale decimal places.
func appendScaled(dst []byte, v uint64, scale int) []byte {
	if scale > 18 {
		// More places than a uint64 has digits: v is small, zeros come first.
		dst = append(dst, "0."...)
		text := strconv.AppendUint(nil, v, 10)
		for range scale - len(text) {
			dst = append(dst, '0')
		}
		return append(dst, text...)
	}
	unit := pow10(scale)
	dst = strconv.AppendUint(dst, v/unit, 10)
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for rest := v % unit; unit > 1; rest %= unit {
		unit /= 10
		dst = append(dst, '0'+byte(rest/unit))
	}
	return dst
}

// long moves numbers of more than 18 digits. The change is drawn from 53 bits:
// its last digits are not uniform, and need not be.
func (m *noiseMasker) long(dst, src []byte, n number, random bits) []byte {
	digits := strings.ReplaceAll(strings.TrimLeft(string(src), "+-"), ".", "")
	v, _ := new(big.Int).SetString(digits, 10)
	most := new(big.Int)
	amount := new(big.Int).SetUint64(m.amount)
	if m.percent {
		most.Mul(v, amount)
		most.Quo(most, new(big.Int).SetUint64(pow10(m.amountScale+2)))
	} else {
		most.Mul(amount, bigPow10(n.scale))
		most.Quo(most, bigPow10(m.amountScale))
	}
	by := new(big.Int).Mul(most, new(big.Int).SetUint64(random.hi>>11))
	by.Rsh(by, 53)
	by.Add(by, big.NewInt(1))
	limit := bigPow10(n.whole + n.scale)
	if m.kind == kindInteger {
		limit = new(big.Int).SetUint64(integerLimit(m.col.SQLType) + 1)
	}
	up := new(big.Int).Add(v, by)
	if down := new(big.Int).Sub(v, by); down.Sign() >= 0 && (random.lo&1 == 1 || up.Cmp(limit) >= 0) {
		v = down
	} else if up.Cmp(limit) < 0 {
		v = up
	} else {
		v = new(big.Int)
	}
	text := v.String()
	if n.negative && v.Sign() > 0 {
		dst = append(dst, '-')
	}
	if pad := n.scale + 1 - len(text); pad > 0 {
		text = strings.Repeat("0", pad) + text
	}
	dst = append(dst, text[:len(text)-n.scale]...)
	if n.scale > 0 {
		dst = append(append(dst, '.'), text[len(text)-n.scale:]...)
	}
	return dst
}

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// float moves floating-point numbers.
func (m *noiseMasker) float(dst, src []byte, random bits) ([]byte, bool, error) {
	size := 64
	if m.col.SQLType == "float4" {
		size = 32
	}
	v, err := strconv.ParseFloat(string(src), size)
	if err != nil {
		return dst, false, fault.New(fault.Data, "%s: a value is not a number of the column's type", m.col)
	}
	most := float64(m.amount) / math.Pow10(m.amountScale)
	if m.percent {
		most = math.Abs(v) * (most / 100)
	}
	// From just above 0 to most: the value itself is not among the results.
	by := most * ((float64(random.hi>>11) + 1) / (1 << 53))
	if random.lo&1 == 1 {
		by = -by
	}
	out := v + by
	if math.Signbit(out) != math.Signbit(v) && v != 0 || v == 0 && out < 0 {
		out = v - by
	}
	if math.IsInf(out, 0) || size == 32 && math.Abs(out) > math.MaxFloat32 {
		out = v - by
	}
	// A change that the type rounds away is none: one step towards zero is.
	if size == 32 && float32(out) == float32(v) {
		out = float64(math.Nextafter32(float32(v), 0))
	} else if out == v {
		out = math.Nextafter(v, 0)
	}
	return strconv.AppendFloat(dst, out, 'g', -1, size), false, nil
}
