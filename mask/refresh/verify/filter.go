package verify

// A filter tells, for most fingerprints that are not in a set, that they are not:
// a Bloom filter whose bits for one fingerprint lie in one word, so that asking
// costs one cache miss. It is written once and then only read.
type filter struct {
	words []uint64
	mask  uint64
}

// filterBits is the size a filter has for each fingerprint where memory allows
// it; one in 200 strangers then passes.
const filterBits = 16

// newFilter returns a filter for n fingerprints in at most limit bytes.
func newFilter(n, limit int64) *filter {
	words := int64(64)
	for words*64 < n*filterBits && words*2*8 <= limit {
		words *= 2
	}
	return &filter{words: make([]uint64, words), mask: uint64(words - 1)}
}

// place returns the word of a fingerprint and its four bits in it. Partitions
// are chosen by the top bits, so the low ones are used.
func (f *filter) place(fp uint64) (i, bits uint64) {
	h := fp * 0x9e3779b97f4a7c15
	return h >> 32 & f.mask, 1<<(fp&63) | 1<<(fp>>6&63) | 1<<(fp>>12&63) | 1<<(fp>>18&63)
}

func (f *filter) add(fp uint64) {
	i, b := f.place(fp)
	f.words[i] |= b
}

func (f *filter) has(fp uint64) bool {
	i, b := f.place(fp)
	return f.words[i]&b == b
}
