package policy

import (
	"fmt"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
)

// An Action is what happens to the values of a column. The zero Action is
// [Undecided].
type Action uint8

// The actions.
const (
	Undecided Action = iota // nobody decided: stops a run
	Keep                    // copied as they are, for the reason in Why
	Mask                    // each value goes through Rule, or part by part through JSON
	Empty                   // arrives as NULL, because nobody decided and undecided is empty
	Generated               // computed by the database, not copied
)

var actionNames = [...]string{"undecided", "keep", "mask", "empty", "generated"}

// String returns the action in lower case.
func (a Action) String() string {
	if int(a) < len(actionNames) {
		return actionNames[a]
	}
	return fmt.Sprintf("Action(%d)", uint8(a))
}

// MarshalText returns the action in lower case.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// A Resolution is a policy held against a database's catalog: what happens to
// every table and column. It is not changed after [Policy.Resolve].
type Resolution struct {
	// Policy is what was resolved.
	Policy *Policy
	// Tables holds one decision for every table of the catalog, in its order.
	Tables []*TableDecision
	// Unused names what matched nothing and is no error: patterns, and tables
	// with wildcards, that wait for what they describe.
	Unused []string

	byTable map[*catalog.Table]*TableDecision
}

// Table returns the decision on t, or nil for a table that was not resolved.
func (r *Resolution) Table(t *catalog.Table) *TableDecision { return r.byTable[t] }

// A TableDecision says what happens to one table.
type TableDecision struct {
	// Table is the table in the catalog.
	Table *catalog.Table
	// Entry is what the policy says of the table, nil where it does not know it.
	// A partition has its root's.
	Entry *Table
	// Rows is false where only the structure is copied; Columns is then nil,
	// except for a foreign table nobody decided.
	Rows bool
	// Why says why there are no rows: `rows: none`, a materialized view that is
	// rebuilt, a new table under `undecided: empty`. "" where Rows is true.
	Why string
	// NewTable is true for a table that arrives without rows because the policy
	// does not know it and says `undecided: empty`.
	NewTable bool
	// Tenant is whose data the rows are; zero where nothing says it.
	Tenant Tenant
	// Subject is the column that names the person of a row, "" where none does.
	Subject string
	// SubjectVia is the way to the subject through another table, or nil.
	SubjectVia *SubjectVia
	// Columns holds a decision for every column, in the table's order.
	Columns []*ColumnDecision
}

// Column returns the decision on the column of that name, or nil.
func (t *TableDecision) Column(name string) *ColumnDecision {
	for _, c := range t.Columns {
		if c.Column.Name == name {
			return c
		}
	}
	return nil
}

// A SubjectVia finds the subject of a row in the row that it refers to.
type SubjectVia struct {
	Column  string         // the column of this table that refers
	Table   *catalog.Table // the table it refers to
	Key     string         // the column of that table that it refers to
	Subject string         // the column of that table that names the subject
}

// A ColumnDecision says what happens to one column, and why.
type ColumnDecision struct {
	// Column is the column in the catalog.
	Column *catalog.Column
	// Action is what happens.
	Action Action
	// Rule is the masking rule where Action is Mask and JSON is empty.
	Rule mask.Spec
	// JSON holds the decisions on the parts of a JSON column.
	JSON []JSONDecision
	// Stored says how the column holds its values; zero for plain ones.
	Stored Stored
	// Why is the reason a column is kept, or what an undecided one lacks.
	Why string
	// From is where the decision stands: file:line:column and what decided there.
	From string
	// Level and Type classify the values; Unclassified and "" where nothing says.
	Level classify.Level
	Type  classify.Type
	// ByPattern is true where a pattern decided, not an entry of the column's own.
	ByPattern bool
}

// A JSONDecision says what happens to the values at one path of a JSON column.
type JSONDecision struct {
	Path   JSONPath
	Action Action // Keep, Mask, Empty (null) or Undecided
	Rule   mask.Spec
	Why    string
	From   string
	Level  classify.Level
	Type   classify.Type
}
