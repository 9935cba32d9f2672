package mask

import (
	"unicode/utf8"
)

var partialRule = &definition{
	name: "partial",
	doc: "Every character becomes char, but for the first keep_first and the last keep_last. A value that would be " +
		"shown whole is hidden whole. Shows part of the original and is not injective: refused on unique columns.",
	params: []param{
		intParam("keep_first", "characters shown at the start", "0", 0, 64),
		intParam("keep_last", "characters shown at the end", "0", 0, 64),
		charParam("char", "the character that hides another", "*"),
	},
	kinds:   []sqlKind{kindText},
	example: "partial(keep_last=4)", in: "DE89370400440532013000", out: "******************3000",
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("partial", kindText); err != nil {
			return nil, err
		}
		if err := b.col.refuseUnique("partial", "values that differ in hidden characters only would be equal", "use hash or fpe(keep_last=…)"); err != nil {
			return nil, err
		}
		m := &partialMasker{
			first: b.spec.int("keep_first"), last: b.spec.int("keep_last"),
			char: b.spec.word("char"), canon: canonical{form: b.col.form().shown()},
		}
		b.traits = Traits{Output: OutputPartial}
		return func() Masker { c := *m; return &c }, nil
	},
}

type partialMasker struct {
	first, last int
	char        string
	canon       canonical
}

func (m *partialMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	n := utf8.RuneCount(src)
	first, last := m.first, n-m.last
	if first >= last {
		first, last = 0, n
	}
	for i, at := 0, 0; at < len(src); i++ {
		r, size := utf8.DecodeRune(src[at:])
		if i >= first && i < last || r == utf8.RuneError && size == 1 || r == 0 {
			dst = append(dst, m.char...)
		} else {
			dst = append(dst, src[at:at+size]...)
		}
		at += size
	}
	return dst, false, nil
}
