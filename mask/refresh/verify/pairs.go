package verify

// maxPairs is how many pairs one column's sample holds.
const maxPairs = 1 << 15

// A pairSample holds the distinct (original, masked) pairs of one column, for a
// sample of values that halves whenever it would grow too large. It tells whether
// values that became themselves are more than chance gives.
//
// Rows cannot tell: a rule that is a function of the value turns Ann into Ann
// once in a list's length, and then in every row of every Ann. So distinct pairs
// are counted. If the results were dealt out anew among the pairs, a value with
// out results that stands for in others would meet itself out·in/pairs times.
type pairSample struct {
	pairs map[[2]uint64]struct{}
	level uint
}

func newPairSample() *pairSample {
	return &pairSample{pairs: map[[2]uint64]struct{}{}}
}

// sampled reports whether a value is in the sample.
func (s *pairSample) sampled(fp uint64) bool { return fp>>(64-s.level) == 0 }

func (s *pairSample) add(original, masked uint64) {
	if !s.sampled(original) && !s.sampled(masked) {
		return
	}
	s.pairs[[2]uint64{original, masked}] = struct{}{}
	for len(s.pairs) > maxPairs {
		s.level++
		for p := range s.pairs {
			if !s.sampled(p[0]) && !s.sampled(p[1]) {
				delete(s.pairs, p)
			}
		}
	}
}

// judge returns how many sampled values became themselves, and how many chance
// gives where the rule has domain results to choose from (0 where unknown).
func (s *pairSample) judge(domain float64) (same int64, expected float64) {
	out, in, from := map[uint64]float64{}, map[uint64]float64{}, 0.0
	for p := range s.pairs {
		if s.sampled(p[0]) {
			out[p[0]]++
			from++
		}
		if p[0] == p[1] {
			if s.sampled(p[0]) {
				same++
			}
		} else if s.sampled(p[1]) {
			in[p[1]]++
		}
	}
	if from == 0 {
		return 0, 0
	}
	all := from * float64(uint64(1)<<s.level)
	for v, n := range out {
		expected += n * in[v] / all
	}
	// With few pairs the sample alone says zero where a small chance is left.
	least := 0.05
	if domain > 0 {
		least = from / domain
	}
	return same, max(expected, least)
}
