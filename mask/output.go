package mask

import "fmt"

// An Output says what a rule's results can be, so that a search of the masked
// copy for original values knows what a hit means.
type Output uint8

// The outputs.
const (
	// OutputConstant: null, constant. Says nothing of the value.
	OutputConstant Output = iota
	// OutputFictional: results that cannot be real, such as addresses under
	// example.org and card numbers that fail their check, or that hold 64 bits or
	// more of a keyed function, as hashes do. No original may be found among them.
	OutputFictional
	// OutputPermutation: a permutation of a domain of Traits.Domain values. Results
	// coincide with other rows' originals as often as chance has it.
	OutputPermutation
	// OutputSynthetic: word lists, noise, shifted dates. Results may well be
	// somebody's real name, by accident.
	OutputSynthetic
	// OutputPartial: derived from the original, part of which it shows.
	OutputPartial
)

var outputNames = [...]string{"constant", "fictional", "permutation", "synthetic", "partial"}

// String returns the output's name in lower case.
func (o Output) String() string {
	if int(o) < len(outputNames) {
		return outputNames[o]
	}
	return fmt.Sprintf("Output(%d)", uint8(o))
}

// MarshalText returns the output's name, as JSON documents show it.
func (o Output) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Traits are what is known of a compiled rule's results.
type Traits struct {
	// Output is the kind of result.
	Output Output
	// Injective says that different values have different results: always for
	// permutations, and with a probability of collision under 2^-64 a pair for
	// rules with a keyed tail.
	Injective bool
	// NeedsSubject says that Row.Subject must be set.
	NeedsSubject bool
	// Domain is the number of possible results of the shortest value, where that
	// is known; 0 where it is not.
	Domain float64
}

// pow returns base^n as a count of possibilities.
func pow(base, n int) float64 {
	p := 1.0
	for range n {
		p *= float64(base)
	}
	return p
}
