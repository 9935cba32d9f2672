// Package discover proposes a policy for a database that has none.
//
// [Propose] reads a catalog, never a row, and writes a privet.yaml that decides
// what names and types make certain, and marks everything else as undecided with
// the reason. It prefers a question to a guess: a column it knows nothing of is
// undecided, never kept, because what is kept by mistake leaks, and what is
// undecided by mistake costs one line.
package discover

import (
	"context"
	"errors"
	"slices"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/policy"
)

// Propose returns the text of a privet.yaml for the database. It parses, every
// table of the catalog is in it, and resolved against the same catalog it leaves
// undecided exactly the columns that it marks so. The text depends on nothing
// but the catalog's schema: not on sizes, and not on the order of calls.
//
// Rules are proposed only where they compile for the column: type, length, NOT
// NULL and unique indexes are respected, and columns tied by a foreign key have
// one rule or none.
func Propose(cat *catalog.Catalog) ([]byte, error) {
	p := &proposal{cat: cat, tenant: tenantName(cat.Database), unique: uniqueColumns(cat)}
	for _, t := range cat.Tables {
		if decidedByColumns(t) {
			p.tables = append(p.tables, p.decideTable(t))
		}
	}
	p.chooseSubjects()
	p.alignForeignKeys()
	return p.write(), nil
}

// decidedByColumns reports whether a table has column entries of its own: not a
// partition (its root decides), a materialized view (it is rebuilt), a foreign
// table (its rows are elsewhere) or privet's own state (it stays where it is).
func decidedByColumns(t *catalog.Table) bool {
	return !t.IsPartition && (t.Kind == catalog.Ordinary || t.Kind == catalog.Partitioned) && t.Schema != policy.OwnSchema
}

// A verdict is what is proposed for a column.
type verdict uint8

const (
	undecided verdict = iota
	byPattern
	kept
	masked
	generated
)

// A decision is the proposal for one column.
type decision struct {
	table   *catalog.Table
	column  *catalog.Column
	verdict verdict
	pattern int // index into patterns
	class   classify.Level
	typ     classify.Type
	rule    mask.Spec
	why     string // of kept and undecided
}

// A tableProposal is the proposal for one table.
type tableProposal struct {
	table   *catalog.Table
	subject string
	columns []*decision
}

func (t *tableProposal) column(name string) *decision {
	for _, d := range t.columns {
		if d.column.Name == name {
			return d
		}
	}
	return nil
}

// A proposal is a policy in the making.
type proposal struct {
	cat    *catalog.Catalog
	tenant string
	tables []*tableProposal
	unique map[*catalog.Column]bool
}

func (p *proposal) table(t *catalog.Table) *tableProposal {
	i := slices.IndexFunc(p.tables, func(x *tableProposal) bool { return x.table == t })
	if i < 0 {
		return nil
	}
	return p.tables[i]
}

// compileTwin is compile for a column that takes its rule from another one.
func (p *proposal) compileTwin(rule mask.Spec, d *decision, typ classify.Type) (string, error) {
	if p.partitionKeys(d.table)[d.column.Name] {
		return "", errPartitionKey
	}
	r, err := p.compile(rule, d.table, d.column, typ)
	if err != nil {
		return "", err
	}
	return r.Identity(), nil
}

var errPartitionKey = errors.New(whyPartitionKey)

const whyPartitionKey = "a masked partition key moves rows to other partitions, or to none"

// uniqueColumns returns the columns that need an injective rule: alone in a
// unique index, or in one whose other columns do not already tell rows apart.
func uniqueColumns(cat *catalog.Catalog) map[*catalog.Column]bool {
	found := map[*catalog.Column]bool{}
	for _, t := range cat.Tables {
		for _, u := range t.Uniques {
			told := len(t.PrimaryKey) > 0 && !u.Primary
			for _, k := range t.PrimaryKey {
				told = told && slices.Contains(u.Columns, k)
			}
			for _, name := range u.Columns {
				c := t.Root().Column(name)
				if c == nil {
					c = t.Column(name)
				}
				if !told && c != nil {
					found[c] = true
				}
			}
		}
	}
	return found
}

// noKeys lets rules compile without a keystore: only whether they do counts.
type noKeys struct{}

func (noKeys) Subkey(_ context.Context, _, _, _ string, n int) ([]byte, error) {
	return make([]byte, n), nil
}

// compile holds a rule against a column.
func (p *proposal) compile(rule mask.Spec, t *catalog.Table, c *catalog.Column, typ classify.Type) (*mask.Rule, error) {
	sqlType := c.BaseType
	if c.TypeKind == 'e' {
		sqlType = "enum"
	}
	return rule.Compile(context.Background(), mask.Column{
		Table: t.String(), Name: c.Name, SQLType: sqlType, Array: c.Array, MaxLen: c.MaxLen,
		NotNull: c.NotNull, Unique: p.unique[c], Enum: c.Enum, Type: typ,
	}, mask.Env{Keys: noKeys{}, Tenant: p.tenant})
}

// firstThatFits returns the first rule that compiles for the column, and merges
// no values of a unique one (NULLs do not clash), or the zero Spec.
func (p *proposal) firstThatFits(rules []string, t *catalog.Table, c *catalog.Column, typ classify.Type) mask.Spec {
	for _, text := range rules {
		spec, err := mask.ParseSpec(text)
		if err != nil {
			continue
		}
		rule, err := p.compile(spec, t, c, typ)
		if err != nil || p.unique[c] && !rule.Traits().Injective && spec.Name() != "null" {
			continue
		}
		return spec
	}
	return mask.Spec{}
}
