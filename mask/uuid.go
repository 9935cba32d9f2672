package mask

import (
	"encoding/hex"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/tokenize/ff1"
)

var uuidRule = &definition{
	name: "uuid",
	doc: "Another UUID of the same version and variant (RFC 9562): FF1 over the other 122 bits, a permutation. Works on " +
		"text columns too, where the value must be a UUID with hyphens, in one case.",
	params: []param{domainParam()}, kinds: []sqlKind{kindUUID, kindText},
	example: "uuid", in: "0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f", out: "0d15e827-c202-7a88-a9cb-ec3834047052", keyed: true,
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("uuid", kindUUID, kindText); err != nil {
			return nil, err
		}
		if b.col.limit() < 36 {
			return nil, fault.New(fault.Policy, "%s: rule uuid needs 36 characters and the column takes %d", b.col, b.col.MaxLen)
		}
		key, err := b.subkey("uuid/1")
		if err != nil {
			return nil, err
		}
		cipher, err := ff1.New(key, 2)
		clear(key)
		if err != nil {
			return nil, fault.New(fault.Unexpected, "%s: rule uuid: %v", b.col, err)
		}
		b.traits = Traits{Output: OutputPermutation, Injective: true, Domain: pow(2, uuidBits)}
		col, form := b.col, b.col.form()
		return func() Masker {
			return &uuidMasker{col: col, worker: cipher.NewWorker(), canon: canonical{form: form}}
		}, nil
	},
}

const uuidBits = 122

type uuidMasker struct {
	col      Column
	canon    canonical
	worker   *ff1.Worker
	numerals [uuidBits]uint16
	tweak    [2]byte
}

func (m *uuidMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if len(src) == 0 {
		return dst, false, nil
	}
	id, ok := parseUUID(src)
	if !ok {
		return dst, false, fault.New(fault.Data, "%s: a value is not a UUID", m.col).
			WithHint("rule uuid takes 36 characters with hyphens, letters in one case; use hash for other identifiers")
	}
	// The version is the high half of byte 6, the variant the two high bits of byte 8.
	m.tweak = [2]byte{id[6] >> 4, id[8] >> 6}
	n := m.numerals[:0]
	for i, b := range id {
		for bit := fixedBits(i); bit < 8; bit++ {
			n = append(n, uint16(b>>(7-bit)&1))
		}
	}
	n, err := m.worker.AppendEncrypt(n[:0], n, m.tweak[:])
	if err != nil {
		return dst, false, fault.New(fault.Unexpected, "%s: rule uuid: %v", m.col, err)
	}
	id = [16]byte{6: m.tweak[0] << 4, 8: m.tweak[1] << 6}
	at := 0
	for i := range id {
		for bit := fixedBits(i); bit < 8; bit++ {
			id[i] |= byte(n[at]) << (7 - bit)
			at++
		}
	}
	start := len(dst)
	dst = appendUUID(dst, id)
	if styleOf(src) == styleUpper {
		styleUpper.apply(dst[start:])
	}
	return dst, false, nil
}

// fixedBits returns how many high bits of byte i of a UUID keep their value.
func fixedBits(i int) int {
	switch i {
	case 6:
		return 4
	case 8:
		return 2
	}
	return 0
}

// hyphens are the positions of the hyphens in a UUID's text.
func hyphen(i int) bool { return i == 8 || i == 13 || i == 18 || i == 23 }

// parseUUID parses the text form with hyphens, letters all in one case.
func parseUUID(s []byte) (id [16]byte, ok bool) {
	if len(s) != 36 {
		return id, false
	}
	nibble, upper, lower := 0, false, false
	for i, c := range s {
		if hyphen(i) {
			if c != '-' {
				return id, false
			}
			continue
		}
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
			lower = true
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
			upper = true
		default:
			return id, false
		}
		id[nibble/2] |= c << (4 - nibble%2*4)
		nibble++
	}
	return id, !(upper && lower)
}

func appendUUID(dst []byte, id [16]byte) []byte {
	for i, part := range [...][]byte{id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}
