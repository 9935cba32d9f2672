package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

// leftOver reports what the policy names and the database does not have, and
// lists what only waits.
func (r *resolver) leftOver() {
	for _, e := range r.p.Tables {
		tables := r.wins[e]
		switch {
		case len(tables) > 0:
			r.leftOverColumns(e, tables)
		case e.Name.Wild():
			r.res.Unused = append(r.res.Unused, from(e.At, "table "+e.Name.String()))
		case r.viewNamed(e.Name):
			r.add(e.At, "%s is a view: it has no rows of its own and no entry", e.Name)
		default:
			r.add(e.At, "there is no table %s%s", e.Name, suggest.DidYouMean(e.Name.String(), r.tableNames()))
		}
	}
	for _, p := range r.p.Patterns {
		if !r.caught[p] {
			r.res.Unused = append(r.res.Unused, from(p.At, "pattern "+p.Name.String()))
		}
	}
}

// leftOverColumns reports the columns of an entry that no table has for which
// the entry counts.
func (r *resolver) leftOverColumns(e *Table, tables []*catalog.Table) {
	for _, c := range e.Columns {
		if slices.ContainsFunc(tables, func(t *catalog.Table) bool { return t.Column(c.Name) != nil }) {
			continue
		}
		if len(tables) == 1 {
			r.missingColumn(c.At, tables[0], c.Name)
		} else {
			r.add(c.At, "none of the %d tables that %s matches has a column %s%s", len(tables), e.Name, c.Name, suggest.DidYouMean(c.Name, columnNames(tables[0])))
		}
	}
}

func (r *resolver) missingColumn(at Pos, t *catalog.Table, name string) {
	r.add(at, "%s has no column %s%s", t, name, suggest.DidYouMean(name, columnNames(t)))
}

func (r *resolver) viewNamed(n TableName) bool {
	return slices.ContainsFunc(r.cat.Views, func(v catalog.View) bool { return n.Match(v.Schema, v.Name) })
}

func (r *resolver) tableNames() []string {
	names := make([]string, len(r.cat.Tables))
	for i, t := range r.cat.Tables {
		names[i] = t.String()
	}
	return names
}

func columnNames(t *catalog.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// Undecided returns every column that nobody decided, as schema.table.column,
// those of partitions once, under their root. A run must not start while there
// are any.
func (r *Resolution) Undecided() []string {
	return r.list(func(c *ColumnDecision) bool { return c.Action == Undecided })
}

// ByPattern returns every column that a pattern decided, as schema.table.column,
// those of partitions once, under their root: whoever adds a column sees in the
// plan whether a pattern has caught it.
func (r *Resolution) ByPattern() []string {
	return r.list(func(c *ColumnDecision) bool { return c.ByPattern && c.Action != Undecided && c.Action != Empty })
}

// Emptied returns what arrives empty because nobody decided and the policy says
// `undecided: empty`: columns as schema.table.column, paths of JSON columns
// after them, and tables without rows as schema.table.
func (r *Resolution) Emptied() []string {
	var names []string
	for _, t := range r.Tables {
		if t.NewTable && !t.Table.IsPartition {
			names = append(names, t.Table.String())
		}
		for _, c := range t.Columns {
			if r.repeats(t, c) {
				continue
			}
			name := t.Table.String() + "." + c.Column.Name
			if c.Action == Empty {
				names = append(names, name)
			}
			for _, j := range c.JSON {
				if j.Action == Empty && c.Action == Mask {
					names = append(names, name+string(j.Path))
				}
			}
		}
	}
	return names
}

// repeats reports whether a column of a partition says only what its root's says.
// It can say more: a partition may have NOT NULL where its root has not.
func (r *Resolution) repeats(t *TableDecision, c *ColumnDecision) bool {
	if !t.Table.IsPartition {
		return false
	}
	root := r.Table(t.Table.Root())
	if root == nil {
		return false
	}
	same := root.Column(c.Column.Name)
	return same != nil && same.Action == c.Action
}

func (r *Resolution) list(want func(*ColumnDecision) bool) []string {
	var names []string
	for _, t := range r.Tables {
		for _, c := range t.Columns {
			if want(c) && !r.repeats(t, c) {
				names = append(names, t.Table.String()+"."+c.Column.Name)
			}
		}
	}
	return names
}

// Check returns nil where everything is decided, else an error of kind Policy
// that wraps [ErrUndecided] and names every undecided column with the reason.
func (r *Resolution) Check() error {
	var lines []string
	for _, t := range r.Tables {
		for _, c := range t.Columns {
			if c.Action == Undecided && !r.repeats(t, c) {
				line := fmt.Sprintf("%s.%s (%s): %s", t.Table, c.Column.Name, c.Column.Type, c.Why)
				if c.From != "" {
					line += " (" + c.From + ")"
				}
				lines = append(lines, line)
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	what := "1 column is undecided:"
	if len(lines) > 1 {
		what = fmt.Sprintf("%d columns are undecided:", len(lines))
	}
	return &fault.Error{
		Kind: fault.Policy, Err: ErrUndecided,
		Msg:  what + "\n  " + strings.Join(lines, "\n  "),
		Hint: fmt.Sprintf("decide each in %s by `mask`, a `type` with a default, or `keep: why`; or say `rows: none` for its table", r.Policy.file),
	}
}
