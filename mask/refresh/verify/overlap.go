package verify

import (
	"fmt"
	"math"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
)

// A sourceColumn is one identifying column whose originals are searched for.
type sourceColumn struct {
	id     uint32
	table  *Table
	column *Column
	// distinct counts its different originals by class, lengths its numbers by
	// their digits.
	distinct [classes]int64
	lengths  [maxDigits + 1]float64
}

func (s *sourceColumn) count(t tag) {
	s.distinct[t.class()]++
	if t.class() == classDigits {
		s.lengths[t.size()]++
	}
}

func (s *sourceColumn) originals() int64 {
	return max(s.distinct[classWords], s.distinct[classCode]) + s.distinct[classDigits]
}

func (s *sourceColumn) String() string { return s.table.Source.String() + "." + s.column.label() }

// A targetColumn is one column of the target that is searched. While its table
// is read it belongs to one goroutine.
type targetColumn struct {
	id     uint32
	table  *catalog.Table
	column *catalog.Column
	shape  shape
	// masked are the rules that fill it; none for a kept column. values estimates
	// its distinct values then.
	masked []*Column
	values *sketch
	// numbers estimates the distinct numbers of each length that stand in it.
	numbers [maxDigits + 1]*sketch
}

// wholeOnly reports whether nothing but whole values are compared: where a rule
// puts words together from lists, a short address is part of a longer one.
func (t *targetColumn) wholeOnly() bool {
	for _, c := range t.masked {
		if c.Traits.Output != mask.OutputSynthetic || c.Path != "" {
			return false
		}
	}
	return len(t.masked) > 0
}

func (t *targetColumn) number(fp uint64, size int) {
	if t.numbers[size] == nil {
		t.numbers[size] = newSketch(8)
	}
	t.numbers[size].add(fp)
}

// expected returns how many different originals of s chance puts into t: numbers
// of the same length, and the results of rules that draw from a domain in which
// the originals may lie too.
func (t *targetColumn) expected(s *sourceColumn, c class) float64 {
	e := 0.0
	if c == classDigits {
		for size, n := range s.lengths {
			if n > 0 {
				e += n * t.numbers[size].estimate() / math.Pow(10, float64(size))
			}
		}
	}
	for _, m := range t.masked {
		o := m.Traits.Output
		if (o == mask.OutputPermutation || o == mask.OutputSynthetic) && m.Traits.Domain > 1 {
			e = max(e, float64(s.distinct[c])*t.values.estimate()/m.Traits.Domain)
		}
	}
	return e
}

// judgeOverlap says what it means that originals of s stand in t.
func judgeOverlap(s *sourceColumn, t *targetColumn, hits *[classes]hit) Check {
	k := Check{Name: CheckOriginals, Table: t.table.String(), Column: t.column.Name, From: s.String(),
		Result: Pass, Source: s.originals()}
	for c := range classes {
		h := hits[c]
		if h.places == 0 {
			continue
		}
		e := t.expected(s, c)
		limit := chanceLimit(e)
		fails := h.distinct > limit
		if k.Result == Fail && !fails {
			continue
		}
		k.Expected, k.Limit = e, limit
		k.Found, k.Distinct = max(k.Found, h.places), max(k.Distinct, h.distinct)
		if fails {
			k.Result = Fail
			k.Detail = fmt.Sprintf("%s originals of %s stand in %s places", group(k.Distinct), s, group(k.Found))
			if limit > 0 {
				k.Detail += fmt.Sprintf("; chance gives %.0f", e)
			}
			continue
		}
		k.Result = Info
		k.Detail = fmt.Sprintf("%s originals of %s stand in it by chance, which gives %.1f", group(k.Distinct), s, e)
	}
	return k
}
