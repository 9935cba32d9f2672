package verify

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
)

// plan lays out what is read: the tables of the input on both sides, and every
// other table of the target for the search. It returns checks for what the target
// does not have.
func (r *run) plan(ctx context.Context, target *catalog.Catalog) ([]Check, error) {
	byTarget := map[string]*tableState{}
	var problems []Check
	for i := range r.in.Tables {
		t := &r.in.Tables[i]
		if t.Source == nil || t.Target == nil {
			return nil, fmt.Errorf("verify: Input.Tables[%d] lacks a side", i)
		}
		// A materialized view is made anew from what was copied: it has no rows to
		// compare, and is searched like everything else.
		if t.Target.Kind == catalog.Partitioned && partitionListed(r.in.Tables, t.Target) || t.Target.Kind == catalog.MatView {
			continue
		}
		there := target.Table(t.Target.Schema, t.Target.Name)
		if there == nil {
			problems = append(problems, Check{Name: CheckRows, Table: t.Target.String(), Result: Fail, Detail: "the table is missing"})
			continue
		}
		st, missing, err := r.state(ctx, t, there)
		if err != nil {
			return nil, err
		}
		problems = append(problems, missing...)
		byTarget[t.Target.SQL()] = st
		r.states = append(r.states, st)
	}
	for _, t := range target.Tables {
		st := byTarget[t.SQL()]
		switch {
		case t.Kind == catalog.Foreign, t.Kind == catalog.Partitioned && st == nil:
			continue
		case st == nil && readThroughRoot(byTarget, t):
			continue
		}
		r.targets = append(r.targets, r.search(t, st))
	}
	return problems, nil
}

// partitionListed reports whether a partition of t, at any depth, is an input of
// its own.
func partitionListed(tables []Table, t *catalog.Table) bool {
	for i := range tables {
		for p := tables[i].Target; p != nil && p.IsPartition; {
			if p = p.Parent; p != nil && p.SQL() == t.SQL() {
				return true
			}
		}
	}
	return false
}

// readThroughRoot reports whether t is a partition of a table that is read as a
// whole.
func readThroughRoot(states map[string]*tableState, t *catalog.Table) bool {
	for t.IsPartition && t.Parent != nil {
		if t = t.Parent; states[t.SQL()] != nil {
			return true
		}
	}
	return false
}

// state prepares one table of the input.
func (r *run) state(ctx context.Context, t *Table, there *catalog.Table) (*tableState, []Check, error) {
	st := &tableState{Table: t}
	if t.NoRows {
		return st, nil, nil
	}
	var problems []Check
	var columns []Column
	for i := range t.Columns {
		c := &t.Columns[i]
		if t.Source.Column(c.Name) == nil {
			return nil, nil, fmt.Errorf("verify: %s has no column %s", t.Source, c.Name)
		}
		if there.Column(c.Name) == nil {
			problems = append(problems, Check{Name: CheckNulls, Table: there.String(), Column: c.label(), Result: Fail, Detail: "the column is missing"})
			continue
		}
		columns = append(columns, *c)
	}
	copied := *t
	copied.Columns = columns
	st.Table = &copied
	st.columns = make([]columnState, len(columns))
	tok := &tokenizer{k: r.k, whole: true}
	for i := range columns {
		c := &columns[i]
		s := &st.columns[i]
		*s = columnState{Column: c, sourceShape: shapeOf(t.Source.Column(c.Name))}
		if c.Identifying {
			s.source = &sourceColumn{id: uint32(len(r.sources)), table: st.Table, column: c}
			r.sources = append(r.sources, s.source)
		}
		if text, ok := c.constant(ctx); ok {
			if words, n := tok.words([]byte(text)); n > 0 {
				r.known[words] = true
			}
		}
		if c.Path == "" && (c.Traits.Injective || c.Traits.Output == mask.OutputPermutation || c.Traits.Domain > 1) {
			s.sourceValues, s.targetValues = newSketch(12), newSketch(12)
		}
	}
	if len(t.Key) > 0 && len(columns) > 0 {
		for _, k := range t.Key {
			if t.Source.Column(k) == nil || there.Column(k) == nil {
				return nil, nil, fmt.Errorf("verify: the key column %s is not on both sides of %s", k, there)
			}
		}
		width := 8 * (1 + len(columns))
		st.rows = newSpool(width, rowBits(max(t.SourceRows, t.Source.Rows), width, r.in.MemoryLimit), r.budget, r.in.TempDir)
	}
	return st, problems, nil
}

// rowBits returns into how many parts rows are divided, so that a part of both
// sides and its index fit into a share of the memory.
func rowBits(rows int64, width int, memory int64) uint {
	if rows < 0 {
		return 6
	}
	parts := rows * int64(2*width+16) / max(memory/16, 1)
	return min(max(uint(bits.Len64(uint64(parts))), 2), 10)
}

// search prepares one table of the target.
func (r *run) search(t *catalog.Table, st *tableState) *targetTable {
	tt := &targetTable{table: t, state: st}
	for _, c := range t.Columns {
		if !searchable(c) {
			continue
		}
		tc := &targetColumn{id: uint32(len(r.columns)), table: t, column: c, shape: shapeOf(c)}
		if st != nil {
			for i := range st.columns {
				if st.columns[i].Name == c.Name {
					tc.masked = append(tc.masked, st.columns[i].Column)
				}
			}
		}
		if len(tc.masked) > 0 {
			tc.values = newSketch(12)
		}
		r.columns = append(r.columns, tc)
		tt.searched = append(tt.searched, tc)
	}
	return tt
}
