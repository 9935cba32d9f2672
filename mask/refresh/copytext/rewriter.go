package copytext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/privet-dev/privet/mask"
)

// A Field is one column whose values are masked.
type Field struct {
	// Index is the position in the COPY column list, from 0.
	Index int
	// Masker masks the values. It is unused where Layout.Tenant >= 0.
	Masker mask.Masker
}

// A Layout says what the columns of a COPY are.
type Layout struct {
	// Columns is the number of columns in the COPY column list.
	Columns int
	// Fields holds the masked columns, ascending by Index. Without any, rows pass
	// untouched.
	Fields []Field
	// Subject is the index of the column that names the row's subject, -1 for
	// none. Maskers see its original value, also where it is masked itself.
	Subject int
	// Tenant is the index of the column that names the row's tenant, -1 where
	// all rows belong to one. A row without a tenant is an error.
	Tenant int
	// Maskers returns the maskers for one tenant, one for each of Fields in their
	// order. It is asked once for each tenant as long as no more than
	// TenantCache of them take turns; needed where Tenant >= 0.
	Maskers func(tenant string) ([]mask.Masker, error)
	// TenantCache is how many tenants' maskers are kept; 0 means 256.
	TenantCache int
	// Keys are the columns that name a row in an error: part of the primary key,
	// and kept. A masked column among them is refused.
	Keys []int
	// Observe, where set, sees every masked value that was not NULL: field is the
	// position in Fields, original and masked are decoded and valid only during
	// the call. null says that the rule made it NULL.
	Observe func(field int, original, masked []byte, null bool)
}

const defaultTenantCache = 256

// check refuses a layout that contradicts itself.
func (l *Layout) check() error {
	inside := func(what string, i int) error {
		if i < 0 || i >= l.Columns {
			return fmt.Errorf("copytext: layout: %s is column %d of %d", what, i, l.Columns)
		}
		return nil
	}
	if l.Columns < 1 {
		return errors.New("copytext: layout: no columns")
	}
	masked := make(map[int]bool, len(l.Fields))
	for i, f := range l.Fields {
		if err := inside("a masked column", f.Index); err != nil {
			return err
		}
		if i > 0 && f.Index <= l.Fields[i-1].Index {
			return errors.New("copytext: layout: masked columns are not ascending")
		}
		if l.Tenant < 0 && f.Masker == nil {
			return fmt.Errorf("copytext: layout: column %d has no masker", f.Index)
		}
		masked[f.Index] = true
	}
	if l.Subject >= 0 {
		if err := inside("the subject", l.Subject); err != nil {
			return err
		}
	}
	if l.Tenant >= 0 {
		if err := inside("the tenant", l.Tenant); err != nil {
			return err
		}
		if l.Maskers == nil {
			return errors.New("copytext: layout: a tenant column, and nothing that knows the tenants' maskers")
		}
	}
	for _, k := range l.Keys {
		if err := inside("a key", k); err != nil {
			return err
		}
		if masked[k] {
			return fmt.Errorf("copytext: layout: key column %d is masked and must not be shown in errors", k)
		}
	}
	return nil
}

// A Rewriter masks rows by one layout. It belongs to one goroutine and allocates
// nothing per row once its buffers have grown to the largest value.
type Rewriter struct {
	layout Layout
	err    error // of the layout: every row fails with it
	last   int   // the last column that is looked at
	// bounds[i] is where column i starts in the current line; bounds[i+1]-1 is
	// where it ends.
	bounds  []int
	escaped bool   // a backslash stands somewhere in the line: an escape, or NULL
	value   []byte // the masked column, decoded, where it held an escape
	subject []byte // the subject, decoded, where it held an escape
	tenants tenantCache
	rows    int64
}

// NewRewriter returns a Rewriter. A layout that contradicts itself (an index out
// of range, masked columns out of order, a masked key) is a mistake of the
// caller's: every row is then refused with an error that says which.
func NewRewriter(l Layout) *Rewriter {
	r := &Rewriter{layout: l, err: l.check(), last: max(l.Subject, l.Tenant)}
	for _, f := range l.Fields {
		r.last = max(r.last, f.Index)
	}
	r.bounds = make([]int, r.last+2)
	r.tenants.limit = l.TenantCache
	if r.tenants.limit <= 0 {
		r.tenants.limit = defaultTenantCache
	}
	return r
}

// Rows returns how many rows have been rewritten.
func (r *Rewriter) Rows() int64 { return r.rows }

// passes reports whether rows go through untouched and unseen.
func (r *Rewriter) passes() bool { return r == nil || r.err == nil && len(r.layout.Fields) == 0 }

var (
	errColumns    = errors.New("the line has another number of columns than the COPY column list")
	errEndMarker  = errors.New(`the line is \., which would end the copy`)
	errNewline    = errors.New("a newline stands within the line")
	errNullTenant = errors.New("the tenant column is NULL: nobody's keys can mask the row")
)

