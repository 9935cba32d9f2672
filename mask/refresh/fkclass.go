package refresh

import (
	"slices"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/policy"
)

// checkForeignKeys holds both ends of every foreign key against each other: they
// must be kept both, or masked by rules of one identity, or the referring end
// must arrive as NULL. Chains and cycles need no more than that, because
// identity is an equivalence.
func (c *compiler) checkForeignKeys(jobs []*tableJob) {
	byTable := map[*catalog.Table][]*tableJob{}
	for _, j := range jobs {
		root := j.table.Root()
		byTable[root] = append(byTable[root], j)
		if root != j.table {
			byTable[j.table] = append(byTable[j.table], j)
		}
	}
	for _, fk := range c.cat.ForeignKeys {
		from, to := byTable[fk.Table], byTable[fk.RefTable]
		if len(from) == 0 {
			continue // no rows refer
		}
		if slices.ContainsFunc(fk.Columns, func(name string) bool { return arrivesNull(from[0], name) }) {
			continue
		}
		if len(to) == 0 {
			if d := c.res.Table(fk.RefTable); d != nil && !d.Rows && fk.Validated {
				c.fail(fk.Table.String(), "foreign key %s: rows of %s refer to %s, which is copied without rows", fk, fk.Table, fk.RefTable).
					Hint = "give both rows, or both rows: none, or mask a nullable referring column by null"
			}
			continue
		}
		for i := range fk.Columns {
			a, b := treatment(from[0], fk.Columns[i]), treatment(to[0], fk.RefColumns[i])
			if a == b {
				continue
			}
			c.fail(fk.Table.String()+"."+fk.Columns[i],
				"foreign key %s: %s.%s is %s and %s.%s is %s, so that they would not match any more",
				fk, fk.Table, fk.Columns[i], describe(from[0], fk.Columns[i]), fk.RefTable, fk.RefColumns[i], describe(to[0], fk.RefColumns[i])).
				Hint = "columns tied by a foreign key need the same rule with the same parameters and domain, or both keep"
		}
	}
}

func fieldOf(j *tableJob, name string) *maskedColumn {
	for _, m := range j.fields {
		if m.column.Name == name {
			return m
		}
	}
	return nil
}

// arrivesNull reports whether every value of the column becomes NULL, which
// satisfies a foreign key.
func arrivesNull(j *tableJob, name string) bool {
	if i := j.index(name); i >= 0 && j.columns[i].Action == policy.Empty {
		return true
	}
	m := fieldOf(j, name)
	return m != nil && m.rule.Traits().Output == mask.OutputConstant && m.decision.Rule.Name() == "null"
}

// treatment is equal for columns whose equal values stay equal.
func treatment(j *tableJob, name string) string {
	if m := fieldOf(j, name); m != nil {
		return "mask " + m.rule.Identity()
	}
	return "keep"
}

// describe says the same to a person.
func describe(j *tableJob, name string) string {
	m := fieldOf(j, name)
	if m == nil {
		return "kept"
	}
	text := "masked by " + m.rule.String()
	switch d := j.decision; {
	case d.Tenant.Column != "":
		text += " for the tenant in " + d.Tenant.Column
	case d.Tenant.Name != "":
		text += " for tenant " + d.Tenant.Name
	}
	return text
}
