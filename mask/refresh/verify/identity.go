package verify

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/privet-dev/privet/mask"
)

// A valuePrint makes the fingerprint by which one masked column's values are
// compared with their originals: in lower case, without spaces around, of arrays
// and documents piece by piece. It belongs to one goroutine.
type valuePrint struct {
	k     *keyed
	rule  string // its name
	path  pointer
	array bool
	fold  []byte
	piece []byte
}

func (r *run) valuePrint(c *Column, array bool) valuePrint {
	return valuePrint{k: r.k, rule: ruleName(c.Rule), path: parsePointer(c.Path), array: array}
}

// of returns the fingerprint of a value, nil being NULL. What names nobody, and
// rules leave as it is, is skipped: empty texts, and arrays and documents without
// a piece to mask.
func (p *valuePrint) of(b []byte) uint64 {
	fp := fpSkip
	one := func(v []byte) {
		if v = bytes.TrimSpace(v); len(v) > 0 && !p.stays(v) {
			p.fold = appendFolded(p.fold[:0], v)
			fp = p.k.chain(fp, p.k.bytes(saltValue, p.fold))
		}
	}
	switch {
	case b == nil:
		return fpNull
	case p.path != nil:
		scanJSON(b, &p.piece, p.path, one)
	case p.array:
		eachElement(b, &p.piece, one)
	default:
		one(b)
	}
	return fp
}

// stays reports whether a rule may leave a value as it is, so that finding it
// again says nothing.
func (p *valuePrint) stays(v []byte) bool {
	switch p.rule {
	case "partial":
		return utf8.RuneCount(v) < plainWord
	case "number_noise", "date_shift":
		return isFixed(v)
	}
	return false
}

// isFixed reports whether a number or date is one that noise and shifts leave
// as it is: zero, NaN, infinity.
func isFixed(b []byte) bool {
	return len(bytes.Trim(b, "-0.")) == 0 ||
		bytes.EqualFold(b, []byte("nan")) || bytes.EqualFold(bytes.TrimLeft(b, "-"), []byte("infinity"))
}

// rowKey returns the fingerprint of a row's key.
func (k *keyed) rowKey(fields [][]byte) uint64 {
	f := k.salts[saltValue]
	for _, b := range fields {
		f = k.chain(f, k.bytes(saltValue, b))
	}
	return f
}

// maxSame is how many different values that kept themselves are told apart.
const maxSame = 1 << 14

// A columnIdentity is what joining the rows told of one masked column.
type columnIdentity struct {
	compared int64 // rows with a value on both sides
	same     int64 // of these, rows whose value is their original
	values   map[uint64]struct{}
	pairs    *pairSample // for rules whose results may be real
}

// A tableIdentity is what joining the rows told of one table.
type tableIdentity struct {
	columns []columnIdentity
	matched int64
	missing int64 // source rows without a row in the target
	extra   int64 // target rows without a row in the source
}

// joinRows joins the rows of both sides by their keys' fingerprints, one
// partition at a time. A record is the key, then one value for each column.
func joinRows(source, target *spool, columns []Column) (*tableIdentity, error) {
	id := &tableIdentity{columns: make([]columnIdentity, len(columns))}
	for i := range columns {
		id.columns[i].values = map[uint64]struct{}{}
		if columns[i].Traits.Output == mask.OutputSynthetic {
			id.columns[i].pairs = newPairSample()
		}
	}
	width := source.width
	var left, right []byte
	var err error
	var index rowIndex
	for p := range source.parts {
		if left, err = source.load(p, left); err != nil {
			return nil, err
		}
		if right, err = target.load(p, right); err != nil {
			return nil, err
		}
		index.build(left, width)
		matched := int64(0)
		for r := 0; r < len(right); r += width {
			at := index.find(left, width, binary.LittleEndian.Uint64(right[r:]))
			if at < 0 {
				id.extra++
				continue
			}
			matched++
			for i := range columns {
				id.columns[i].compare(
					binary.LittleEndian.Uint64(left[at+8+8*i:]),
					binary.LittleEndian.Uint64(right[r+8+8*i:]))
			}
		}
		id.matched += matched
		id.missing += int64(len(left)/width) - matched
	}
	return id, nil
}

func (c *columnIdentity) compare(original, masked uint64) {
	if original < fpFree || masked < fpFree {
		return
	}
	c.compared++
	if c.pairs != nil {
		c.pairs.add(original, masked)
	}
	if original == masked {
		c.same++
		if len(c.values) < maxSame {
			c.values[original] = struct{}{}
		}
	}
}

// A rowIndex finds records by their first eight bytes: open addressing over
// positions, at most half full.
type rowIndex struct{ slots []uint32 }

func (x *rowIndex) build(records []byte, width int) {
	n := 16
	for n < 2*len(records)/width {
		n *= 2
	}
	if cap(x.slots) < n {
		x.slots = make([]uint32, n)
	}
	x.slots = x.slots[:n]
	clear(x.slots)
	for i := 0; i < len(records)/width; i++ {
		s := binary.LittleEndian.Uint64(records[i*width:]) & uint64(n-1)
		for x.slots[s] != 0 {
			s = (s + 1) & uint64(n-1)
		}
		x.slots[s] = uint32(i) + 1
	}
}

// find returns the position of the record with that key, or -1.
func (x *rowIndex) find(records []byte, width int, key uint64) int {
	n := uint64(len(x.slots))
	for s := key & (n - 1); x.slots[s] != 0; s = (s + 1) & (n - 1) {
		if at := int(x.slots[s]-1) * width; binary.LittleEndian.Uint64(records[at:]) == key {
			return at
		}
	}
	return -1
}

// judgeIdentity says whether rows of a masked column kept their values.
func judgeIdentity(c *Column, distinct float64, id *columnIdentity) Check {
	if c.Path != "" {
		distinct = float64(id.compared) // nobody has counted the values within documents
	}
	k := Check{Name: CheckIdentity, Column: c.label(), Result: Pass, Source: id.compared, Target: id.compared,
		Found: id.same, Distinct: int64(len(id.values))}
	what := fmt.Sprintf("%s of %s rows keep their value", group(id.same), group(id.compared))
	k.Detail = "no row keeps its value"
	if id.same > 0 {
		k.Detail = what
	}
	switch rule := ruleName(c.Rule); {
	case c.empties():
		return k
	case rule == "redact_text":
		k.Result = Info
		k.Detail = what + ": redact_text leaves text as it is where it finds nothing"
		return k
	case c.Traits.Output == mask.OutputPartial && !c.Identifying && id.same < id.compared:
		k.Result = Info
		return k
	case id.same > 1 && id.same == id.compared && len(id.values) > 1:
		k.Result = Fail
		k.Detail = "every row keeps its value: the column is not masked"
		return k
	case c.Traits.Output == mask.OutputConstant && (len(id.values) <= 1 || c.Path != ""):
		// Where the original is the constant already.
		return k
	case rule == "number_noise" || rule == "date_shift":
		// These rules always move a value.
	case id.pairs != nil:
		k.Distinct, k.Expected = id.pairs.judge(c.Traits.Domain)
	case c.Traits.Output == mask.OutputPermutation && c.Traits.Domain > 1:
		k.Expected = distinct / c.Traits.Domain
	}
	k.Limit = chanceLimit(k.Expected)
	if k.Limit == 0 && id.same > 0 || k.Distinct > k.Limit {
		k.Result = Fail
		k.Detail = what + ", which chance does not explain"
	} else if id.same > 0 {
		k.Detail = what + ", which is chance level"
	}
	return k
}