// AppendRow appends the masked row to dst. line is one row with or without its
// newline, and the result ends as line does. dst must not overlap line. Errors
// are [*RowError]s; what was then appended to dst is not a row.
func (r *Rewriter) AppendRow(dst, line []byte) ([]byte, error) {
	body := bytes.TrimSuffix(line, newline)
	if bytes.IndexByte(body, '\n') >= 0 {
		return dst, r.fail(body, -1, errNewline)
	}
	dst, err := r.appendRow(dst, body)
	if err == nil && len(body) < len(line) {
		dst = append(dst, '\n')
	}
	return dst, err
}

// appendRow is AppendRow for a line that has no newline in it.
func (r *Rewriter) appendRow(dst, line []byte) ([]byte, error) {
	if r.err != nil {
		return dst, r.err
	}
	if err := r.locate(line); err != nil {
		return dst, r.fail(line, -1, err)
	}
	row := mask.Row{}
	if s := r.layout.Subject; s >= 0 {
		subject, err := r.plain(&r.subject, r.column(line, s))
		if err != nil {
			return dst, r.fail(line, s, err)
		}
		row.Subject = subject
	}
	var maskers []mask.Masker
	if t := r.layout.Tenant; t >= 0 {
		var err error
		if maskers, err = r.tenantMaskers(r.column(line, t)); err != nil {
			return dst, r.fail(line, t, err)
		}
	}
	copied := 0
	for i := range r.layout.Fields {
		f := &r.layout.Fields[i]
		raw := r.column(line, f.Index)
		if r.escaped && IsNull(raw) {
			continue
		}
		m := f.Masker
		if maskers != nil {
			m = maskers[i]
		}
		dst = append(dst, line[copied:r.bounds[f.Index]]...)
		copied = r.bounds[f.Index+1] - 1
		var err error
		if dst, err = r.appendMasked(dst, raw, m, i, row); err != nil {
			return dst, r.fail(line, f.Index, err)
		}
	}
	r.rows++
	return append(dst, line[copied:]...), nil
}

// appendMasked appends the masked form of one raw column that is not NULL.
func (r *Rewriter) appendMasked(dst, raw []byte, m mask.Masker, field int, row mask.Row) ([]byte, error) {
	value, err := r.plain(&r.value, raw)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	out, null, err := m.Append(dst, value, row)
	if err != nil {
		return dst, err
	}
	if len(out) < start {
		return dst, errors.New("the rule lost the bytes before its result")
	}
	if r.layout.Observe != nil {
		r.layout.Observe(field, value, out[start:], null)
	}
	if null {
		return append(out[:start], Null...), nil
	}
	return encodeTail(out, start)
}

// longColumn is from how many bytes on a column's end is looked for by
// bytes.IndexByte, which is slower to start and faster to run.
const longColumn = 64

// locate finds where the columns up to the last one that matters start and end,
// and counts the others. It looks at eight bytes at a time: of x, a word in which
// tabs became zero, (x&0x7f..)+0x7f.. carries into the high bit of every byte
// that is not zero, and into no other byte.
func (r *Rewriter) locate(line []byte) error {
	if len(line) == 2 && line[0] == '\\' && line[1] == '.' {
		return errEndMarker
	}
	r.escaped = false
	ends := r.bounds[1:] // where the next column starts
	found, start, i := 0, 0, 0
	var escapes uint64
	for found < len(ends) {
		if i-start >= longColumn || i+8 > len(line) {
			n := bytes.IndexByte(line[i:], '\t')
			if n < 0 {
				n = len(line) - i
				if found != r.layout.Columns-1 {
					return errColumns
				}
			}
			r.escaped = r.escaped || bytes.IndexByte(line[i:i+n], '\\') >= 0
			i += n + 1
			ends[found], start = i, i
			found++
			continue
		}
		w := binary.LittleEndian.Uint64(line[i:])
		x := w ^ lows*'\\'
		escapes |= (x - lows) &^ x & highs
		x = w ^ lows*'\t'
		tabs := ^((x&^highs + ^uint64(highs)) | x) & highs
		for tabs != 0 && found < len(ends) {
			start = i + bits.TrailingZeros64(tabs)/8 + 1
			ends[found] = start
			found++
			tabs &= tabs - 1
		}
		i += 8
	}
	r.escaped = r.escaped || escapes != 0
	rest := line[min(r.bounds[found], len(line)):]
	if r.bounds[found] <= len(line) && bytes.Count(rest, tab)+found+1 != r.layout.Columns {
		return errColumns
	}
	return nil
}

var tab = []byte{'\t'}

// column returns the raw bytes of a located column.
func (r *Rewriter) column(line []byte, i int) []byte {
	return line[r.bounds[i] : r.bounds[i+1]-1 : r.bounds[i+1]-1]
}

// plain returns the value of a raw column: the column itself where no backslash
// stands in it, else decoded into *buf. NULL is nil.
func (r *Rewriter) plain(buf *[]byte, raw []byte) ([]byte, error) {
	if !r.escaped || bytes.IndexByte(raw, '\\') < 0 {
		return raw, nil
	}
	if IsNull(raw) {
		return nil, nil
	}
	b, err := AppendDecoded((*buf)[:0], raw)
	*buf = b
	return b, err
}
