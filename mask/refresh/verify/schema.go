package verify

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
)

// foreignKeyName is equal for foreign keys that say the same, whatever their
// constraints are called.
func foreignKeyName(f *catalog.ForeignKey) string {
	name := f.Table.SQL() + " " + f.RefTable.SQL()
	for i := range f.Columns {
		name += " " + pgx.Identifier{f.Columns[i], f.RefColumns[i]}.Sanitize()
	}
	return name
}

// checkForeignKeys holds the target's foreign keys against the source's. A
// validated foreign key is the server's own proof that every row has its partner.
func checkForeignKeys(source, target *catalog.Catalog) []Check {
	there := map[string]*catalog.ForeignKey{}
	for _, f := range target.ForeignKeys {
		there[foreignKeyName(f)] = f
	}
	var out []Check
	good := int64(0)
	for _, f := range source.ForeignKeys {
		k := Check{Name: CheckForeignKeys, Table: f.Table.String(), Result: Fail, Source: 1}
		switch g := there[foreignKeyName(f)]; {
		case g == nil:
			k.Detail = fmt.Sprintf("foreign key %s (%s) is missing", f.Name, f)
		case !g.Validated && f.Validated:
			k.Target = 1
			k.Detail = fmt.Sprintf("foreign key %s (%s) is not validated", g.Name, g)
		default:
			good++
			continue
		}
		out = append(out, k)
	}
	return append(out, Check{Name: CheckForeignKeys, Result: Pass, Source: int64(len(source.ForeignKeys)), Target: good,
		Detail: fmt.Sprintf("%d of %d foreign keys hold", good, len(source.ForeignKeys))})
}

// checkTable returns what was found of one table: rows, NULLs, identity, distinct
// values.
func (r *run) checkTable(st *tableState) []Check {
	name := st.Target.String()
	// What a later write in the source explains is no failure.
	differs := Fail
	if r.in.Moving {
		differs = Info
	}
	k := Check{Name: CheckRows, Table: name, Result: Pass, Source: st.sourceRows, Target: st.targetRows}
	k.Detail = group(st.targetRows) + " rows"
	switch {
	case st.NoRows && st.targetRows > 0:
		k.Result = Fail
		k.Detail = group(st.targetRows) + " rows, where only the structure should be"
	case st.NoRows:
		k.Detail = "structure only"
	case st.sourceRows != st.targetRows:
		k.Result = differs
		k.Detail = fmt.Sprintf("%s rows of %s", group(st.targetRows), group(st.sourceRows))
	case st.SourceRows >= 0 && st.SourceRows != st.sourceRows:
		k.Result = differs
		k.Detail = fmt.Sprintf("%s rows, and %s when it was copied", group(st.sourceRows), group(st.SourceRows))
	case st.identity != nil && st.identity.missing+st.identity.extra > 0:
		k.Result, k.Found = differs, st.identity.missing+st.identity.extra
		k.Detail = fmt.Sprintf("%s rows of the source are missing by their key, %s are not in the source",
			group(st.identity.missing), group(st.identity.extra))
	}
	out := []Check{k}
	if st.NoRows || len(st.columns) == 0 {
		return out
	}
	if st.identity == nil {
		out = append(out, Check{Name: CheckIdentity, Table: name, Result: Info, Source: st.sourceRows, Target: st.targetRows,
			Detail: "rows cannot be compared one by one: no primary key is kept"})
	}
	for i := range st.columns {
		c := &st.columns[i]
		if st.identity != nil {
			k := judgeIdentity(c.Column, c.sourceValues.estimate(), &st.identity.columns[i])
			k.Table = name
			out = append(out, k)
		}
		if c.Path != "" {
			continue
		}
		nulls := Check{Name: CheckNulls, Table: name, Column: c.Name, Result: Pass,
			Source: c.sourceNulls, Target: c.targetNulls, Detail: group(c.targetNulls) + " NULLs"}
		switch {
		case c.empties() && c.targetNulls != st.targetRows:
			nulls.Result = Fail
			nulls.Detail = fmt.Sprintf("%s values, where all should be NULL", group(st.targetRows-c.targetNulls))
		case !c.empties() && c.sourceNulls != c.targetNulls:
			nulls.Result = differs
			nulls.Detail = fmt.Sprintf("%s NULLs of %s", group(c.targetNulls), group(c.sourceNulls))
		}
		out = append(out, nulls)
		if c.Traits.Injective {
			out = append(out, checkDistinct(name, c, differs))
		}
	}
	return out
}

// checkDistinct finds a column whose values an injective rule has merged. The
// counts are estimates with an error of 2 %, so that less than a tenth is not seen.
func checkDistinct(table string, c *columnState, differs Result) Check {
	from, to := c.sourceValues.estimate(), c.targetValues.estimate()
	k := Check{Name: CheckDistinct, Table: table, Column: c.Name, Result: Pass, Source: int64(from + 0.5), Target: int64(to + 0.5)}
	k.Detail = fmt.Sprintf("about %s distinct values of %s", group(k.Target), group(k.Source))
	if to < 0.9*from-3 || from >= 2 && to < 1.5 && from > 1.5*to {
		k.Result = differs
		k.Detail += ": the rule is injective and has merged values"
	}
	return k
}
