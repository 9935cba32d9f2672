package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A Result is the outcome of one check.
type Result string

// The results. Info is a finding that fails nothing.
const (
	Pass Result = "pass"
	Fail Result = "fail"
	Info Result = "info"
)

// The names of the checks.
const (
	CheckRows        = "rows"
	CheckNulls       = "nulls"
	CheckIdentity    = "identity"
	CheckOriginals   = "originals"
	CheckDistinct    = "distinct"
	CheckForeignKeys = "foreign keys"
)

// A Check is one question and its answer. It never holds a value of any row.
type Check struct {
	// Name is one of the Check constants.
	Name string `json:"name"`
	// Table and Column are where in the target, "" where the check is wider.
	Table  string `json:"table,omitempty"`
	Column string `json:"column,omitempty"`
	// From is the source column, schema.table.column, whose originals were found.
	From   string `json:"from,omitempty"`
	Result Result `json:"result"`
	// Source and Target are the counts that were compared, each of its side:
	// rows, NULLs, distinct values, foreign keys.
	Source int64 `json:"source"`
	Target int64 `json:"target"`
	// Found is how many were found of what should not be: rows that keep their
	// value, places that hold an original.
	Found int64 `json:"found"`
	// Distinct is how many different values they have.
	Distinct int64 `json:"distinct"`
	// Expected is how many different values chance gives, and Limit from how many
	// on the check fails; a Limit of 0 allows none.
	Expected float64 `json:"expected"`
	Limit    int64   `json:"limit"`
	// Detail says in words what was found.
	Detail string `json:"detail"`
}

// Where returns table.column, or what of it there is.
func (c *Check) Where() string {
	if c.Column == "" {
		return c.Table
	}
	return c.Table + "." + c.Column
}

// A Report is the outcome of [Run].
type Report struct {
	// OK is true where no check failed.
	OK       bool      `json:"ok"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Moving repeats Input.Moving.
	Moving bool `json:"moving"`
	// Tables, Rows and Columns say how much of the target was read: Columns
	// counts those that were searched for originals.
	Tables  int   `json:"tables"`
	Rows    int64 `json:"rows"`
	Columns int   `json:"columns"`
	// Originals is how many different originals were searched for, and LeftOut
	// how many were too short or too ordinary, repetitions counted.
	Originals int64 `json:"originals"`
	LeftOut   int64 `json:"left_out"`
	// Checks stand in a fixed order: failures first, then by table and column.
	Checks []Check `json:"checks"`
}

// Failed returns the checks that failed.
func (r *Report) Failed() []Check {
	var out []Check
	for _, c := range r.Checks {
		if c.Result == Fail {
			out = append(out, c)
		}
	}
	return out
}

// WriteJSON writes the report as one indented JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the report as a table for people: what failed and what is
// worth knowing, one line each, then the totals. With all set also what passed.
func (r *Report) WriteText(w io.Writer, all bool) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	n := map[Result]int{}
	for i := range r.Checks {
		c := &r.Checks[i]
		n[c.Result]++
		if c.Result == Pass && !all {
			continue
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", c.Result, c.Name, printable(c.Where()), printable(c.Detail))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	word := "verified"
	if !r.OK {
		word = "NOT verified"
	}
	_, err := fmt.Fprintf(w, "%s: %d tables, %s rows, %d columns searched for %s originals (%s left out as too short); %d checks passed, %d failed, %d notes\n",
		word, r.Tables, group(r.Rows), r.Columns, group(r.Originals), group(r.LeftOut), n[Pass], n[Fail], n[Info])
	return err
}

// printable keeps a name that holds control characters from moving the cursor.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// group writes n with a comma every three digits.
func group(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
