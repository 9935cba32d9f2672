package verify

import (
	"math"
	"math/bits"
)

// A sketch estimates how many distinct fingerprints it was given: HyperLogLog
// with linear counting for few, one byte a register. The standard error is
// 1.04/√m, and far less for fewer than m values. nil counts nothing.
type sketch struct {
	registers []uint8
	shift     uint8
}

// newSketch returns a sketch of 2^p registers.
func newSketch(p uint8) *sketch {
	return &sketch{registers: make([]uint8, 1<<p), shift: 64 - p}
}

// add counts one fingerprint, whose bits must be evenly spread.
func (s *sketch) add(fp uint64) {
	i := fp >> s.shift
	rank := uint8(bits.LeadingZeros64(fp<<(64-s.shift)|1<<(63-s.shift))) + 1
	if rank > s.registers[i] {
		s.registers[i] = rank
	}
}

// estimate returns the number of distinct fingerprints.
func (s *sketch) estimate() float64 {
	if s == nil {
		return 0
	}
	m := float64(len(s.registers))
	sum, empty := 0.0, 0
	for _, r := range s.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	e := 0.7213 / (1 + 1.079/m) * m * m / sum
	if e <= 2.5*m && empty > 0 {
		return m * math.Log(m/float64(empty))
	}
	return e
}
