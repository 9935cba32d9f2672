package ff1

import (
	"crypto/aes"
	"encoding/binary"
	"math/big"
	"math/bits"
)

// wide is the working memory of lengths whose halves need more than 64 bits.
type wide struct {
	a, b, y, modU, modV, tmp, rem big.Int
	half, out                     []byte
}

// appendWide is FF1 on big integers.
func (w *Worker) appendWide(dst, src []uint16, tweak []byte, encrypt bool) []uint16 {
	k := &w.wide
	u := len(src) / 2
	v := len(src) - u
	radix := new(big.Int).SetUint64(w.c.radix)
	k.modU.Exp(radix, k.tmp.SetInt64(int64(u)), nil)
	k.modV.Mul(&k.modU, k.tmp.SetInt64(1))
	if v > u {
		k.modV.Mul(&k.modU, radix)
	}
	// The exact ceil(ceil(v·log2 radix)/8): logarithms in floating point are wrong
	// for some powers of two.
	b := (k.tmp.Sub(&k.modV, big.NewInt(1)).BitLen() + 7) / 8
	d := 4*((b+3)/4) + 4
	number(&k.a, src[:u], w.c.radix)
	number(&k.b, src[u:], w.c.radix)
	f := func(i byte, half, m *big.Int) *big.Int {
		w.wideRound(i, half, b, d, tweak, len(src))
		return k.y.Mod(k.y.SetBytes(k.out[:d]), m)
	}
	if encrypt {
		for i := byte(0); i < 10; i += 2 {
			k.a.Mod(k.a.Add(&k.a, f(i, &k.b, &k.modU)), &k.modU)
			k.b.Mod(k.b.Add(&k.b, f(i+1, &k.a, &k.modV)), &k.modV)
		}
	} else {
		for i := byte(10); i > 0; i -= 2 {
			k.b.Mod(k.b.Sub(&k.b, f(i-1, &k.a, &k.modV)), &k.modV)
			k.a.Mod(k.a.Sub(&k.a, f(i-2, &k.b, &k.modU)), &k.modU)
		}
	}
	at := len(dst)
	dst = append(dst, make([]uint16, len(src))...)
	w.spellWide(dst[at:at+u], &k.a)
	w.spellWide(dst[at+u:], &k.b)
	return dst
}

// wideRound leaves the first d bytes of the round function's output in out.
func (w *Worker) wideRound(i byte, half *big.Int, b, d int, tweak []byte, n int) {
	k := &w.wide
	// What follows the tweak: zeros, the round's number and the half.
	tail := -(len(tweak)+b+1)&15 + 1 + b
	if cap(k.half) < tail {
		k.half = make([]byte, tail)
	}
	k.half = k.half[:tail]
	clear(k.half)
	k.half[tail-1-b] = i
	half.FillBytes(k.half[tail-b:])

	x := w.c.prefix(n, len(tweak))
	at := 0
	for _, part := range [2][]byte{tweak, k.half} {
		for _, c := range part {
			x[at] ^= c
			if at++; at == aes.BlockSize {
				w.c.block.Encrypt(x[:], x[:])
				at = 0
			}
		}
	}
	k.out = append(k.out[:0], x[:]...)
	for j := uint64(1); len(k.out) < d; j++ {
		w.x = *x
		binary.BigEndian.PutUint64(w.x[8:], binary.BigEndian.Uint64(w.x[8:])^j)
		w.c.block.Encrypt(w.x[:], w.x[:])
		k.out = append(k.out, w.x[:]...)
	}
}

// chunk returns how many numerals fit into 64 bits together, and radix to that
// power.
func chunk(radix uint64) (n int, p uint64) {
	p = 1
	for {
		hi, lo := bits.Mul64(p, radix)
		if hi != 0 {
			return n, p
		}
		n, p = n+1, lo
	}
}

// number sets z to the number that src spells.
func number(z *big.Int, src []uint16, radix uint64) {
	size, _ := chunk(radix)
	z.SetUint64(0)
	var scale, part big.Int
	for len(src) > 0 {
		n := min(size, len(src))
		p, x := uint64(1), uint64(0)
		for _, d := range src[:n] {
			p *= radix
			x = x*radix + uint64(d)
		}
		z.Mul(z, scale.SetUint64(p))
		z.Add(z, part.SetUint64(x))
		src = src[n:]
	}
}

// spellWide writes x in numerals, most significant first, and destroys x.
func (w *Worker) spellWide(dst []uint16, x *big.Int) {
	size, p := chunk(w.c.radix)
	k := &w.wide
	for len(dst) > 0 {
		n := min(size, len(dst))
		x.QuoRem(x, k.tmp.SetUint64(p), &k.rem)
		spell(w.c.radix, dst[len(dst)-n:], k.rem.Uint64())
		dst = dst[:len(dst)-n]
	}
}
