package verify

import "math"

// alpha is how rarely an innocent column may exceed its limit: about five
// standard deviations.
const alpha = 1e-7

// negligible is the expectation below which chance explains nothing: a single
// coincidence then fails.
const negligible = 1e-3

// chanceLimit returns the largest count that chance explains where it gives
// expected on average: counts above it have a probability under alpha. The count
// is taken as Poisson, which is what many rare coincidences add up to.
func chanceLimit(expected float64) int64 {
	if math.IsNaN(expected) || expected < negligible {
		return 0
	}
	if expected > 1e4 {
		return int64(math.Ceil(expected + 5.3*math.Sqrt(expected)))
	}
	// The terms are summed from the far end, where they are small: the tail itself
	// is under alpha and would drown in 1 - sum.
	k := int64(expected + 8*math.Sqrt(expected) + 30)
	tail := 0.0
	for ; k > 0; k-- {
		lg, _ := math.Lgamma(float64(k) + 1)
		tail += math.Exp(float64(k)*math.Log(expected) - expected - lg)
		if tail > alpha {
			return k
		}
	}
	return 0
}
