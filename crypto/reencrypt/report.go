package reencrypt

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/privet-dev/privet/internal/fault"
)

// Why rows were left as they were.
var (
	// ErrNoContext: tenant or subject is NULL or empty, or cannot be used as a name.
	ErrNoContext = errors.New("reencrypt: the row's tenant or subject is missing or unusable")
	// ErrDifferent: the plaintext is not what the ciphertext opens to.
	ErrDifferent = errors.New("reencrypt: plaintext and ciphertext say different things")
	// ErrUnfilled: the plaintext cannot be cleared, because there is no ciphertext.
	ErrUnfilled = errors.New("reencrypt: the encrypted column is NULL")
	// ErrChanged: the row was changed by others at each attempt.
	ErrChanged = errors.New("reencrypt: the row kept changing")
)

// Progress is how far a run is.
type Progress struct {
	// Rows were looked at, those before the run was resumed included.
	Rows int64
	// Total is PostgreSQL's estimate of the table's rows, -1 where it has none.
	Total int64
	// PerSecond is the rate of this run.
	PerSecond float64
	// Left is about how long it will take; 0 where that cannot be told.
	Left time.Duration
}

// A Report is what a run did; the counts are of rows. It holds no values.
type Report struct {
	Table  string `json:"table"`
	Mode   Mode   `json:"mode"`
	DryRun bool   `json:"dry_run"`
	// Complete says that the walk reached the last row.
	Complete bool `json:"complete"`
	// Rows were looked at, by the stopped runs that this one went on with too. All other
	// counts are of this run alone.
	Rows int64 `json:"rows"`
	// Written were encrypted, moved or cleared; in a dry run, would be.
	Written int64 `json:"written"`
	// Tenants is how many tenants the rows were of.
	Tenants int `json:"tenants"`
	// NoIndex have no value in the blind index, because theirs has no normal form
	// (crypto.ErrNormalize). They are written nonetheless.
	NoIndex int64 `json:"no_index"`
	// Erased are of erased subjects (crypto.ErrErased) and stay as they are.
	Erased int64 `json:"erased"`
	// Unreadable have a ciphertext that does not open.
	Unreadable int64 `json:"unreadable"`
	// NoContext have no usable tenant or subject.
	NoContext int64 `json:"no_context"`
	// Different have another plaintext than their ciphertext, and keep both.
	Different int64 `json:"different"`
	// Unfilled have a plaintext and no ciphertext, and keep it.
	Unfilled int64 `json:"unfilled"`
	// Changed were changed by others at each attempt; the next run may find them quiet.
	Changed int64 `json:"changed"`
}

// Err returns nil where no row was left that should have been written: an error of kind
// Data for rows that need a person, of kind Stopped for those that need another run.
// Rows of erased subjects are neither.
func (r *Report) Err() error {
	var bad []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{r.Unreadable, "do not open"}, {r.NoContext, "have no usable tenant or subject"},
		{r.Different, "have a plaintext that differs from the ciphertext"}, {r.Unfilled, "are not encrypted yet"},
	} {
		if c.n > 0 {
			bad = append(bad, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	switch {
	case len(bad) > 0:
		return fault.New(fault.Data, "%s: rows were left as they are: %s", r.Table, strings.Join(bad, ", ")).
			WithHint("check tenant, subject and field; for different values, decide which is right: set the other to NULL, and fill again")
	case r.Changed > 0:
		return fault.New(fault.Stopped, "%s: %d rows kept changing and are left", r.Table, r.Changed).WithHint("run it again")
	}
	return nil
}

// add adds the counts of one page.
func (r *Report) add(o *Report) {
	r.NoIndex += o.NoIndex
	r.Erased += o.Erased
	r.Unreadable += o.Unreadable
	r.NoContext += o.NoContext
	r.Different += o.Different
	r.Unfilled += o.Unfilled
	r.Changed += o.Changed
}
