package catalog

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

// names translates column numbers, leaving out those that are unknown (0
// stands for an expression).
func (r *reader) names(table uint32, nums []int16) []string {
	var out []string
	for _, n := range nums {
		if c := r.columns[table][n]; c != nil {
			out = append(out, c.Name)
		}
	}
	return out
}

// An index that is invalid guarantees nothing; one of a partitioned table is
// invalid until every partition has its own, but already binds those that do.
func (r *reader) uniques(ctx context.Context) error {
	err := r.each(ctx, `
		SELECT x.indrelid, i.relname, x.indkey::int2[], x.indnkeyatts, x.indisprimary,
			x.indpred IS NOT NULL,
			CASE WHEN x.indexprs IS NULL THEN '{}' ELSE ARRAY(
				SELECT DISTINCT d.refobjsubid::int2 FROM pg_depend d
				WHERE d.classid = 'pg_class'::regclass AND d.objid = x.indexrelid
					AND d.refclassid = 'pg_class'::regclass AND d.refobjid = x.indrelid AND d.refobjsubid > 0
				ORDER BY 1) END
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
		WHERE x.indisunique AND x.indislive AND (x.indisvalid OR i.relkind = 'I')
			AND x.indrelid IN (`+relations+`)`,
		func(rows pgx.Rows) error {
			var table uint32
			var keys, reads []int16
			var keyCount int16
			u := Unique{}
			err := rows.Scan(&table, &u.Name, &keys, &keyCount, &u.Primary, &u.Partial, &reads)
			if err != nil {
				return err
			}
			t := r.byOID[table]
			if t == nil {
				return nil
			}
			stored := keys
			keys = keys[:min(int(keyCount), len(keys))]
			u.Expression = slices.Contains(keys, 0)
			u.Columns = r.names(table, keys)
			if u.Expression {
				reads = slices.DeleteFunc(reads, func(n int16) bool { return slices.Contains(stored, n) })
				u.Columns = append(u.Columns, r.names(table, reads)...)
			}
			if u.Primary {
				t.PrimaryKey = u.Columns
			}
			t.Uniques = append(t.Uniques, u)
			return nil
		})
	for _, t := range r.c.Tables {
		slices.SortFunc(t.Uniques, func(a, b Unique) int { return compareNames("", a.Name, "", b.Name) })
	}
	return err
}

// A foreign key of a partitioned table has one constraint of its own and, under
// it, one per partition on either side; only the topmost is read. One that a
// partition declares alone is told of its root too, because the root's policy
// decides the columns of all partitions.
func (r *reader) foreignKeys(ctx context.Context) error {
	err := r.each(ctx, `
		SELECT k.conname, k.conrelid, k.conkey, k.confrelid, k.confkey, k.convalidated
		FROM pg_constraint k
		WHERE k.contype = 'f' AND k.conparentid = 0
			AND k.conrelid IN (`+relations+`) AND k.confrelid IN (`+relations+`)`,
		func(rows pgx.Rows) error {
			var table, ref uint32
			var keys, refKeys []int16
			f := &ForeignKey{}
			if err := rows.Scan(&f.Name, &table, &keys, &ref, &refKeys, &f.Validated); err != nil {
				return err
			}
			if r.byOID[table] == nil || r.byOID[ref] == nil {
				return nil
			}
			f.Columns, f.RefColumns = r.names(table, keys), r.names(ref, refKeys)
			f.Table, f.RefTable = r.byOID[table].Root(), r.byOID[ref].Root()
			r.c.ForeignKeys = append(r.c.ForeignKeys, f)
			return nil
		})
	if err != nil {
		return err
	}
	// By name first, so that of equal ones the same stays on every read.
	slices.SortFunc(r.c.ForeignKeys, func(a, b *ForeignKey) int { return compareNames("", a.Name, "", b.Name) })
	seen := map[string]bool{}
	r.c.ForeignKeys = slices.DeleteFunc(r.c.ForeignKeys, func(f *ForeignKey) bool {
		k := identity(f)
		was := seen[k]
		seen[k] = true
		return was
	})
	return nil
}

// identity is equal for foreign keys that say the same.
func identity(f *ForeignKey) string {
	k := f.Table.SQL() + f.RefTable.SQL()
	for i := range f.Columns {
		k += pgx.Identifier{f.Columns[i], f.RefColumns[i]}.Sanitize() + ","
	}
	return k
}
