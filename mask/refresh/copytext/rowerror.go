package copytext

import (
	"fmt"
	"strings"
)

// A RowError says which row could not be rewritten, and why. It never holds the
// value of a column that is masked.
type RowError struct {
	// Row is the row's number in its stream, from 1.
	Row int64
	// Column is the index of the column in the COPY column list, or -1 where the
	// line as a whole is wrong.
	Column int
	// Key holds the values of the columns that Layout.Keys names, in that order;
	// nil where there are none or the line is broken. NULL is shown as \N.
	Key []string
	// Err is the cause.
	Err error
}

// Error names the row by number, the key's values and the column by index. Who
// knows the names of table and columns builds a better text from the fields.
func (e *RowError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "row %d", e.Row)
	if len(e.Key) > 0 {
		fmt.Fprintf(&b, " (key %s)", strings.Join(e.Key, ", "))
	}
	if e.Column >= 0 {
		fmt.Fprintf(&b, ", column %d", e.Column+1)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// maxKeyValue bounds, in bytes, what an error shows of one key column.
const maxKeyValue = 100

// fail builds the error of the row that is being rewritten.
func (r *Rewriter) fail(line []byte, column int, err error) error {
	e := &RowError{Row: r.rows + 1, Column: column, Err: err}
	if fields := AppendFields(nil, line); len(fields) == r.layout.Columns {
		for _, k := range r.layout.Keys {
			v := fields[k]
			if len(v) > maxKeyValue {
				v = v[:maxKeyValue:maxKeyValue]
			}
			e.Key = append(e.Key, strings.ToValidUTF8(string(v), "?"))
		}
	}
	return e
}
