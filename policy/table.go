package policy

import (
	"slices"

	"github.com/privet-dev/privet/classify"
)

// A Table is the entry of one table, or of all that its wildcards match.
type Table struct {
	At      Pos       `yaml:"-"`
	Name    TableName `yaml:",key"`
	Tenant  Tenant    `yaml:"tenant" doc:"Whose data the table holds, where it differs from the file's."`
	Subject Subject   `yaml:"subject" doc:"Whose data a row is: a column, or {via: column -> schema.table.column}."`
	Retain  *Retain   `yaml:"retain" doc:"How long rows are kept, and what happens then."`
	Rows    Rows      `yaml:"rows" doc:"none copies the structure only."`
	Columns []*Column `yaml:"columns" doc:"The columns, by name."`
}

// Column returns the entry of the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Rows says which rows of a table are copied.
type Rows string

// NoRows copies the structure of a table only.
const NoRows Rows = "none"

// A Subject says whose data a row is: the person that a column of the row
// names by a surrogate id, or that a row of another table names.
type Subject struct {
	At     Pos    `yaml:"-"`
	Column string `yaml:",scalar" doc:"The column that holds the subject's id."`
	Via    Via    `yaml:"via" doc:"column -> schema.table.column: the row that the column refers to names the subject."`
}

// IsZero reports whether s names no subject.
func (s Subject) IsZero() bool { return s.Column == "" && s.Via == Via{} }

// Retain says how long rows are kept.
type Retain struct {
	At         Pos             `yaml:"-"`
	For        classify.Period `yaml:"for" doc:"How long after since: 730d, 6mo, 10y."`
	Since      string          `yaml:"since" doc:"The column with the moment the period starts. A row without one never expires."`
	Then       Then            `yaml:"then" doc:"What happens to a row whose time is up."`
	Where      string          `yaml:"where" doc:"An SQL condition on the rows concerned."`
	LegalBasis string          `yaml:"legal_basis" doc:"The reason, as an auditor should read it."`
	Minimum    classify.Period `yaml:"minimum" doc:"How long rows must be kept at least, whoever asks for their deletion."`
	Approve    Hash            `yaml:"approve" doc:"The hash of the policy whose longer period this one shortens."`
}

// Then is what happens to a row whose time is up.
type Then string

// The ends of a row.
const (
	ThenDelete        Then = "delete"
	ThenAnonymize     Then = "anonymize"
	ThenShred         Then = "shred"
	ThenDropPartition Then = "drop_partition"
)

func (s *Subject) check(k *checker) {
	if !k.has("via") && !k.unknown {
		k.fail("", "subject says nothing: write `subject: customer_id` or `subject: {via: order_id -> public.orders.customer_id}`")
	}
}

func (t *Tenant) check(k *checker) {
	switch {
	case k.has("column") && k.has("schema"):
		k.fail("schema", "tenant has both column and schema; one of them says whose data a table holds")
	case !k.has("column") && !k.has("schema") && !k.unknown:
		k.fail("", "tenant says nothing: write a name, {column: org_id} or {schema: \"tenant_*\"}")
	}
}

func (r *Retain) check(k *checker) {
	parts := []string{"for", "since", "then"}
	missing := slices.DeleteFunc(slices.Clone(parts), k.has)
	if len(missing) == len(parts) {
		if !k.has("minimum") && !k.unknown {
			k.fail("", "retain says nothing: it needs for, since and then, or a minimum")
		}
		return
	}
	for _, key := range missing {
		k.fail("", "retain has no %s: for, since and then belong together", key)
	}
}
