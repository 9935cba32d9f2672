package mask

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/fake"
)

// Rules that draw from word lists. They are not injective: a list has some
// hundred words, and equal names of two people stay equal, as in life.

const listDoc = " Drawn by a keyed function of the value without regard to case, never the value itself, in the " +
	"value's case style (UPPER, lower, Title). Not injective: refused on unique columns."

func listRule(name, doc, example, in, out string, parts func() []part) *definition {
	return &definition{
		name: name, doc: doc + listDoc, params: []param{domainParam()}, kinds: []sqlKind{kindText},
		example: example, in: in, out: out, keyed: true,
		compile: func(b *build) (func() Masker, error) { return b.words(parts()) },
	}
}

var (
	firstNameRule = listRule("first_name", "A first name from the word list.",
		"first_name", "Wilhelmina", "Aurelia", func() []part { return []part{{list: fake.FirstNames()}} })
	lastNameRule = listRule("last_name", "A last name from the word list.",
		"last_name", "MONTGOMERY", "YOST", func() []part { return []part{{list: fake.LastNames()}} })
	fullNameRule = listRule("full_name", "A first and a last name from the word lists.",
		"full_name", "Wilhelmina Montgomery", "Nelson Lubowitz", func() []part {
			return []part{{list: fake.FirstNames()}, {list: fake.LastNames()}}
		})
	cityRule = listRule("city", "A city from the word list.",
		"city", "Bad Salzuflen", "Toledo", func() []part { return []part{{list: fake.Cities()}} })
	companyRule = listRule("company", "A company from the word list.",
		"company", "Montgomery & Sons", "NerdWallet", func() []part { return []part{{list: fake.Companies()}} })
	streetAddressRule = listRule("street_address", "A house number and a street made of a last name and a kind of street.",
		"street_address", "12 Rosewood Close", "97 Koelpin Ferry", func() []part {
			return []part{{numbers: 9999}, {list: fake.LastNames()}, {list: fake.Streets()}}
		})
)

// A part is one word of a result: from a list, or a number from 1.
type part struct {
	list    *fake.List
	short   []string // the words of list that fit whatever the other parts are
	numbers int
}

// words is a compiled list rule.
type words struct {
	prf   prf
	form  sqlForm
	limit int
	parts []part
}

// leastWords is how many words must fit into a column for a list rule to make
// sense there.
const leastWords = 10

func (b *build) words(parts []part) (func() Masker, error) {
	name := b.spec.def.name
	if err := b.col.want(name, kindText); err != nil {
		return nil, err
	}
	if err := b.col.refuseUnique(name, "two values may draw the same words", "use email or username, hash, or fpe"); err != nil {
		return nil, err
	}
	if err := fake.Check(); err != nil {
		return nil, fault.New(fault.KindOf(err), "%s: rule %s: %v", b.col, name, err).WithHint("%s", fault.HintOf(err))
	}
	prf, err := b.keyed("1")
	if err != nil {
		return nil, err
	}
	r := &words{prf: prf, form: b.col.form(), limit: b.col.limit(), parts: parts}
	natural, room, lists := len(parts)-1, r.limit-(len(parts)-1), 0
	b.traits = Traits{Output: OutputSynthetic, Domain: 1}
	for _, p := range parts {
		if p.list == nil {
			digits := len(strconv.Itoa(p.numbers))
			natural, room = natural+digits, room-digits
			b.traits.Domain *= float64(p.numbers)
			continue
		}
		natural += p.list.Longest()
		lists++
		b.traits.Domain *= float64(p.list.Len())
	}
	for i, p := range parts {
		if p.list == nil {
			continue
		}
		for j := range p.list.Len() {
			if w := p.list.At(j); len(w) <= room/lists {
				parts[i].short = append(parts[i].short, w)
			}
		}
		if len(parts[i].short) < leastWords {
			return nil, fault.New(fault.Policy, "%s: rule %s needs more than the %d characters of the column", b.col, name, b.col.MaxLen).
				WithHint("use partial, constant(…), null or fpe")
		}
	}
	if r.limit < natural {
		b.effect("max_length", r.limit)
	}
	return func() Masker { return &wordsMasker{r: r} }, nil
}

type wordsMasker struct {
	r       *words
	scratch cmac.Scratch
	folded  []byte
}

// tries is how often words are drawn until they fit and differ from the value.
// After that only words are drawn that fit in any combination. Drawing again,
// where a shorter list would do, keeps results equal between columns of
// different lengths as long as they fit both.
const tries = 64

func (m *wordsMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	if m.r.form == formBlanks {
		src = bytes.TrimRight(src, " ")
	}
	if len(src) == 0 {
		return dst, false, nil
	}
	m.folded = appendLower(m.folded[:0], src)
	seed := m.r.prf.of(&m.scratch, m.folded)
	w := walk{seed.hi}
	start := len(dst)
	for i := 0; i < 2*tries; i++ {
		dst = m.r.draw(dst[:start], &w, i >= tries)
		if len(dst)-start <= m.r.limit && !equalFolded(dst[start:], m.folded) {
			break
		}
	}
	styleOf(src).apply(dst[start:])
	return dst, false, nil
}

// draw appends one word of every part.
func (r *words) draw(dst []byte, w *walk, short bool) []byte {
	for i := range r.parts {
		if i > 0 {
			dst = append(dst, ' ')
		}
		switch p := &r.parts[i]; {
		case p.list == nil:
			dst = strconv.AppendInt(dst, int64(1+fake.Index(w.next(), p.numbers)), 10)
		case short:
			dst = append(dst, p.short[fake.Index(w.next(), len(p.short))]...)
		default:
			dst = append(dst, p.list.Pick(w.next())...)
		}
	}
	return dst
}

// equalFolded reports whether ASCII text equals folded without regard to case.
func equalFolded(ascii, folded []byte) bool {
	if len(ascii) != len(folded) {
		return false
	}
	for i, c := range ascii {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != folded[i] {
			return false
		}
	}
	return true
}

// A style is how a text uses case.
type style uint8

const (
	styleTitle style = iota // any mixture, and scripts without case
	styleUpper
	styleLower
)

func styleOf(s []byte) style {
	upper, lower := 0, 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				upper++
			} else if 'a' <= c && c <= 'z' {
				lower++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if unicode.IsUpper(r) {
			upper++
		} else if unicode.IsLower(r) {
			lower++
		}
		i += size
	}
	switch {
	case upper > 1 && lower == 0:
		return styleUpper
	case lower > 0 && upper == 0:
		return styleLower
	}
	return styleTitle
}

// apply gives ASCII text the style.
func (s style) apply(text []byte) {
	switch s {
	case styleUpper:
		for i, c := range text {
			if 'a' <= c && c <= 'z' {
				text[i] = c - ('a' - 'A')
			}
		}
	case styleLower:
		for i, c := range text {
			if 'A' <= c && c <= 'Z' {
				text[i] = c + ('a' - 'A')
			}
		}
	}
}
