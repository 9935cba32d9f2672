// Package ff1 is FF1, format-preserving encryption: it permutes the strings of
// one length over one alphabet under an AES key and a public tweak.
//
// Start with [New] and [Cipher.AppendEncrypt] over numerals, or with
// [NewAlphabet] and [Cipher.EncryptString] over text. A goroutine with many
// values keeps a [Worker].
//
// The standard is NIST SP 800-38G (March 2016), algorithms 7 and 8. The second
// draft of revision 1 (February 2025) requires domains of at least a million
// strings, radix^n ≥ 10^6, because small ones are broken by known attacks
// (Hoang, Tessaro and Trieu, 2018). This package accepts what the standard's
// first edition accepts, radix^n ≥ 100, so that published vectors run; callers
// that protect data compare [Cipher.MinLen] with [SecureDomain] as tokenize and
// mask do.
//
// FF1 has no authentication: under another key, tweak or radix a ciphertext
// decrypts to another string of the format and nothing tells. It is
// deterministic: equal strings under one tweak have equal ciphertexts. Keys are
// AES keys of 16, 24 or 32 bytes; derive one for every domain, format and
// purpose. Results are fixed by the standard and will not change.
package ff1

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
)

// SecureDomain is the least number of strings of one length that SP 800-38G
// revision 1 allows.
const SecureDomain = 1_000_000

// Limits of this implementation.
const (
	// MinRadix and MaxRadix bound the alphabet's size, as in the standard.
	MinRadix, MaxRadix = 2, 1 << 16
	// MaxLen is the longest string in numerals. The standard's 2^32 would let one
	// input occupy a processor for hours: the arithmetic is quadratic.
	MaxLen = 4096
	// MaxTweak is the longest tweak in bytes.
	MaxTweak = 1 << 16
)

// What a caller can do wrong. Errors name a position, never a numeral.
var (
	ErrKey     = errors.New("ff1: a key has 16, 24 or 32 bytes")
	ErrRadix   = errors.New("ff1: a radix is 2 to 65536")
	ErrLength  = errors.New("ff1: wrong length")
	ErrTweak   = errors.New("ff1: the tweak is too long")
	ErrNumeral = errors.New("ff1: not a numeral of the radix")
)

// ErrFIPS says that FIPS 140 is enforced in this process (GODEBUG=fips140=only), and
// that FF1 is no part of Go's FIPS 140 module.
var ErrFIPS = errors.New("ff1: format-preserving encryption is not in the FIPS 140 module, and GODEBUG=fips140=only is set")

// A Cipher is FF1 under one key and radix. It is immutable apart from caches and
// safe for concurrent use.
type Cipher struct {
	block  cipher.Block
	radix  uint64
	minLen int
	// shapes caches the constants of lengths whose halves fit into 64 bits.
	shapes  [129]atomic.Pointer[shape]
	workers sync.Pool
}

// New returns FF1 under key, which is not kept, for numerals below radix. Where FIPS
// 140 is enforced it returns [ErrFIPS].
func New(key []byte, radix int) (*Cipher, error) {
	if fips140.Enforced() {
		return nil, ErrFIPS
	}
	if radix < MinRadix || radix > MaxRadix {
		return nil, fmt.Errorf("%w, not %d", ErrRadix, radix)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("%w, not %d", ErrKey, len(key))
	}
	c := &Cipher{block: block, radix: uint64(radix), minLen: MinLen(radix, 100)}
	c.workers.New = func() any { return c.NewWorker() }
	return c, nil
}

// MinLen returns the least length, at least 2, of which there are domain strings
// over radix: MinLen(10, SecureDomain) is 6.
func MinLen(radix int, domain uint64) int {
	n, size := 2, uint64(radix)*uint64(radix)
	for size < domain {
		hi, lo := bits.Mul64(size, uint64(radix))
		n++
		if hi != 0 {
			break
		}
		size = lo
	}
	return n
}

// Radix returns the number of numerals.
func (c *Cipher) Radix() int { return int(c.radix) }

// AppendEncrypt appends the encryption of src under tweak to dst. src has
// radix^len ≥ 100 and at most [MaxLen] numerals; dst may be src[:0]. It does not
// allocate where halves of src fit into 64 bits: 38 decimal digits, 20 of 62.
func (c *Cipher) AppendEncrypt(dst, src []uint16, tweak []byte) ([]uint16, error) {
	w := c.workers.Get().(*Worker)
	dst, err := w.AppendEncrypt(dst, src, tweak)
	c.workers.Put(w)
	return dst, err
}

// AppendDecrypt reverses [Cipher.AppendEncrypt].
func (c *Cipher) AppendDecrypt(dst, src []uint16, tweak []byte) ([]uint16, error) {
	w := c.workers.Get().(*Worker)
	dst, err := w.AppendDecrypt(dst, src, tweak)
	c.workers.Put(w)
	return dst, err
}

