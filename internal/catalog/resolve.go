package catalog

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// pgType is one row of pg_type, as far as resolving a column needs it.
type pgType struct {
	schema, name string
	kind         byte
	base         uint32 // of a domain, else 0
	element      uint32 // of a true array, else 0
	typmod       int32  // of a domain, else -1
	notNull      bool   // of a domain
	shadows      bool   // has the name of one of PostgreSQL's own
	enum         []string
}

// typesInUse reads the types of all columns and, transitively, what stands
// below domains and arrays. A true array is one that its element names as its
// array type: int2vector and the like also have elements but print otherwise.
func (r *reader) typesInUse(ctx context.Context) (map[uint32]*pgType, error) {
	types := map[uint32]*pgType{}
	err := r.each(ctx, `
		WITH RECURSIVE used(oid) AS (
			SELECT DISTINCT a.atttypid FROM pg_attribute a
			WHERE a.attrelid IN (`+relations+`) AND a.attnum > 0 AND NOT a.attisdropped
		UNION
			SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
			FROM used u JOIN pg_type t ON t.oid = u.oid
			WHERE t.typtype = 'd' OR t.typelem <> 0
		)
		SELECT t.oid, n.nspname, t.typname, t.typtype::text,
			CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE 0 END,
			CASE WHEN t.typtype <> 'd' AND e.typarray = t.oid THEN e.oid ELSE 0 END,
			CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE -1 END,
			t.typtype = 'd' AND t.typnotnull,
			n.nspname <> 'pg_catalog' AND EXISTS (SELECT FROM pg_type p
				WHERE p.typname = t.typname AND p.typnamespace = 'pg_catalog'::regnamespace),
			(SELECT array_agg(l.enumlabel::text ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = t.oid)
		FROM used u JOIN pg_type t ON t.oid = u.oid JOIN pg_namespace n ON n.oid = t.typnamespace
			LEFT JOIN pg_type e ON e.oid = t.typelem`,
		func(rows pgx.Rows) error {
			var oid uint32
			var kind string
			t := &pgType{}
			err := rows.Scan(&oid, &t.schema, &t.name, &kind, &t.base, &t.element, &t.typmod, &t.notNull, &t.shadows, &t.enum)
			if err != nil {
				return err
			}
			t.kind = kind[0]
			types[oid] = t
			return nil
		})
	return types, err
}

// resolve fills what the type says of a column, walking down through domains
// and arrays. The length modifier nearest to the column counts: only one level
// can carry one, because a domain's own type takes no modifier.
func (c *Column) resolve(types map[uint32]*pgType, oid uint32, typmod int32) {
	for t := types[oid]; t != nil; t = types[oid] {
		switch {
		case t.base != 0:
			if c.Domain == "" {
				c.Domain = t.schema + "." + t.name
			}
			// Below an array a domain's NOT NULL is about elements.
			c.NotNull = c.NotNull || t.notNull && !c.Array
			if typmod < 0 {
				typmod = t.typmod
			}
			oid = t.base
		case t.element != 0:
			c.Array = true
			oid = t.element
		default:
			c.BaseType, c.TypeKind, c.Enum = t.name, t.kind, t.enum
			if t.shadows {
				c.BaseType = t.schema + "." + t.name
			}
			// A length is stored with the four bytes of a varlena header added.
			if (t.name == "varchar" || t.name == "bpchar") && t.schema == "pg_catalog" && typmod >= 4 {
				c.MaxLen = int(typmod - 4)
			}
			return
		}
	}
}

func (r *reader) tableColumns(ctx context.Context) error {
	types, err := r.typesInUse(ctx)
	if err != nil {
		return err
	}
	return r.each(ctx, `
		SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod),
			a.attnotnull, a.attgenerated <> '', a.attidentity <> '', a.atthasdef AND a.attgenerated = '',
			coalesce(col_description(a.attrelid, a.attnum), '')
		FROM pg_attribute a
		WHERE a.attrelid IN (`+relations+`) AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attrelid, a.attnum`,
		func(rows pgx.Rows) error {
			var table, typ uint32
			var typmod int32
			c := &Column{}
			err := rows.Scan(&table, &c.Name, &c.Num, &typ, &typmod, &c.Type,
				&c.NotNull, &c.Generated, &c.Identity, &c.HasDefault, &c.Comment)
			if err != nil {
				return err
			}
			t := r.byOID[table]
			if t == nil {
				return nil
			}
			c.resolve(types, typ, typmod)
			t.Columns = append(t.Columns, c)
			if r.columns[table] == nil {
				r.columns[table] = map[int16]*Column{}
			}
			r.columns[table][c.Num] = c
			return nil
		})
}
