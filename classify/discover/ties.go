package discover

import (
	"fmt"
	"slices"
)

// alignForeignKeys gives columns that a foreign key ties together one decision.
// Within each group the column that all others refer to leads: it is the key,
// and it has the unique index that a rule must respect.
func (p *proposal) alignForeignKeys() {
	group := map[*decision]*decision{}
	root := func(d *decision) *decision {
		for group[d] != nil && group[d] != d {
			d = group[d]
		}
		return d
	}
	refers := map[*decision]bool{}
	for _, f := range p.cat.ForeignKeys {
		from, to := p.table(f.Table), p.table(f.RefTable)
		if from == nil || to == nil {
			continue
		}
		for i := range f.Columns {
			a, b := from.column(f.Columns[i]), to.column(f.RefColumns[i])
			if a == nil || b == nil || a == b {
				continue
			}
			refers[a] = true
			if ra, rb := root(a), root(b); ra != rb {
				group[ra] = rb
			}
		}
	}
	members := map[*decision][]*decision{}
	var order []*decision
	for _, t := range p.tables {
		for _, d := range t.columns {
			r := root(d)
			if members[r] == nil {
				order = append(order, r)
			}
			members[r] = append(members[r], d)
		}
	}
	for _, r := range order {
		// A generated column becomes what its neighbours make of it.
		tied := slices.DeleteFunc(members[r], func(d *decision) bool { return d.verdict == generated })
		if len(tied) > 1 {
			i := slices.IndexFunc(tied, func(d *decision) bool { return !refers[d] })
			p.follow(tied[max(i, 0)], tied)
		}
	}
}

// follow makes the columns of one group do what their leader does.
func (p *proposal) follow(leader *decision, tied []*decision) {
	name := leader.table.String() + "." + leader.column.Name
	switch leader.verdict {
	case byPattern, kept:
		for _, d := range tied {
			if d.verdict != byPattern && d.verdict != kept {
				d.verdict, d.why = kept, "refers to "+name
				d.class, d.typ = leader.class, leader.typ
			}
		}
	case masked:
		identity, err := p.compileTwin(leader.rule, leader, leader.typ)
		for _, d := range tied {
			twin, twinErr := p.compileTwin(leader.rule, d, leader.typ)
			if err != nil || twinErr != nil || twin != identity {
				p.undecideAll(leader, tied, fmt.Sprintf("tied to %s by a foreign key, and %s does not work alike on both", name, leader.rule))
				return
			}
		}
		for _, d := range tied {
			d.verdict, d.class, d.typ, d.rule = masked, leader.class, leader.typ, leader.rule
		}
	case undecided:
		p.undecideAll(leader, tied, "tied to "+name+" by a foreign key: decide both alike")
	}
}

func (p *proposal) undecideAll(leader *decision, tied []*decision, why string) {
	for _, d := range tied {
		d.class, d.typ = leader.class, leader.typ
		if d != leader {
			d.undecide(why)
		} else if d.verdict != undecided {
			d.undecide("columns of other tables refer to it, and one rule does not work alike on all")
		}
	}
}

// surrogateKey returns the table's primary key where it is one column that is
// kept and holds a number or a UUID, else "".
func (t *tableProposal) surrogateKey() string {
	if len(t.table.PrimaryKey) != 1 {
		return ""
	}
	d := t.column(t.table.PrimaryKey[0])
	if d == nil || d.verdict != byPattern && d.verdict != kept {
		return ""
	}
	if s := shape(d.column); s != shapeInteger && s != shapeUUID {
		return ""
	}
	return d.column.Name
}

// workers are people whose foreign keys say who did something, not whose data it is.
var workers = wordSet("staff employee agent driver author doctor nurse teacher mitarbeiter empleado medewerker")

// chooseSubjects proposes whose data a row is, where the schema leaves no doubt:
// a table named after people is about its own rows; one with exactly one foreign
// key to such a table is about the person it refers to. The customer of an order
// counts before the employee who took it.
func (p *proposal) chooseSubjects() {
	works := map[*tableProposal]bool{}
	for _, t := range p.tables {
		words := tokens(t.table.Name)
		if len(words) == 0 {
			continue
		}
		if about := singular(words[len(words)-1]); people[about] {
			t.subject, works[t] = t.surrogateKey(), workers[about]
		}
	}
	own, served := map[*tableProposal][]string{}, map[*tableProposal][]string{}
	for _, f := range p.cat.ForeignKeys {
		from, to := p.table(f.Table), p.table(f.RefTable)
		if from == nil || to == nil || from.subject != "" || len(f.Columns) != 1 || to.subject == "" || f.RefColumns[0] != to.subject {
			continue
		}
		if works[to] {
			own[from] = append(own[from], f.Columns[0])
		} else {
			served[from] = append(served[from], f.Columns[0])
		}
	}
	for _, t := range p.tables {
		switch {
		case len(served[t]) == 1:
			t.subject = served[t][0]
		case len(served[t]) == 0 && len(own[t]) == 1:
			t.subject = own[t][0]
		}
		p.shiftBySubject(t)
	}
}

// shiftBySubject lets all dates of one person move alike where the person is known.
func (p *proposal) shiftBySubject(t *tableProposal) {
	if t.subject == "" {
		return
	}
	for _, d := range t.columns {
		if d.verdict != masked || d.rule.Name() != "date_shift" {
			continue
		}
		if rule := p.firstThatFits([]string{"date_shift(days=180, by=subject)"}, d.table, d.column, d.typ); !rule.IsZero() {
			d.rule = rule
		}
	}
}

// tenantColumns are names of columns that say whose data a row is in a database
// that several tenants share.
var tenantColumns = wordSet("tenant_id org_id organization_id organisation_id workspace_id tenant")

// sharedBy returns the column that names the tenant in most tables, or "".
func (p *proposal) sharedBy() string {
	count := map[string]int{}
	for _, t := range p.tables {
		for _, c := range t.table.Columns {
			if tenantColumns[c.Name] {
				count[c.Name]++
			}
		}
	}
	best := ""
	for name, n := range count {
		if 2*n >= len(p.tables) && (best == "" || n > count[best] || n == count[best] && name < best) {
			best = name
		}
	}
	return best
}

// tenantName makes a tenant's name of a database's: letters, digits, _ and -.
func tenantName(database string) string {
	var b []byte
	for _, c := range []byte(database) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', len(b) > 0 && ('0' <= c && c <= '9' || c == '_' || c == '-'):
			b = append(b, c)
		}
	}
	if len(b) == 0 || len(b) > 100 {
		return "main"
	}
	return string(b)
}
