package verify

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
)

// partitionBits divides originals, and what was found of them, into 256 parts
// that are sorted in memory one at a time.
const partitionBits = 8

// originalWidth is a record: the fingerprint, then a tag.
const originalWidth = 12

// A tag says whose original a fingerprint is: the source column's number, the
// class, and a size (digits of a number, words of a text up to maxPhrase+1).
type tag uint32

func newTag(column uint32, c class, size int) tag {
	return tag(column)<<8 | tag(c)<<6 | tag(size)
}

func (t tag) column() uint32 { return uint32(t >> 8) }
func (t tag) class() class   { return class(t >> 6 & 3) }
func (t tag) size() int      { return int(t & 63) }

// A mark is a decoded record of originals, or of what the target holds; the
// latter's tag is the target column's number.
type mark struct {
	fp  uint64
	tag tag
}

func appendMark(dst []byte, fp uint64, t tag) []byte {
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint64(dst, fp), uint32(t))
}

// A recent holds the marks that came last, so that a value that half the rows
// have, such as nobody@example.com, is not written down for each of them.
type recent [1 << 12]mark

// seen reports whether m came lately, and remembers it.
func (r *recent) seen(m mark) bool {
	last := &r[m.fp%uint64(len(r))]
	was := *last == m
	*last = m
	return was
}

// marks decodes the records of a partition.
func marks(dst []mark, b []byte) []mark {
	dst = dst[:0]
	for ; len(b) >= originalWidth; b = b[originalWidth:] {
		dst = append(dst, mark{binary.LittleEndian.Uint64(b), tag(binary.LittleEndian.Uint32(b[8:]))})
	}
	return dst
}

func compareMarks(a, b mark) int { return cmp.Or(cmp.Compare(a.fp, b.fp), cmp.Compare(a.tag, b.tag)) }

// Originals are the distinct fingerprints of all source columns that identify.
type originals struct {
	raw    *spool // as they came, with repetitions
	sorted *spool // one block a partition, sorted, without
	filter *filter
	count  int64 // distinct fingerprints
	// phrase is the most words of any original that may stand in a text.
	phrase        int
	digits, codes bool
}

// settle sorts what was collected, counts it into the columns, and builds the
// filter, in at most filterLimit bytes.
func (o *originals) settle(ctx context.Context, columns []*sourceColumn, filterLimit int64) error {
	var block []byte
	var all []mark
	var err error
	for p := range o.raw.parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		if block, err = o.raw.load(p, block); err != nil {
			return err
		}
		all = marks(all, block)
		slices.SortFunc(all, compareMarks)
		all = slices.Compact(all)
		block = block[:0]
		for i, m := range all {
			block = appendMark(block, m.fp, m.tag)
			if i == 0 || all[i-1].fp != m.fp {
				o.count++
			}
			columns[m.tag.column()].count(m.tag)
			switch m.tag.class() {
			case classWords:
				if n := m.tag.size(); n <= maxPhrase {
					o.phrase = max(o.phrase, n)
				}
			case classDigits:
				o.digits = true
			case classCode:
				o.codes = true
			}
		}
		if err := o.sorted.put(p, block); err != nil {
			return err
		}
	}
	o.raw.close()
	o.filter = newFilter(o.count, filterLimit)
	for p := range o.sorted.parts {
		if block, err = o.sorted.load(p, block); err != nil {
			return err
		}
		all = marks(all, block)
		for _, m := range all {
			o.filter.add(m.fp)
		}
	}
	return nil
}

// A hit counts what of one source column was found in one target column, in one
// class.
type hit struct {
	places   int64 // pieces of text
	distinct int64 // different originals
}

type hitKey struct{ source, target uint32 }

// join returns what of the originals is among the pieces that passed the filter.
func (o *originals) join(ctx context.Context, found *spool) (map[hitKey]*[classes]hit, error) {
	hits := map[hitKey]*[classes]hit{}
	var left, right []byte
	var from, in []mark
	var err error
	for p := range found.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if right, err = found.load(p, right); err != nil {
			return nil, err
		}
		if len(right) == 0 {
			continue
		}
		if left, err = o.sorted.load(p, left); err != nil {
			return nil, err
		}
		from, in = marks(from, left), marks(in, right)
		slices.SortFunc(in, compareMarks)
		for i := 0; len(in) > 0; {
			n := 1
			for n < len(in) && in[n] == in[0] {
				n++
			}
			for i < len(from) && from[i].fp < in[0].fp {
				i++
			}
			for j := i; j < len(from) && from[j].fp == in[0].fp; j++ {
				key := hitKey{from[j].tag.column(), uint32(in[0].tag)}
				if hits[key] == nil {
					hits[key] = new([classes]hit)
				}
				h := &hits[key][from[j].tag.class()]
				h.places += int64(n)
				h.distinct++
			}
			in = in[n:]
		}
	}
	return hits, nil
}
