package refresh

import (
	"crypto/ed25519"
	"time"

	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh/guard"
	"github.com/privet-dev/privet/mask/refresh/receipt"
	"github.com/privet-dev/privet/mask/refresh/verify"
	"github.com/privet-dev/privet/policy"
)

// DefaultYieldAfter is how long a session of the source may wait for a lock of
// the run before the run ends itself.
const DefaultYieldAfter = 5 * time.Second

// A Config is what a run needs. Source, Target, Policy, Keys and Targets are
// mandatory for [Run]; [Resume] needs Target and Targets only.
type Config struct {
	// Source is the connection string of the database to copy: a URI, libpq
	// keywords, service=NAME, or "" for libpq's environment variables. It is only
	// read.
	Source string
	// Target is the connection string of the database to replace. It must exist
	// and be marked.
	Target string
	// Maintenance is the database of the target's server in which databases are
	// created and renamed; "" means postgres, or template1 where that is missing.
	// All runs of one target must use the same.
	Maintenance string
	// Policy decides what happens to each column.
	Policy *policy.Policy
	// Keys are the keys of the deterministic rules.
	Keys mask.Keys
	// Targets are the databases that may be overwritten.
	Targets map[string]guard.Target
	// Jobs is how many tables are copied, indexed and verified at once; 0 means 2.
	Jobs int
	// YieldAfter ends the run when a session of the source has waited that long
	// for one of its locks; 0 means DefaultYieldAfter. A standby is not watched.
	YieldAfter time.Duration
	// KeepOld keeps the replaced database, as TARGET_old_ID.
	KeepOld bool
	// TempDir is where the schema and, for large tables, keyed fingerprints are
	// written, never rows; "" means the system's folder.
	TempDir string
	// Progress is told how the run advances; nil for nobody.
	Progress Progress
	// Recorder is told that the run began and how it ended; nil for nobody.
	Recorder event.Recorder
	// Sign is the key that signs the receipt; without one it stays unsigned.
	Sign ed25519.PrivateKey
	// Version is privet's own version, for the receipt.
	Version string
	// KeyID names the keys in the result, such as the URI of their KEK; it must not
	// be a secret.
	KeyID string
}

func (c Config) withDefaults() Config {
	c.Jobs = jobsOf(c.Jobs)
	if c.YieldAfter <= 0 {
		c.YieldAfter = DefaultYieldAfter
	}
	if c.Progress == nil {
		c.Progress = Silent{}
	}
	if c.Recorder == nil {
		c.Recorder = event.Discard
	}
	return c
}

func (c Config) check() error {
	switch {
	case c.Policy == nil:
		return fault.New(fault.Config, "no policy")
	case c.Keys == nil:
		return fault.New(fault.Config, "no keys")
	}
	return nil
}

// A Result says what a run did.
type Result struct {
	// Run is the run's id.
	Run string `json:"run"`
	// Target is the database that was replaced, and Database the copy's name
	// before the swap.
	Target   string `json:"target"`
	Database string `json:"database"`
	// Old is what the replaced database is called now; "" where it was dropped.
	Old string `json:"old,omitempty"`
	// Swapped is false where the copy waits for [Resume].
	Swapped  bool      `json:"swapped"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Rows is how many rows were copied, and Tables from where.
	Rows   int64         `json:"rows"`
	Tables []TableResult `json:"tables,omitempty"`
	// Keys is Config.KeyID.
	Keys string `json:"keys,omitempty"`
	// Verify is the outcome of the verification.
	Verify *verify.Report `json:"verify,omitempty"`
	// Receipt is the record of the run, signed where Config.Sign is set; nil after
	// [Resume], whose run has its receipt already.
	Receipt *receipt.Receipt `json:"-"`
	// Document is the receipt as it should be kept: the signed JSON text.
	Document []byte `json:"-"`
	// Notes are what Progress.Note was told.
	Notes []string `json:"notes"`
}

// A TableResult counts what was copied of one table.
type TableResult struct {
	Table   string         `json:"table"`
	Rows    int64          `json:"rows"`
	Columns []ColumnResult `json:"columns,omitempty"`
}

// A ColumnResult counts what became of the values of one masked column.
type ColumnResult struct {
	Column string `json:"column"`
	Rule   string `json:"rule"`
	// Masked is how many values went through the rule, Nulled how many it made
	// NULL and Unchanged how many it left as they were. NULLs are not counted.
	Masked    int64 `json:"masked"`
	Nulled    int64 `json:"nulled"`
	Unchanged int64 `json:"unchanged"`
}
