package verify

import (
	"bytes"
	"encoding/hex"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/catalog"
)

// A shape says how the text of a column's values holds its pieces.
type shape struct {
	json, bytes, array bool
}

// shapeOf returns the shape of a column.
func shapeOf(c *catalog.Column) shape {
	return shape{
		json:  c.BaseType == "json" || c.BaseType == "jsonb",
		bytes: c.BaseType == "bytea",
		array: c.Array,
	}
}

// searchable reports whether values of the column can hold a person's data as
// text or digits. Types are left out by name, so that one nobody thought of is
// searched.
func searchable(c *catalog.Column) bool {
	if c.TypeKind == 'e' || c.TypeKind == 'r' || c.TypeKind == 'm' {
		return false
	}
	switch c.BaseType {
	case "bool", "float4", "float8", "date", "time", "timetz", "timestamp", "timestamptz",
		"interval", "int2", "money", "bit", "varbit", "point", "line", "lseg", "box", "path",
		"polygon", "circle", "oid", "xid", "xid8", "cid", "tid", "pg_lsn", "geometry", "geography", "raster":
		return false
	}
	return true
}

// value yields the pieces of one value of a column.
func (t *tokenizer) value(b []byte, s shape) {
	if s.array {
		s.array = false
		eachElement(b, &t.elements, func(e []byte) { t.value(e, s) })
		return
	}
	switch {
	case s.json:
		scanJSON(b, &t.unescaped, nil, func(v []byte) { t.text(v) })
	case s.bytes:
		t.text(t.decoded(b))
	default:
		t.text(b)
	}
}

// decoded returns a bytea's bytes where they are text, else its hexadecimal form.
func (t *tokenizer) decoded(b []byte) []byte {
	digits, ok := bytes.CutPrefix(b, []byte(`\x`))
	if !ok {
		return b
	}
	if need := hex.DecodedLen(len(digits)); cap(t.raw) < need {
		t.raw = make([]byte, need)
	}
	n, err := hex.Decode(t.raw[:cap(t.raw)], digits)
	if err != nil || !utf8.Valid(t.raw[:n]) {
		return digits
	}
	return t.raw[:n]
}

// eachElement calls f for every element of an array in PostgreSQL's text form,
// of any dimension, NULLs left out. The element is valid until f returns. Text
// that is no array is one element.
func eachElement(b []byte, buf *[]byte, f func([]byte)) {
	if len(b) > 0 && b[0] == '[' { // explicit bounds: [2:3]={a,b}
		if i := bytes.IndexByte(b, '='); i > 0 {
			b = b[i+1:]
		}
	}
	if len(b) == 0 || b[0] != '{' {
		f(b)
		return
	}
	for i := 1; i < len(b); {
		switch c := b[i]; c {
		case '{', '}', ',':
			i++
		case '"':
			out := (*buf)[:0]
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' && i+1 < len(b) {
					i++
				}
				out = append(out, b[i])
			}
			i++
			// f may come back here for what lies inside, so the buffer is its own.
			*buf = nil
			f(out)
			*buf = out
		default:
			start := i
			for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != '{' {
				i++
			}
			if e := b[start:i]; string(e) != "NULL" {
				f(e)
			}
		}
	}
}
