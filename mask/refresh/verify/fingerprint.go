package verify

import (
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"unicode"
	"unicode/utf8"

	"crypto/rand"
)

// A keyed makes fingerprints under one random key. Fingerprints of different
// forms (a value, a text of words, a number, a code) never meet. It is
// immutable; concurrent use is fine.
type keyed struct {
	seed maphash.Seed
	// salts separate the forms; the last two key the chaining of words.
	salts [6]uint64
}

// The salts.
const (
	saltValue = iota
	saltWords
	saltDigits
	saltCode
	saltChainA
	saltChainB
)

func newKeyed() *keyed {
	k := &keyed{seed: maphash.MakeSeed()}
	var b [8]byte
	for i := range k.salts {
		_, _ = rand.Read(b[:]) // never fails, see crypto/rand
		k.salts[i] = binary.LittleEndian.Uint64(b[:]) | 1
	}
	return k
}

// Fingerprints that stand for something else than a value.
const (
	fpNull uint64 = iota // NULL
	fpSkip               // a value that is not compared
	fpFree               // the first that a value can have
)

// chain appends w to the sequence whose fingerprint is f.
func (k *keyed) chain(f, w uint64) uint64 {
	hi, lo := bits.Mul64(f^k.salts[saltChainA], w^k.salts[saltChainB])
	return max(hi^lo, fpFree)
}

// bytes returns the fingerprint of b in one form.
func (k *keyed) bytes(salt int, b []byte) uint64 {
	return k.chain(k.salts[salt], maphash.Bytes(k.seed, b))
}

// appendFolded appends src in lower case, as all comparisons of text are done.
func appendFolded(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		c := src[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, unicode.ToLower(r))
		}
		i += size
	}
	return dst
}
