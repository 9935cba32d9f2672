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
	if c.TypeKind == 'e' {
		return false
	}
	switch c.BaseType {
	case "bool", "float4", "date", "time", "timetz", "timestamp", "timestamptz",
		"interval", "int2", "money", "bit", "varbit", "point", "line", "lseg", "box", "path",
		"polygon", "circle", "oid", "xid", "xid8", "cid", "tid", "pg_lsn", "geometry", "geography", "raster",
		"int4range", "numrange", "daterange", "tsrange", "tstzrange",
		"int4multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange":
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
		whole := t.decoded(b)
		t.text(whole)
		if !t.whole && len(t.raw) > 0 && &whole[0] != &t.raw[0] {
			eachRun(t.raw, t.text)
		}
	default:
		t.text(b)
	}
}

// decoded returns a bytea's bytes where they are text, else its hexadecimal form.
// The bytes are in t.raw in both cases.
func (t *tokenizer) decoded(b []byte) []byte {
	t.raw = t.raw[:0]
	digits, ok := bytes.CutPrefix(b, []byte(`\x`))
	if !ok {
		return b
	}
	var err error
	if t.raw, err = hex.AppendDecode(t.raw, digits); err != nil || !utf8.Valid(t.raw) {
		return digits
	}
	return t.raw
}

// minRun is the shortest run of text among other bytes that is looked at.
const minRun = minText

// eachRun calls f for every run of printable text in b.
func eachRun(b []byte, f func([]byte)) {
	start := 0
	for i := 0; i <= len(b); {
		if i < len(b) {
			r, size := utf8.DecodeRune(b[i:])
			if r >= ' ' && r != 0x7f && (size > 1 || r < utf8.RuneSelf) {
				i += size
				continue
			}
		}
		if i-start >= minRun {
			f(b[start:i])
		}
		i++
		start = i
	}
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
