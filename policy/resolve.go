package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

// ErrDrift is the cause of the error of a policy that does not fit its database:
// an entry names what is not there, or says what cannot be.
var ErrDrift = errors.New("policy: the file and the database do not fit")

// ErrUndecided is the cause of the error of a resolution that leaves columns
// undecided.
var ErrUndecided = errors.New("policy: undecided columns")

// OwnSchema is the schema in which privet keeps its own state in a database:
// wrapped keys, checkpoints. Its tables arrive without rows, unless the policy
// has an entry for them.
const OwnSchema = "privet"

// Resolve holds the policy against a catalog and returns what happens to every
// table and column. Undecided columns are no error here: see [Resolution.Check].
//
// An entry that names a table or column that is not there, or that says what
// cannot be (a mask on a generated column, columns of a partition), is an error
// of kind Policy that wraps [ErrDrift] and a [*ParseError] with every place.
// What waits for tables to come (patterns, names with wildcards) is no error but
// listed in Unused.
//
// Whether a rule works on its column is not known here: mask's Spec.Compile
// says so, with the keys at hand.
func (p *Policy) Resolve(cat *catalog.Catalog) (*Resolution, error) {
	r := &resolver{
		p: p, cat: cat,
		res:     &Resolution{Policy: p, byTable: map[*catalog.Table]*TableDecision{}},
		wins:    map[*Table][]*catalog.Table{},
		caught:  map[*Pattern]bool{},
		entries: map[*catalog.Table]*Table{},
		named:   map[[2]string]*Table{},
	}
	for _, e := range p.Tables {
		name := [2]string{e.Name.schema.text, e.Name.table.text}
		if e.Name.Wild() {
			r.wild = append(r.wild, e)
		} else if r.named[name] == nil {
			r.named[name] = e
		}
	}
	for _, t := range cat.Tables {
		r.assign(t)
	}
	for _, t := range cat.Tables {
		d := r.table(t)
		r.res.Tables = append(r.res.Tables, d)
		r.res.byTable[t] = d
	}
	r.leftOver()
	if e := r.parseError(); e != nil {
		return nil, &fault.Error{Kind: fault.Policy, Msg: e.Error(), Err: errors.Join(ErrDrift, e),
			Hint: "the policy describes another schema than the database has; change the entry, or migrate the database first"}
	}
	return r.res, nil
}

// A resolver holds one policy against one catalog. What it reports of a partition
// names its root, so that one wrong entry is one problem however many partitions
// there are.
type resolver struct {
	report
	p   *Policy
	cat *catalog.Catalog
	res *Resolution
	// entries holds the entry that counts for each table that has one, and wins
	// the tables that each entry counts for.
	entries map[*catalog.Table]*Table
	wins    map[*Table][]*catalog.Table
	caught  map[*Pattern]bool
	// named holds the entries whose names are written out, wild the others.
	named map[[2]string]*Table
	wild  []*Table
}

// assign finds the entry that counts for t: the one that names it, else the
// first whose wildcards match. Wildcards do not reach partitions, which follow
// their root, nor materialized views, which have no entry.
func (r *resolver) assign(t *catalog.Table) {
	best := r.named[[2]string{t.Schema, t.Name}]
	if best == nil && !t.IsPartition && t.Kind != catalog.MatView {
		if i := slices.IndexFunc(r.wild, func(e *Table) bool { return e.Name.Match(t.Schema, t.Name) }); i >= 0 {
			best = r.wild[i]
		}
	}
	if best != nil {
		r.entries[t] = best
		r.wins[best] = append(r.wins[best], t)
	}
}

// table decides one table.
func (r *resolver) table(t *catalog.Table) *TableDecision {
	entry := r.entries[t]
	d := &TableDecision{Table: t, Entry: entry}
	switch {
	case t.Kind == catalog.MatView:
		d.Why = "rebuilt from the masked tables"
		if entry != nil {
			r.add(entry.At, "%s is a materialized view: it is rebuilt from the masked tables and has no entry", t)
		}
		return d
	case t.Kind == catalog.Foreign:
		r.foreign(d)
		return d
	case t.IsPartition:
		r.partition(d)
	case t.Schema == OwnSchema && entry == nil:
		d.Why = "privet's own state stays where it is"
		return d
	}
	if r.withoutRows(t) {
		d.Why = "rows: none"
		return d
	}
	d.Rows = true
	r.tenant(d)
	r.subject(d)
	r.since(d)
	for _, c := range t.Columns {
		d.Columns = append(d.Columns, r.column(d, c))
	}
	if d.Entry == nil && r.p.OnUndecided == AsEmpty && slices.ContainsFunc(d.Columns, lost) {
		d.Rows, d.Columns, d.NewTable = false, nil, true
		d.Why = "the policy does not know the table, and undecided is empty"
	}
	return d
}

