package refresh

import "github.com/privet-dev/privet/mask/refresh/verify"

// A Progress is told how a run advances. Its methods are called from several
// goroutines at once, must not block for long, and get no values of rows.
type Progress interface {
	// Stage begins a stage: "guards", "snapshot", "schema", "rows", "indexes",
	// "analyze", "verify", "swap".
	Stage(name string)
	// Total announces the rows phase: how many tables, and the planner's estimate
	// of rows and bytes in them.
	Total(tables int, rows, bytes int64)
	// Table begins one table; rows is an estimate, -1 where there is none.
	Table(table string, rows, bytes int64)
	// Rows adds rows and bytes (COPY text after masking) to a table's count.
	Rows(table string, rows, bytes int64)
	// Done ends a table with the exact number of rows copied.
	Done(table string, rows int64)
	// Note tells a person something that is not an error.
	Note(text string)
}

// A VerifyProgress is a [Progress] that also wants to know how far the
// verification is.
type VerifyProgress interface {
	Progress
	// Verify is called from several goroutines, as the others are.
	Verify(p verify.Progress)
}

// Silent is a Progress that says nothing.
type Silent struct{}

// Stage does nothing.
func (Silent) Stage(string) {}

// Total does nothing.
func (Silent) Total(int, int64, int64) {}

// Table does nothing.
func (Silent) Table(string, int64, int64) {}

// Rows does nothing.
func (Silent) Rows(string, int64, int64) {}

// Done does nothing.
func (Silent) Done(string, int64) {}

// Note does nothing.
func (Silent) Note(string) {}
