package mask

import (
	"encoding/hex"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

var hashRule = &definition{
	name: "hash",
	doc: "A keyed hash (AES-256-CMAC) in lower-case hexadecimal: 32 digits, or as many as length or the column say, at " +
		"least 16. Two values never share one.",
	params: []param{
		intParam("length", "hexadecimal digits, 16 to 32; by default 32 or what the column takes", "", 16, 32),
		domainParam(),
	},
	kinds:   []sqlKind{kindText},
	example: "hash(length=16)", in: "device 8841-A", out: "617b40739382c929", keyed: true,
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("hash", kindText); err != nil {
			return nil, err
		}
		n := min(2*cmac.Size, b.col.limit())
		if b.spec.given("length") {
			n = b.spec.int("length")
		}
		if least := max(16, n); least > b.col.limit() {
			return nil, fault.New(fault.Policy, "%s: rule hash needs %d characters and the column takes %d", b.col, least, b.col.MaxLen).
				WithHint("use fpe, partial or null; fewer than 16 digits would let two values meet")
		}
		if n < 2*cmac.Size && !b.spec.given("length") {
			b.effect("length", n)
		}
		prf, err := b.keyed("1")
		if err != nil {
			return nil, err
		}
		b.traits = Traits{Output: OutputFictional, Injective: true, Domain: pow(16, n)}
		form := b.col.form()
		return func() Masker { return &hashMasker{prf: prf, digits: n, canon: canonical{form: form}} }, nil
	},
}

type hashMasker struct {
	prf     prf
	digits  int
	canon   canonical
	scratch cmac.Scratch
}

func (m *hashMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if len(src) == 0 {
		return dst, false, nil
	}
	tag := m.prf.mac.SumWith(&m.scratch, src)
	var digits [2 * cmac.Size]byte
	hex.Encode(digits[:], tag[:])
	return append(dst, digits[:m.digits]...), false, nil
}
