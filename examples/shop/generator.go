package shop

import (
	"math/rand/v2"
	"time"
)

// seed makes this shop and no other.
const seed = 0x5ee_d0f_5409

// A generator makes the rows of one size. Each thing has a stream of random
// numbers of its own, so that customer 7 is the same person wherever it is asked
// for, and however big the shop.
type generator struct {
	size   Size
	source *rand.PCG
	rand   *rand.Rand
}

func newGenerator(size Size) *generator {
	source := rand.NewPCG(seed, 0)
	return &generator{size: size, source: source, rand: rand.New(source)}
}

// The streams.
const (
	streamPerson = iota + 1
	streamPlace
	streamCustomer
	streamAddress
	streamEmployee
	streamProduct
	streamOrder
	streamPayment
	streamMessage
	streamLogin
)

// at returns the random numbers of thing i in a stream. They are valid until the
// next call of at.
func (g *generator) at(stream uint64, i int) *rand.Rand {
	g.source.Seed(seed, stream<<48|uint64(i))
	return g.rand
}

// pick returns one of list.
func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// day returns the day n days after the first of a year.
func day(year, n int) time.Time { return time.Date(year, 1, 1+n, 0, 0, 0, 0, time.UTC) }

// moment returns a second of the three years from 2023.
func moment(r *rand.Rand) time.Time {
	return time.Date(2023, 1, 1, 0, 0, r.IntN(3*365*24*3600), 0, time.UTC)
}
