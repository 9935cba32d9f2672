// Package fake holds the word lists of masking: first and last names, cities,
// companies and kinds of street.
//
// The lists are those of gofakeit (English, ASCII), without duplicates and
// sorted. Masking draws from them by a keyed function of the original value, so
// that one value has one fake in every table and on every day. A list that
// changed by a single word would move most fakes and break joins between what
// was masked before and after without a sign. The lists are therefore frozen by
// a fingerprint: [Check] refuses any other content, and rules that draw from
// lists refuse to compile with it.
package fake

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"
	"sync"

	"github.com/brianvoe/gofakeit/v7/data"
	"github.com/privet-dev/privet/internal/fault"
)

// frozen is the fingerprint of the lists this version draws from.
const frozen = "e6a45b3d194ee018513f4c629f18770ae19ae21cfb42bb9f96c264c09c7dca79"

// A List is a list of words, sorted by bytes, without duplicates. It is
// immutable and safe for concurrent use.
type List struct {
	name  string
	words []string
}

// Name returns the list's name, such as "first_names".
func (l *List) Name() string { return l.name }

// Len returns the number of words.
func (l *List) Len() int { return len(l.words) }

// At returns word i, counted from 0.
func (l *List) At(i int) string { return l.words[i] }

// Pick returns the word that 64 random bits choose. Every word is as likely as
// any other up to 2^-53.
func (l *List) Pick(random uint64) string { return l.words[Index(random, len(l.words))] }

// Longest returns the length in bytes, which are characters, of the longest word.
func (l *List) Longest() int {
	n := 0
	for _, w := range l.words {
		n = max(n, len(w))
	}
	return n
}

// Index maps 64 random bits to 0 ≤ i < n by multiplication (Lemire, 2019). The
// bias is under n/2^64; n must be positive.
func Index(random uint64, n int) int {
	i, _ := bits.Mul64(random, uint64(n))
	return int(i)
}

type lists struct {
	first, last, cities, companies, streets *List
	fingerprint                             string
}

var load = sync.OnceValue(func() *lists {
	l := &lists{
		first:     newList("first_names", data.Person["first"]),
		last:      newList("last_names", data.Person["last"]),
		cities:    newList("cities", data.Address["city"]),
		companies: newList("companies", data.Company["name"]),
		streets:   newList("streets", data.Address["street_name"]),
	}
	l.fingerprint = fingerprint(l.first, l.last, l.cities, l.companies, l.streets)
	return l
})

// newList keeps the words that every column can hold: printable ASCII.
func newList(name string, words []string) *List {
	l := &List{name: name}
	for _, w := range words {
		if w != "" && printable(w) {
			l.words = append(l.words, w)
		}
	}
	slices.Sort(l.words)
	l.words = slices.Compact(l.words)
	return l
}

func printable(w string) bool {
	for i := range len(w) {
		if w[i] < ' ' || w[i] > '~' {
			return false
		}
	}
	return true
}

// fingerprint hashes names and words, each with its length before it.
func fingerprint(all ...*List) string {
	h := sha256.New()
	put := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	for _, l := range all {
		put(l.name)
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(l.words))))
		for _, w := range l.words {
			put(w)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// FirstNames returns the list of first names.
func FirstNames() *List { return load().first }

// LastNames returns the list of last names.
func LastNames() *List { return load().last }

// Cities returns the list of cities.
func Cities() *List { return load().cities }

// Companies returns the list of companies.
func Companies() *List { return load().companies }

// Streets returns the list of kinds of street, such as Avenue.
func Streets() *List { return load().streets }

// Fingerprint returns the SHA-256 of all lists as they are, in hexadecimal. It
// is part of a refresh's receipt.
func Fingerprint() string { return load().fingerprint }

// Check returns nil if the lists are the frozen ones, else a *fault.Error.
func Check() error { return check(Fingerprint(), frozen) }

func check(have, want string) error {
	if have == want {
		return nil
	}
	return fault.New(fault.Config, "the word lists of masking have changed: fingerprint %.16s… where this version was built for %.16s…", have, want).
		WithHint("build with the gofakeit version that go.mod names; with other lists the same person would get another name than in earlier copies")
}