// A Worker is a Cipher with working memory of its own, for one goroutine.
type Worker struct {
	c *Cipher
	// base is the chained encryption of P and of the tweak's whole blocks, with the
	// rest of the tweak already added: what every round starts from.
	base [aes.BlockSize]byte
	// x is what the block cipher works on. It lies here because a call through
	// the cipher.Block interface moves what it is handed to the heap.
	x    [aes.BlockSize]byte
	wide wide
}

// NewWorker returns a worker of c for one goroutine.
func (c *Cipher) NewWorker() *Worker { return &Worker{c: c} }

// AppendEncrypt is [Cipher.AppendEncrypt].
func (w *Worker) AppendEncrypt(dst, src []uint16, tweak []byte) ([]uint16, error) {
	if err := w.c.check(src, tweak); err != nil {
		return dst, err
	}
	s := w.c.shape(len(src))
	if s == nil {
		return w.appendWide(dst, src, tweak, true), nil
	}
	a, b := s.halves(w.c.radix, src)
	w.start(s, tweak)
	for i := byte(0); i < 10; i += 2 {
		a = addMod(a, w.round(s, i, b, s.modU), s.modU)
		b = addMod(b, w.round(s, i+1, a, s.modV), s.modV)
	}
	return s.appendHalves(w.c.radix, dst, a, b), nil
}

// AppendDecrypt is [Cipher.AppendDecrypt].
func (w *Worker) AppendDecrypt(dst, src []uint16, tweak []byte) ([]uint16, error) {
	if err := w.c.check(src, tweak); err != nil {
		return dst, err
	}
	s := w.c.shape(len(src))
	if s == nil {
		return w.appendWide(dst, src, tweak, false), nil
	}
	a, b := s.halves(w.c.radix, src)
	w.start(s, tweak)
	for i := byte(10); i > 0; i -= 2 {
		b = subMod(b, w.round(s, i-1, a, s.modV), s.modV)
		a = subMod(a, w.round(s, i-2, b, s.modU), s.modU)
	}
	return s.appendHalves(w.c.radix, dst, a, b), nil
}

// check refuses what FF1 is not defined for.
func (c *Cipher) check(src []uint16, tweak []byte) error {
	if len(src) < c.minLen || len(src) > MaxLen {
		return fmt.Errorf("%w: %d numerals of radix %d; %d to %d are possible", ErrLength, len(src), c.radix, c.minLen, MaxLen)
	}
	if len(tweak) > MaxTweak {
		return fmt.Errorf("%w: %d bytes; up to %d are possible", ErrTweak, len(tweak), MaxTweak)
	}
	for i, x := range src {
		if uint64(x) >= c.radix {
			return fmt.Errorf("%w %d: position %d", ErrNumeral, c.radix, i)
		}
	}
	return nil
}

// start sets the base of all rounds: step 5 and the first part of step 6.
func (w *Worker) start(s *shape, tweak []byte) {
	w.base = *s.prefix(w.c, len(tweak))
	w.absorb(tweak, len(tweak)+s.pad(len(tweak))+1+s.b)
}

// absorb chains the tweak, padded with zeros, into the base as the head of a
// string of total bytes, up to the string's last block, whose encryption is left
// to the rounds.
func (w *Worker) absorb(tweak []byte, total int) {
	for ; total > aes.BlockSize; total -= aes.BlockSize {
		n := min(len(tweak), aes.BlockSize)
		for i, t := range tweak[:n] {
			w.base[i] ^= t
		}
		tweak = tweak[n:]
		w.x = w.base
		w.c.block.Encrypt(w.x[:], w.x[:])
		w.base = w.x
	}
	for i, t := range tweak {
		w.base[i] ^= t
	}
}

// round is one evaluation of the round function on a half, reduced mod m: one
// call of the block cipher.
func (w *Worker) round(s *shape, i byte, half, m uint64) uint64 {
	w.x = w.base
	// The last block ends with the round's number and the half in b bytes; a half
	// that needs fewer than 8 has zeros where the number goes.
	tail := binary.BigEndian.Uint64(w.x[8:])
	binary.BigEndian.PutUint64(w.x[8:], tail^half)
	w.x[aes.BlockSize-1-s.b] ^= i
	w.c.block.Encrypt(w.x[:], w.x[:])
	hi, lo := uint64(0), binary.BigEndian.Uint64(w.x[:8])
	if s.d == 12 {
		hi = lo >> 32
		lo = lo<<32 | uint64(binary.BigEndian.Uint32(w.x[8:12]))
	}
	return reduce(hi, lo, m)
}
