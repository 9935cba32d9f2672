package verify

import (
	"context"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
)

// An Input is what [Run] checks.
type Input struct {
	// Source opens a connection to the original database. Where the refresh's
	// snapshot still lives, the connection is in a transaction that has taken it.
	// Run calls it up to Jobs+1 times and closes what it gets.
	Source func(ctx context.Context) (*pgx.Conn, error)
	// Target opens a connection to the masked copy, as Source does.
	Target func(ctx context.Context) (*pgx.Conn, error)
	// Tables are the tables that were refreshed. A partitioned table stands for
	// its partitions, unless they are listed themselves.
	Tables []Table
	// Moving says that the source may have changed since it was copied: it is
	// read outside the refresh's snapshot. Counts that differ, and rows that are
	// on one side only, are then information and not a failure.
	Moving bool
	// Jobs is how many tables are read at the same time; 0 means 2.
	Jobs int
	// TempDir is where fingerprints go that do not fit into memory; "" means the
	// system's folder.
	TempDir string
	// MemoryLimit bounds the memory for fingerprints, in bytes; 0 means 64 MiB,
	// and less than 4 MiB means 4 MiB. Some room for each table that is being
	// read comes on top: its longest row three times, and about 10 KiB a column.
	MemoryLimit int64
	// Progress is told how far Run is, from several goroutines; nil is fine.
	Progress func(Progress)
}

// A Table is one table on both sides.
type Table struct {
	Source, Target *catalog.Table
	// Key holds the primary key columns, where the copy keeps all of them as they
	// are. Without it rows cannot be joined, and identity cannot be checked.
	Key []string
	// Columns are the masked columns, and those that arrive as NULL.
	Columns []Column
	// SourceRows is how many rows the source has, as the copy counted them in the
	// snapshot; -1 where nobody has counted.
	SourceRows int64
	// NoRows says that only the structure is copied: the target must be empty.
	NoRows bool
}

// A Column is one masked column.
type Column struct {
	Name string
	// Path is a JSON pointer into the column's documents for a rule that masks
	// one place of them; a step * stands for every member or element. "" is the
	// whole value.
	Path string
	// Type is the declared information type, "" where none is.
	Type classify.Type
	// Rule is the rule's canonical text; "" or "empty" for a column that arrives
	// as NULL because nobody decided it.
	Rule string
	// Traits are those of the compiled rule.
	Traits mask.Traits
	// Identifying says that its originals must not be found anywhere in the
	// target. [Identifying] tells by type and rule.
	Identifying bool
}

// A Progress says how far Run is.
type Progress struct {
	// Phase is "source", then "target".
	Phase string
	// Table is the table that is being read.
	Table string
	// Rows counts the rows read in this phase so far, over all tables.
	Rows int64
	// Tables and Of count the tables that are done, and all of this phase.
	Tables, Of int
}

var identifyingTypes = []classify.Type{
	classify.Email, classify.Phone, classify.Username, classify.StreetAddress,
	classify.CardNumber, classify.IBAN, classify.BankAccount, classify.USSSN,
	classify.NationalID, classify.Passport, classify.TaxID, classify.IPAddress,
	classify.MACAddress, classify.DeviceID, classify.GeoLocation, classify.URL,
	classify.Biometric, classify.Image, classify.PasswordHash, classify.Secret,
	classify.FreeText,
}

var identifyingRules = []string{
	"email", "username", "phone", "street_address", "hash", "fpe", "uuid", "partial", "redact_text",
}

// Identifying reports whether one value of the column alone points to a person,
// so that it must not survive anywhere: by the type, or without one by the rule.
// Names, cities, dates and amounts do not: many people share them.
func Identifying(t classify.Type, rule string) bool {
	if t != "" {
		return slices.Contains(identifyingTypes, t)
	}
	return slices.Contains(identifyingRules, ruleName(rule))
}

// ruleName returns the name in a rule's text.
func ruleName(rule string) string {
	name, _, _ := strings.Cut(rule, "(")
	return strings.TrimSpace(name)
}

// empties reports whether the column arrives as NULL.
func (c *Column) empties() bool {
	n := ruleName(c.Rule)
	return n == "" || n == "empty" || n == "null"
}

// label returns the column's name as reports show it.
func (c *Column) label() string { return c.Name + c.Path }

// constant returns the text that the column's rule writes whatever the original
// is, folded as values are compared, and whether there is one.
func (c *Column) constant(ctx context.Context) (string, bool) {
	if c.Traits.Output != mask.OutputConstant || c.empties() {
		return "", false
	}
	spec, err := mask.ParseSpec(c.Rule)
	if err != nil {
		return "", false
	}
	rule, err := spec.Compile(ctx, mask.Column{Name: c.Name}, mask.Env{})
	if err != nil {
		return "", false
	}
	out, null, err := rule.NewMasker().Append(nil, []byte("x"), mask.Row{})
	return string(out), err == nil && !null
}
