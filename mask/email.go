package mask

import (
	"sync"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/fake"
)

// hosts are reserved for documentation (RFC 2606, RFC 6761): no mail to them is
// ever delivered to anybody. All have the same length.
var hosts = [...]string{"@example.com", "@example.net", "@example.org"}

var emailRule = &definition{
	name: "email",
	doc: "An address first.last.TAIL@example.com, .net or .org, domains that are reserved and belong to nobody. The " +
		"tail holds 64 bits of a keyed function of the value, so that two values never share an address, in lower " +
		"case, so that indexes on lower(email) hold too. Names are left out where the column is short; it takes " +
		"at least 25 characters.",
	params: []param{domainParam()}, kinds: []sqlKind{kindText},
	example: "email", in: "ann.lee@mail.com", out: "lyric.smith.mv2316dcp5ynx@example.com", keyed: true,
	compile: func(b *build) (func() Masker, error) { return b.tailed(hosts[:]) },
}

var usernameRule = &definition{
	name: "username",
	doc: "A name first.last.TAIL whose tail holds 64 bits of a keyed function of the value, so that two values never " +
		"share one. Names are left out where the column is short; it takes at least 13 characters.",
	params: []param{domainParam()}, kinds: []sqlKind{kindText},
	example: "username", in: "annlee1987", out: "mallie.krajcik.m2qxznmz1nc96", keyed: true,
	compile: func(b *build) (func() Masker, error) { return b.tailed([]string{""}) },
}

// tailLen is the length of 64 bits in base 32, with one bit to spare.
const tailLen = 13

// tailAlphabet is Crockford's base 32 in lower case: no i, l, o, u.
const tailAlphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// heads are the names that stand before a tail: letters and digits in lower case.
var heads = sync.OnceValue(func() (h struct {
	first, last               []string
	longestFirst, longestLast int
}) {
	h.first, h.longestFirst = plain(fake.FirstNames())
	h.last, h.longestLast = plain(fake.LastNames())
	return h
})

func plain(l *fake.List) (words []string, longest int) {
	for i := range l.Len() {
		var w []byte
		for _, c := range appendLower(nil, []byte(l.At(i))) {
			if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
				w = append(w, c)
			}
		}
		words = append(words, string(w))
		longest = max(longest, len(w))
	}
	return words, longest
}

// tailed is a compiled rule that makes names with a keyed tail.
type tailed struct {
	prf         prf
	form        sqlForm
	limit       int
	hosts       []string
	first, last []string
}

func (b *build) tailed(hosts []string) (func() Masker, error) {
	name := b.spec.def.name
	if err := b.col.want(name, kindText); err != nil {
		return nil, err
	}
	if least := tailLen + len(hosts[0]); b.col.limit() < least {
		return nil, fault.New(fault.Policy, "%s: rule %s needs %d characters and the column takes %d", b.col, name, least, b.col.MaxLen).
			WithHint("use hash (16 characters), fpe, or null")
	}
	if err := fake.Check(); err != nil {
		return nil, fault.New(fault.KindOf(err), "%s: rule %s: %v", b.col, name, err).WithHint("%s", fault.HintOf(err))
	}
	prf, err := b.keyed("1")
	if err != nil {
		return nil, err
	}
	h := heads()
	r := &tailed{prf: prf, form: b.col.form(), limit: b.col.limit(), hosts: hosts, first: h.first, last: h.last}
	if r.limit < h.longestFirst+1+h.longestLast+1+tailLen+len(hosts[0]) {
		b.effect("max_length", r.limit)
	}
	b.traits = Traits{Output: OutputFictional, Injective: true, Domain: 1 << 64}
	return func() Masker { return &tailedMasker{r: r, canon: canonical{form: r.form}} }, nil
}

type tailedMasker struct {
	r       *tailed
	canon   canonical
	scratch cmac.Scratch
}

func (m *tailedMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if len(src) == 0 {
		return dst, false, nil
	}
	r := m.r
	seed := r.prf.of(&m.scratch, src)
	w := walk{seed.lo}
	first := r.first[fake.Index(w.next(), len(r.first))]
	last := r.last[fake.Index(w.next(), len(r.last))]
	host := r.hosts[fake.Index(w.next(), len(r.hosts))]
	room := r.limit - tailLen - len(host)
	if len(first)+1 <= room {
		dst = append(append(dst, first...), '.')
		if room -= len(first) + 1; len(last)+1 <= room {
			dst = append(append(dst, last...), '.')
		}
	}
	dst = appendTail(dst, seed)
	return append(dst, host...), false, nil
}

// appendTail appends 65 bits: all of hi and one of lo.
func appendTail(dst []byte, b bits) []byte {
	dst = append(dst, tailAlphabet[b.hi>>60<<1&31|b.lo>>63])
	for shift := 55; shift >= 0; shift -= 5 {
		dst = append(dst, tailAlphabet[b.hi>>uint(shift)&31])
	}
	return dst
}
