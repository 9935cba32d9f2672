package mask

import (
	"bytes"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

var phoneRule = &definition{
	name: "phone",
	doc: "A number under the country code +999, which the ITU has assigned to nobody: it can be neither called nor " +
		"written to, whatever software dials it. A number with + or 00 keeps its separators and the length of its " +
		"national part; one without gets +999 before it. 7 to 12 national digits come from a keyed function of the " +
		"value's digits, however they are written. Letters are dropped. Not injective: refused on unique columns. " +
		"The column takes at least 11 characters.",
	params: []param{domainParam()}, kinds: []sqlKind{kindText},
	example: "phone", in: "+49 (30) 901820-44", out: "+999 (54) 169545-71", keyed: true,
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("phone", kindText); err != nil {
			return nil, err
		}
		if err := b.col.refuseUnique("phone", "numbers of seven digits are too few to never meet",
			"use fpe(alphabet=digits), whose results may be somebody's number, or hash"); err != nil {
			return nil, err
		}
		if b.col.limit() < len(fictionalCode)+leastNational {
			return nil, fault.New(fault.Policy, "%s: rule phone needs %d characters and the column takes %d",
				b.col, len(fictionalCode)+leastNational, b.col.MaxLen).
				WithHint("use fpe(alphabet=digits), whose results may be somebody's number, or partial")
		}
		prf, err := b.keyed("1")
		if err != nil {
			return nil, err
		}
		if b.col.limit() < longestPhone {
			b.effect("max_length", b.col.limit())
		}
		b.traits = Traits{Output: OutputFictional, Domain: pow(10, leastNational)}
		m := phoneMasker{prf: prf, limit: b.col.limit()}
		return func() Masker { c := m; return &c }, nil
	},
}

const (
	// fictionalCode is a spare country code of E.164. NANP's 555-0100 to 555-0199
	// and the like are fictional too, but a hundred numbers are too few; and a
	// number without a country code is always somebody's in some country.
	fictionalCode = "+999"
	leastNational = 7
	// mostNational completes the 15 digits that E.164 allows.
	mostNational = 12
	// longestPhone bounds the result: code, digits, and as many separators.
	longestPhone = 40
)

type phoneMasker struct {
	prf     prf
	limit   int
	scratch cmac.Scratch
	digits  []byte
}

func (m *phoneMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = bytes.Trim(src, " ")
	if len(src) == 0 {
		return dst, false, nil
	}
	international := src[0] == '+'
	rest := src
	switch {
	case international:
		rest = src[1:]
	case len(src) > 2 && src[0] == '0' && src[1] == '0':
		international, rest = true, src[2:]
	}
	m.digits = m.digits[:0]
	if international {
		m.digits = append(m.digits, '+')
	}
	for _, c := range rest {
		if '0' <= c && c <= '9' {
			m.digits = append(m.digits, c)
		}
	}
	if len(m.digits) < 3 {
		// Not a number: "unknown", "ask Bob". Keyed by the whole text.
		m.digits = append(m.digits, src...)
		rest, international = nil, false
	}
	seed := m.prf.of(&m.scratch, m.digits)
	if international {
		rest = nationalPart(rest)
	}

	start := len(dst)
	dst = append(dst, fictionalCode...)
	if !international && len(rest) > 0 {
		dst = append(dst, ' ')
	}
	d := decimal{x: seed.hi}
	for _, c := range rest {
		switch {
		case '0' <= c && c <= '9':
			if d.n == mostNational {
				break
			}
			dst = d.append(dst)
		case separator(c) && d.n < mostNational && len(dst)-start < longestPhone-mostNational:
			dst = append(dst, c)
		}
	}
	dst = bytes.TrimRight(dst, " -./(")
	for d.n < leastNational {
		dst = d.append(dst)
	}
	if len(dst)-start > m.limit {
		dst = m.squeeze(dst, start)
	}
	return dst, false, nil
}

// nationalPart cuts the country code off: the digits before the first separator
// where there are at most three, else two, the commonest length.
func nationalPart(rest []byte) []byte {
	n := 0
	for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
		n++
	}
	if n > 3 || n == len(rest) {
		n = min(2, len(rest))
	}
	return rest[n:]
}

// squeeze drops separators, and digits beyond the limit, of the number at start.
func (m *phoneMasker) squeeze(dst []byte, start int) []byte {
	out := dst[:start+1]
	for _, c := range dst[start+1:] {
		if '0' <= c && c <= '9' && len(out)-start < m.limit {
			out = append(out, c)
		}
	}
	return out
}

func separator(c byte) bool {
	return c == ' ' || c == '-' || c == '.' || c == '/' || c == '(' || c == ')'
}

// decimal draws decimal digits from 64 bits, by fixed-point multiplication: the
// first twelve are uniform up to 2^-24.
type decimal struct {
	x uint64
	n int
}

func (d *decimal) append(dst []byte) []byte {
	hi := d.x >> 32 * 10
	lo := d.x & 0xffffffff * 10
	hi += lo >> 32
	d.x = hi<<32 | lo&0xffffffff
	d.n++
	return append(dst, '0'+byte(hi>>32))
}