// withoutRows reports whether t's entry, or that of a table it is a partition of,
// leaves the rows out.
func (r *resolver) withoutRows(t *catalog.Table) bool {
	for ; t != nil; t = t.Parent {
		if e := r.entries[t]; e != nil && e.Rows == NoRows {
			return true
		}
		if !t.IsPartition {
			return false
		}
	}
	return false
}

// lost reports whether values of a column do not arrive because nobody decided.
func lost(c *ColumnDecision) bool { return c.Action == Undecided || c.Action == Empty }

// partition lets d follow the root's entry. A partition's own may only leave its
// rows out: two masks for one table would tear its keys apart.
func (r *resolver) partition(d *TableDecision) {
	own := d.Entry
	if own != nil && (own.Rows != NoRows || own.Columns != nil || own.Retain != nil || !own.Tenant.IsZero() || !own.Subject.IsZero()) {
		r.add(own.At, "%s is a partition of %s, whose entry decides: a partition's own may say `rows: none` and nothing else", d.Table, d.Table.Root())
	}
	d.Entry = r.entries[d.Table.Root()]
}

// foreign decides a foreign table: only its definition can be copied, and that
// only on purpose, whatever `undecided` says, because whoever reads the copy
// reads the rows where they are.
func (r *resolver) foreign(d *TableDecision) {
	if d.Entry != nil && d.Entry.Rows == NoRows {
		d.Why = "rows: none"
		return
	}
	const why = "its rows are on another server, which the copy would read: say `rows: none` for the table, or drop it"
	if d.Entry != nil && !d.Entry.Name.Wild() {
		r.add(d.Entry.At, "%s is a foreign table: %s", d.Table, why)
	}
	for _, c := range d.Table.Columns {
		d.Columns = append(d.Columns, &ColumnDecision{Column: c, Why: "a foreign table: " + why})
	}
}

// tenant finds whose data the rows are.
func (r *resolver) tenant(d *TableDecision) {
	t := r.p.Tenant
	own := d.Entry != nil && !d.Entry.Tenant.IsZero()
	if own {
		t = d.Entry.Tenant
	}
	switch {
	case t.Name != "":
		d.Tenant = Tenant{At: t.At, Name: t.Name}
	case t.Schema != "":
		if name, ok := t.Schema.Tenant(d.Table.Root().Schema); ok {
			d.Tenant = Tenant{At: t.At, Name: name}
		} else if own {
			r.add(t.At, "schema %q of %s does not match %q", d.Table.Root().Schema, d.Table.Root(), t.Schema)
		}
	case t.Column != "":
		if d.Table.Column(t.Column) != nil {
			d.Tenant = Tenant{At: t.At, Column: t.Column}
		} else if own {
			r.missingColumn(t.At, d.Table.Root(), t.Column)
		}
	}
}

// subject finds whose data a row is.
func (r *resolver) subject(d *TableDecision) {
	if d.Entry == nil || d.Entry.Subject.IsZero() {
		return
	}
	s := d.Entry.Subject
	if s.Column != "" {
		if d.Table.Column(s.Column) == nil {
			r.missingColumn(s.At, d.Table.Root(), s.Column)
			return
		}
		d.Subject = s.Column
		return
	}
	target := r.cat.Table(s.Via.Schema, s.Via.Table)
	switch {
	case d.Table.Column(s.Via.Column) == nil:
		r.missingColumn(s.At, d.Table.Root(), s.Via.Column)
	case target == nil:
		name := s.Via.Schema + "." + s.Via.Table
		r.add(s.At, "there is no table %s%s", name, suggest.DidYouMean(name, r.tableNames()))
	case target.Column(s.Via.Subject) == nil:
		r.missingColumn(s.At, target, s.Via.Subject)
	default:
		key := r.referred(d.Table.Root(), s.Via.Column, target)
		if key == "" {
			r.add(s.At, "%s.%s does not refer to one row of %s: there is no foreign key of this column alone, and %s has no primary key of one column",
				d.Table.Root(), s.Via.Column, target, target)
			return
		}
		d.SubjectVia = &SubjectVia{Column: s.Via.Column, Table: target, Key: key, Subject: s.Via.Subject}
	}
}

// referred returns the column of target that a column refers to: by its foreign
// key, else target's primary key of one column.
func (r *resolver) referred(t *catalog.Table, column string, target *catalog.Table) string {
	for _, fk := range r.cat.ForeignKeys {
		if fk.Table == t && fk.RefTable == target && len(fk.Columns) == 1 && fk.Columns[0] == column {
			return fk.RefColumns[0]
		}
	}
	if len(target.PrimaryKey) == 1 {
		return target.PrimaryKey[0]
	}
	return ""
}

