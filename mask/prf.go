package mask

import (
	"encoding/binary"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

// A prf is a rule's keyed function: AES-256-CMAC of the canonical value.
type prf struct{ mac *cmac.CMAC }

// keyed derives the rule's key and returns its keyed function. The purpose names
// the rule and the version of its algorithm: results of two rules in one domain
// are unlinkable.
func (b *build) keyed(version string) (prf, error) { return b.keyedAs(b.spec.def.name + "/" + version) }

// keyedByText is keyed for rules whose parameters say how far a value moves: it
// names them too, because from one value moved by r and by 2r follows the value.
func (b *build) keyedByText(version string) (prf, error) { return b.keyedAs(b.text() + "/" + version) }

func (b *build) keyedAs(purpose string) (prf, error) {
	key, err := b.subkey(purpose)
	if err != nil {
		return prf{}, err
	}
	mac, err := cmac.New(key)
	clear(key)
	if err != nil {
		return prf{}, fault.New(fault.Unexpected, "%s: rule %s: %v", b.col, b.spec.def.name, err)
	}
	return prf{mac}, nil
}

// bits are the 128 bits of one call of the keyed function.
type bits struct{ hi, lo uint64 }

// of returns the bits of a value. s belongs to the caller's masker.
func (p prf) of(s *cmac.Scratch, value []byte) bits {
	tag := p.mac.SumWith(s, value)
	return bits{binary.BigEndian.Uint64(tag[:8]), binary.BigEndian.Uint64(tag[8:])}
}

// A walk draws a deterministic sequence of 64-bit words from the bits of one
// value, for rules that may need to choose again. It is SplitMix64 (Steele, Lea
// and Flood, 2014) over a keyed seed: the seed carries the secrecy, the walk only
// spreads it.
type walk struct{ state uint64 }

func (w *walk) next() uint64 {
	w.state += 0x9e3779b97f4a7c15
	z := w.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
