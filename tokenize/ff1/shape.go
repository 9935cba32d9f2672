package ff1

import (
	"encoding/binary"
	"math/bits"
	"sync/atomic"
)

// A shape holds the constants of one length n whose halves fit into 64 bits.
type shape struct {
	n, u, v int
	// b is the length of a half in bytes, d of the part of the round function's
	// output that is used.
	b, d int
	// modU and modV are radix^u and radix^v, where 0 stands for 2^64.
	modU, modV uint64
	// first caches the encryption of P for short tweaks, by their length.
	first [maxCachedTweak + 1]atomic.Pointer[[16]byte]
}

const maxCachedTweak = 32

// shape returns the constants of length n, or nil where halves need more than
// 64 bits.
func (c *Cipher) shape(n int) *shape {
	if n >= len(c.shapes) {
		return nil
	}
	if s := c.shapes[n].Load(); s != nil {
		return s
	}
	u := n / 2
	v := n - u
	modU, ok := power(c.radix, u)
	if !ok {
		return nil
	}
	modV, ok := power(c.radix, v)
	if !ok {
		return nil
	}
	s := &shape{n: n, u: u, v: v, modU: modU, modV: modV}
	// modV-1 wraps to all ones where modV stands for 2^64: 64 bits, as it should.
	s.b = (bits.Len64(modV-1) + 7) / 8
	s.d = 4*((s.b+3)/4) + 4
	c.shapes[n].Store(s)
	return s
}

// power returns radix^n, with 0 for 2^64; ok is false for what is larger.
func power(radix uint64, n int) (p uint64, ok bool) {
	p = 1
	for i := range n {
		hi, lo := bits.Mul64(p, radix)
		if hi > 1 || hi == 1 && (lo != 0 || i != n-1) {
			return 0, false
		}
		p = lo
	}
	return p, true
}

// pad returns the number of zeros between a tweak and the round's number.
func (s *shape) pad(tweak int) int { return -(tweak + s.b + 1) & 15 }

// prefix returns the encryption of P for a tweak's length.
func (s *shape) prefix(c *Cipher, tweak int) *[16]byte {
	if tweak <= maxCachedTweak {
		if p := s.first[tweak].Load(); p != nil {
			return p
		}
	}
	p := c.prefix(s.n, tweak)
	if tweak <= maxCachedTweak {
		s.first[tweak].Store(p)
	}
	return p
}

// prefix encrypts P, the constant first block of step 5.
func (c *Cipher) prefix(n, tweak int) *[16]byte {
	p := new([16]byte)
	p[0], p[1], p[2] = 1, 2, 1
	// The radix takes three bytes: 65536 does not fit into two.
	p[3], p[4], p[5] = byte(c.radix>>16), byte(c.radix>>8), byte(c.radix)
	p[6] = 10
	p[7] = byte(n / 2)
	binary.BigEndian.PutUint32(p[8:], uint32(n))
	binary.BigEndian.PutUint32(p[12:], uint32(tweak))
	c.block.Encrypt(p[:], p[:])
	return p
}

// halves returns the numbers that the halves of src spell.
func (s *shape) halves(radix uint64, src []uint16) (a, b uint64) {
	for _, x := range src[:s.u] {
		a = a*radix + uint64(x)
	}
	for _, x := range src[s.u:] {
		b = b*radix + uint64(x)
	}
	return a, b
}

// appendHalves appends the numerals of both halves.
func (s *shape) appendHalves(radix uint64, dst []uint16, a, b uint64) []uint16 {
	at := len(dst)
	for range s.n {
		dst = append(dst, 0)
	}
	spell(radix, dst[at:at+s.u], a)
	spell(radix, dst[at+s.u:], b)
	return dst
}

// spell writes x in numerals, most significant first.
func spell(radix uint64, dst []uint16, x uint64) {
	switch {
	case radix == 10:
		// A division by a constant is a multiplication.
		for i := len(dst) - 1; i >= 0; i-- {
			dst[i] = uint16(x % 10)
			x /= 10
		}
	case radix&(radix-1) == 0:
		shift := bits.TrailingZeros64(radix)
		for i := len(dst) - 1; i >= 0; i-- {
			dst[i] = uint16(x & (radix - 1))
			x >>= shift
		}
	default:
		for i := len(dst) - 1; i >= 0; i-- {
			dst[i] = uint16(x % radix)
			x /= radix
		}
	}
}

// reduce returns hi·2^64 + lo mod m, for m = 0 mod 2^64.
func reduce(hi, lo, m uint64) uint64 {
	if m == 0 {
		return lo
	}
	if hi == 0 {
		return lo % m
	}
	if hi >= m {
		hi %= m
	}
	_, r := bits.Div64(hi, lo, m)
	return r
}

// addMod returns a + b mod m for a, b < m; m = 0 is 2^64.
func addMod(a, b, m uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry == 1 || sum >= m {
		sum -= m
	}
	return sum
}

// subMod returns a - b mod m for a, b < m; m = 0 is 2^64.
func subMod(a, b, m uint64) uint64 {
	diff, borrow := bits.Sub64(a, b, 0)
	if borrow == 1 {
		diff += m
	}
	return diff
}