func (r *resolver) since(d *TableDecision) {
	if d.Entry == nil || d.Entry.Retain == nil || d.Entry.Retain.Since == "" {
		return
	}
	if since := d.Entry.Retain.Since; d.Table.Column(since) == nil {
		r.missingColumn(d.Entry.Retain.At, d.Table.Root(), since)
	}
}

// column decides one column: by its own entry, else by the first pattern that
// matches, else nobody.
func (r *resolver) column(d *TableDecision, c *catalog.Column) *ColumnDecision {
	var own *Column
	if d.Entry != nil {
		own = d.Entry.Column(c.Name)
	}
	if c.Generated {
		g := &ColumnDecision{Column: c, Action: Generated, Why: "computed by the database"}
		if own != nil {
			g.From = from(own.At, "column "+c.Name)
			g.Level, g.Type = level(own.Class, own.Type), own.Type
			if !own.Mask.IsZero() || own.JSON != nil || !own.Stored.IsZero() {
				r.add(own.At, "%s.%s is a generated column: the database computes it from what its neighbours became, and a rule would not count", d.Table.Root(), c.Name)
			}
		}
		return g
	}
	cd := &ColumnDecision{Column: c, Why: "nobody decided"}
	if own != nil {
		r.own(d, cd, own)
	} else if p := r.pattern(c); p != nil {
		v := r.judge(from(p.At, "pattern "+p.Name.String()), said{mask: p.Mask, keep: p.Keep, typ: p.Type})
		cd.Action, cd.Rule, cd.Why, cd.From = v.action, v.rule, v.why, v.from
		cd.Level, cd.Type = level(p.Class, p.Type), p.Type
		cd.ByPattern = cd.Action != Undecided
	}
	if cd.Action == Undecided && r.p.OnUndecided == AsEmpty {
		if c.NotNull {
			cd.Why += ", and the column is NOT NULL, so it cannot arrive empty"
		} else {
			cd.Action = Empty
		}
	}
	return cd
}

// own decides a column by its own entry, which counts alone.
func (r *resolver) own(d *TableDecision, cd *ColumnDecision, own *Column) {
	place := from(own.At, "column "+own.Name)
	cd.Level, cd.Type, cd.Stored = level(own.Class, own.Type), own.Type, own.Stored
	if own.JSON == nil {
		v := r.judge(place, said{own.Mask, own.Keep, own.Type, own.Undecided})
		cd.Action, cd.Rule, cd.Why, cd.From = v.action, v.rule, v.why, v.from
		return
	}
	cd.From = place
	if c := cd.Column; c.Array || c.BaseType != "json" && c.BaseType != "jsonb" {
		r.add(own.At, "%s.%s is a %s: json is for columns of type json and jsonb", d.Table.Root(), c.Name, c.Type)
		return
	}
	cd.Action, cd.Why = Mask, ""
	var open []string
	for _, f := range own.JSON {
		v := r.judge(from(f.At, "path "+string(f.Path)), said{f.Mask, f.Keep, f.Type, f.Undecided})
		if v.action == Undecided && r.p.OnUndecided == AsEmpty {
			v.action = Empty
		}
		if v.action == Undecided {
			open = append(open, string(f.Path))
		}
		j := JSONDecision{Path: f.Path, Action: v.action, Rule: v.rule, Why: v.why, From: v.from, Level: level(f.Class, f.Type), Type: f.Type}
		cd.JSON = append(cd.JSON, j)
		if own.Class == classify.Unclassified {
			cd.Level = max(cd.Level, j.Level)
		}
	}
	if open != nil {
		cd.Action, cd.Why = Undecided, "nobody decided "+strings.Join(open, ", ")
	}
}

// pattern returns the first pattern that matches a column, or nil.
func (r *resolver) pattern(c *catalog.Column) *Pattern {
	for _, p := range r.p.Patterns {
		if p.matches(c) {
			r.caught[p] = true
			return p
		}
	}
	return nil
}

func (p *Pattern) matches(c *catalog.Column) bool {
	if !p.Name.Match(c.Name) {
		return false
	}
	if len(p.SQL) == 0 {
		return true
	}
	base := c.BaseType
	switch c.TypeKind {
	case 'e':
		base = "enum"
	case 'c':
		return false // a composite may have the name of one of PostgreSQL's types
	}
	return slices.ContainsFunc(p.SQL, func(t SQLType) bool {
		name, array := t.element()
		return name == base && array == c.Array
	})
}
