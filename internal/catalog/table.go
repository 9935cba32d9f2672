package catalog

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// A Kind says what sort of relation a [Table] is.
type Kind uint8

// The kinds of relation that are read.
const (
	Ordinary    Kind = iota // a table with rows; also a leaf partition
	Partitioned             // a partitioned table: its rows are its partitions'
	MatView                 // a materialized view: rebuilt from its query, never copied
	Foreign                 // a foreign table: its rows live on another server
)

// String returns the kind in words.
func (k Kind) String() string {
	switch k {
	case Ordinary:
		return "table"
	case Partitioned:
		return "partitioned table"
	case MatView:
		return "materialized view"
	case Foreign:
		return "foreign table"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// A Table is one relation with rows.
type Table struct {
	OID          uint32
	Schema, Name string
	Kind         Kind
	// Parent is the partitioned table this is a partition of, or the first
	// table it inherits from; nil for most.
	Parent *Table
	// Inherits holds all parents in the order of declaration; a partition has
	// exactly one.
	Inherits []*Table
	// IsPartition is true for a partition, also for one that is partitioned again.
	IsPartition bool
	// PartitionKey holds the columns a partitioned table is split by.
	PartitionKey []string
	// PartitionExpression is true where part of the key is an expression, which
	// PartitionKey does not show.
	PartitionExpression bool
	// Unlogged tables are empty after a crash and unreadable on a standby.
	Unlogged bool
	// RowSecurity and ForceRowSecurity are the table's switches;
	// RowSecurityActive says that policies would filter the rows that the
	// connected role sees.
	RowSecurity, ForceRowSecurity, RowSecurityActive bool
	// Selectable says that the connected role may SELECT the whole table.
	Selectable bool
	// Owner is the name of the owning role.
	Owner string
	// Rows is the planner's estimate, -1 where the table was never analyzed.
	Rows int64
	// Bytes is the size on disk with TOAST and without indexes; 0 for
	// partitioned and foreign tables.
	Bytes int64
	// Columns holds the living columns by number.
	Columns []*Column
	// PrimaryKey holds the primary key's columns in its order; nil without one.
	PrimaryKey []string
	// Uniques holds the valid unique indexes, that of the primary key included,
	// by name.
	Uniques []Unique
	// Comment is the table's comment, or "".
	Comment string
}

// String returns schema.name without quotes: for messages and for the policy
// file. It is ambiguous where a name holds a dot.
func (t *Table) String() string { return t.Schema + "." + t.Name }

// SQL returns the quoted name, safe to put into a statement.
func (t *Table) SQL() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

// Root returns the topmost partitioned table that t is a partition of, or t.
func (t *Table) Root() *Table {
	for t.IsPartition && t.Parent != nil {
		t = t.Parent
	}
	return t
}

// Column returns the column of that name, or nil.
func (t *Table) Column(name string) *Column {
	for _, c := range t.Columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// A Unique is a unique index or constraint.
type Unique struct {
	Name string
	// Columns holds the key columns in order, without INCLUDE columns. Where
	// Expression is true the columns that the expressions (and the predicate of
	// a partial index) read follow them.
	Columns []string
	// Expression is true where part of the key is an expression, as in
	// lower(email).
	Expression bool
	// Partial is true for an index with a WHERE clause.
	Partial bool
	// Primary is true for the primary key's index.
	Primary bool
}

// A ForeignKey ties columns of Table to columns of RefTable, pairwise in order.
type ForeignKey struct {
	Name       string
	Table      *Table
	Columns    []string
	RefTable   *Table
	RefColumns []string
	// Validated is false for a constraint that is NOT VALID or NOT ENFORCED:
	// rows without a partner may exist.
	Validated bool
}

// String returns table(columns) -> table(columns).
func (f *ForeignKey) String() string {
	return fmt.Sprintf("%s(%s) -> %s(%s)", f.Table, join(f.Columns), f.RefTable, join(f.RefColumns))
}

func join(names []string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}
