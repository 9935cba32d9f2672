package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// maxProblems is how many errors of one file are shown.
const maxProblems = 20

// A Problem is one error of a file.
type Problem struct {
	Pos
	// Msg names the key or value, and the nearest valid word where there is one.
	Msg string
}

// String returns file:line:column: message.
func (p Problem) String() string { return p.Pos.String() + ": " + p.Msg }

// A ParseError holds what is wrong with a file.
type ParseError struct {
	// Problems holds up to 20 errors in the order of their places.
	Problems []Problem
	// Total is how many there are.
	Total int
}

// Error returns one line for each problem.
func (e *ParseError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	if more := e.Total - len(e.Problems); more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// A report collects problems.
type report struct{ problems []Problem }

func (r *report) add(at Pos, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: at, Msg: fmt.Sprintf(format, args...)})
}

// parseError returns what was collected, sorted and capped, or nil.
func (r *report) parseError() *ParseError {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	r.problems = slices.Compact(r.problems)
	return &ParseError{Problems: r.problems[:min(len(r.problems), maxProblems)], Total: len(r.problems)}
}

// err returns what was collected as one error of kind Config, or nil.
func (r *report) err() error {
	e := r.parseError()
	if e == nil {
		return nil
	}
	return fault.New(fault.Config, "%v", e).
		WithHint("`privet mask schema` prints a JSON Schema with which editors show such errors while you type")
}
