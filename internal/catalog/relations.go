package catalog

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// ours says which rows of pg_class c with namespace n count: no system, TOAST
// or temporary schema, no temporary relation, no member of an extension.
const ours = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
	AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
		AND e.objsubid = 0 AND e.deptype = 'e')`

// relations selects the oids of everything that becomes a Table.
const relations = `SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p', 'm', 'f') AND ` + ours

// A relation that disappears while it is read has no size: it counts as 0, and
// whoever copies it holds a lock that keeps it from disappearing.
func (r *reader) tables(ctx context.Context) error {
	return r.each(ctx, `
		SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition, c.relpersistence = 'u',
			c.relrowsecurity, c.relforcerowsecurity,
			CASE WHEN c.relrowsecurity THEN row_security_active(c.oid) ELSE false END,
			-- NULL for a table that is being dropped at this moment
			coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'), true),
			pg_get_userbyid(c.relowner),
			c.reltuples::bigint,
			CASE WHEN c.relkind IN ('r', 'm') THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END,
			coalesce(obj_description(c.oid, 'pg_class'), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v') AND `+ours,
		func(rows pgx.Rows) error {
			t := &Table{}
			var kind string
			err := rows.Scan(&t.OID, &t.Schema, &t.Name, &kind, &t.IsPartition, &t.Unlogged,
				&t.RowSecurity, &t.ForceRowSecurity, &t.RowSecurityActive, &t.Selectable,
				&t.Owner, &t.Rows, &t.Bytes, &t.Comment)
			if err != nil {
				return err
			}
			switch kind {
			case "v":
				r.c.Views = append(r.c.Views, View{t.Schema, t.Name})
				return nil
			case "p":
				t.Kind = Partitioned
			case "m":
				t.Kind = MatView
			case "f":
				t.Kind = Foreign
			}
			r.c.Tables = append(r.c.Tables, t)
			r.byOID[t.OID] = t
			return nil
		})
}

func (r *reader) inheritance(ctx context.Context) error {
	return r.each(ctx, `SELECT i.inhrelid, i.inhparent FROM pg_inherits i
		WHERE i.inhrelid IN (`+relations+`) ORDER BY i.inhrelid, i.inhseqno`,
		func(rows pgx.Rows) error {
			var child, parent uint32
			if err := rows.Scan(&child, &parent); err != nil {
				return err
			}
			c, p := r.byOID[child], r.byOID[parent]
			if c == nil || p == nil {
				return nil
			}
			if c.Parent == nil {
				c.Parent = p
			}
			c.Inherits = append(c.Inherits, p)
			return nil
		})
}

func (r *reader) partitionKeys(ctx context.Context) error {
	return r.each(ctx, `SELECT p.partrelid, p.partattrs::int2[] FROM pg_partitioned_table p
		WHERE p.partrelid IN (`+relations+`)`,
		func(rows pgx.Rows) error {
			var oid uint32
			var nums []int16
			if err := rows.Scan(&oid, &nums); err != nil {
				return err
			}
			t := r.byOID[oid]
			if t == nil {
				return nil
			}
			for _, n := range nums {
				if c := r.columns[oid][n]; c != nil {
					t.PartitionKey = append(t.PartitionKey, c.Name)
				} else {
					t.PartitionExpression = true
				}
			}
			return nil
		})
}

func (r *reader) extensions(ctx context.Context) error {
	return r.each(ctx, `SELECT extname FROM pg_extension`, func(rows pgx.Rows) error {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		r.c.Extensions = append(r.c.Extensions, name)
		return nil
	})
}
