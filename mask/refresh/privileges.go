package refresh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/pgconnect"
)

// An object is something inside a database that has an owner and privileges.
type object struct {
	kind   string // SCHEMA, TABLE, ...: the word after ALTER, and after GRANT ... ON where there are grants
	ident  string // quoted and qualified, for routines with argument types
	owner  string
	linked bool // a sequence that follows its table's owner
	plain  bool // privileges were never changed from the default
	grants []grant
	// columns holds the grants on single columns, by quoted name.
	columns map[string][]grant
}

func (o *object) key() string { return o.kind + " " + o.ident }

const notSystem = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// objectsQuery lists everything that owners and privileges are carried over
// for: schemas, relations, sequences, routines, types, and what has an owner
// only: statistics, collations, text search, operators. Extensions and their
// members belong to whoever installed them.
const objectsQuery = `
	SELECT o.kind, o.ident, pg_catalog.pg_get_userbyid(o.owner)::text, o.linked, o.acl IS NULL,
		coalesce(CASE WHEN a.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, ''),
		coalesce(a.privilege_type, ''), coalesce(a.is_grantable, false), coalesce(a.grantee = o.owner, true), o.col
	FROM (
		SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS ident, n.nspowner AS owner, false AS linked, n.nspacl AS acl, '' AS col,
			'pg_catalog.pg_namespace'::regclass AS class, n.oid AS oid
		FROM pg_catalog.pg_namespace n WHERE ` + notSystem + `
		UNION ALL
		SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, quote_ident(n.nspname) || '.' || quote_ident(c.relname),
			c.relowner, c.relkind = 'S' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
				WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')),
			c.relacl, '', 'pg_catalog.pg_class'::regclass, c.oid
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't' AND ` + notSystem + `
		UNION ALL
		SELECT 'TABLE', quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relowner, false, t.attacl, quote_ident(t.attname),
			'pg_catalog.pg_class'::regclass, c.oid
		FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND ` + notSystem + `
		UNION ALL
		SELECT 'ROUTINE', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',
			p.proowner, false, p.proacl, '', 'pg_catalog.pg_proc'::regclass, p.oid
		FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE ` + notSystem + `
		UNION ALL
		SELECT 'TYPE', quote_ident(n.nspname) || '.' || quote_ident(y.typname), y.typowner, false, y.typacl, '', 'pg_catalog.pg_type'::regclass, y.oid
		FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
		WHERE ` + notSystem + ` AND (y.typtype IN ('e', 'd', 'r')
			OR y.typtype = 'c' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = y.typrelid AND c.relkind = 'c'))
		UNION ALL
		SELECT CASE i.type WHEN 'statistics object' THEN 'STATISTICS' ELSE upper(i.type) END, i.identity, x.owner, false, NULL, '', x.class, x.oid
		FROM (
			SELECT oid, 'pg_catalog.pg_statistic_ext'::regclass AS class, stxnamespace AS ns, stxowner AS owner FROM pg_catalog.pg_statistic_ext
			UNION ALL SELECT oid, 'pg_catalog.pg_collation'::regclass, collnamespace, collowner FROM pg_catalog.pg_collation
			UNION ALL SELECT oid, 'pg_catalog.pg_conversion'::regclass, connamespace, conowner FROM pg_catalog.pg_conversion
			UNION ALL SELECT oid, 'pg_catalog.pg_ts_config'::regclass, cfgnamespace, cfgowner FROM pg_catalog.pg_ts_config
			UNION ALL SELECT oid, 'pg_catalog.pg_ts_dict'::regclass, dictnamespace, dictowner FROM pg_catalog.pg_ts_dict
			UNION ALL SELECT oid, 'pg_catalog.pg_operator'::regclass, oprnamespace, oprowner FROM pg_catalog.pg_operator
			UNION ALL SELECT oid, 'pg_catalog.pg_opfamily'::regclass, opfnamespace, opfowner FROM pg_catalog.pg_opfamily
			UNION ALL SELECT oid, 'pg_catalog.pg_opclass'::regclass, opcnamespace, opcowner FROM pg_catalog.pg_opclass
		) x JOIN pg_catalog.pg_namespace n ON n.oid = x.ns, LATERAL pg_catalog.pg_identify_object(x.class, x.oid, 0) i
		WHERE ` + notSystem + `
	) o LEFT JOIN LATERAL pg_catalog.aclexplode(o.acl) a ON true
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = o.class AND e.objid = o.oid AND e.objsubid = 0 AND e.deptype = 'e')
	ORDER BY 1, 2, 10, 6, 7`

func readObjects(ctx context.Context, conn *pgx.Conn) ([]*object, error) {
	rows, err := conn.Query(ctx, objectsQuery)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*object
	for rows.Next() {
		var o object
		var g grant
		var col string
		var own bool
		if err := rows.Scan(&o.kind, &o.ident, &o.owner, &o.linked, &o.plain, &g.grantee, &g.privilege, &g.option, &own, &col); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].key() != o.key() {
			out = append(out, &o)
		}
		last := out[len(out)-1]
		switch {
		case own: // the owner's rights come with ownership
		case col != "":
			if last.columns == nil {
				last.columns = map[string][]grant{}
			}
			last.columns[col] = append(last.columns[col], g)
		default:
			last.grants = append(last.grants, g)
		}
	}
	return out, rows.Err()
}

// A dresser gives the objects of the new database the owners and privileges
// that those of the same name have in the old one.
type dresser struct {
	old, fresh *pgx.Conn
	dbOwner    string
	loader     string
	note       func(string)

	refused []string
}

// dress carries over owners, privileges and default privileges. Objects that
// only the new database has go to the owner of the old database, and nobody is
// granted anything on them. What the loading role may not do is told, not an
// error: it takes rights away from people, it gives nobody more.
func (d *dresser) dress(ctx context.Context) error {
	before, err := readObjects(ctx, d.old)
	if err != nil {
		return fmt.Errorf("target: read owners and privileges of the old database: %w", pgconnect.Redacted(err))
	}
	now, err := readObjects(ctx, d.fresh)
	if err != nil {
		return fmt.Errorf("target: read owners and privileges of the new database: %w", pgconnect.Redacted(err))
	}
	defaults, err := readDefaults(ctx, d.old)
	if err != nil {
		return fmt.Errorf("target: read default privileges of the old database: %w", pgconnect.Redacted(err))
	}
	was := make(map[string]*object, len(before))
	for _, o := range before {
		was[o.key()] = o
	}
	// Schemas first: who is to own a table needs a right on its schema.
	slices.SortStableFunc(now, func(a, b *object) int { return rank(a) - rank(b) })
	// Each statement by itself: nobody uses the database yet, and in one
	// transaction a schema of many thousand objects fills the server's lock table.
	for _, o := range now {
		if err := d.object(ctx, o, was[o.key()]); err != nil {
			return err
		}
	}
	for _, sql := range defaults {
		if err := d.try(ctx, "default privileges", sql); err != nil {
			return err
		}
	}
	const shown = 5
	for i, r := range d.refused {
		if i == shown {
			d.note(fmt.Sprintf("and %d more owners or privileges could not be carried over", len(d.refused)-shown))
			break
		}
		d.note(r)
	}
	return nil
}

func rank(o *object) int {
	if o.kind == "SCHEMA" {
		return 0
	}
	return 1
}

func (d *dresser) object(ctx context.Context, o, was *object) error {
	owner := d.dbOwner
	var statements []string
	if was != nil {
		owner = was.owner
		statements = grants(o, was)
	} else if o.owner != d.loader {
		owner = o.owner // public, which belongs to the server
	}
	if owner != o.owner && !o.linked {
		statements = append(statements, "ALTER "+o.kind+" "+o.ident+" OWNER TO "+quote(owner))
	}
	for _, sql := range statements {
		if err := d.try(ctx, o.key(), sql); err != nil {
			return err
		}
	}
	return nil
}

// grants returns the statements that give o the privileges of was.
func grants(o, was *object) []string {
	if was.plain && o.plain && len(was.columns) == 0 {
		return nil
	}
	var out []string
	if !was.plain && !slices.Equal(o.grants, was.grants) {
		out = append(out, "REVOKE ALL ON "+o.kind+" "+o.ident+" FROM PUBLIC")
		for _, g := range was.grants {
			out = append(out, g.on("", o))
		}
	}
	for _, col := range slices.Sorted(maps.Keys(was.columns)) {
		for _, g := range was.columns[col] {
			out = append(out, g.on(" ("+col+")", o))
		}
	}
	return out
}

func (g grant) on(columns string, o *object) string {
	sql := "GRANT " + g.privilege + columns + " ON " + o.kind + " " + o.ident + " TO " + grantee(g.grantee)
	if g.option {
		sql += " WITH GRANT OPTION"
	}
	return sql
}

// try runs one statement and remembers where it was refused. Errors are a lost
// connection and a server without room (class 53).
func (d *dresser) try(ctx context.Context, what, sql string) error {
	_, err := d.fresh.Exec(ctx, sql)
	if err == nil {
		return nil
	}
	if code := pgconnect.Code(err); code == "" || strings.HasPrefix(code, "53") || d.fresh.IsClosed() || ctx.Err() != nil {
		return fmt.Errorf("target: carry over owners and privileges: %s: %w", what, pgconnect.Redacted(err))
	}
	d.refused = append(d.refused, fmt.Sprintf("owner or privileges of %s could not be carried over: %s", what, pgconnect.SafeText(err)))
	return nil
}

// readDefaults returns the old database's default privileges as statements.
func readDefaults(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `SELECT pg_catalog.pg_get_userbyid(d.defaclrole)::text, coalesce(n.nspname::text, ''), d.defaclobjtype::text,
			coalesce(CASE WHEN a.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END, ''),
			coalesce(a.privilege_type, ''), coalesce(a.is_grantable, false), coalesce(a.grantee = d.defaclrole, true)
		FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
			LEFT JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a ON true
		ORDER BY 1, 2, 3, 4, 5`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	last := ""
	for rows.Next() {
		var role, schema, kind string
		var g grant
		var own bool
		if err := rows.Scan(&role, &schema, &kind, &g.grantee, &g.privilege, &g.option, &own); err != nil {
			return nil, err
		}
		things := map[string]string{"r": "TABLES", "S": "SEQUENCES", "f": "ROUTINES", "T": "TYPES", "n": "SCHEMAS"}[kind]
		if things == "" {
			continue
		}
		head := "ALTER DEFAULT PRIVILEGES FOR ROLE " + quote(role)
		if schema != "" {
			head += " IN SCHEMA " + quote(schema)
		} else if last != role+kind {
			// Those of the whole database replace the built-in ones, which give
			// PUBLIC a right on routines and types.
			last = role + kind
			out = append(out, head+" REVOKE ALL ON "+things+" FROM PUBLIC")
		}
		if own {
			continue
		}
		sql := head + " GRANT " + g.privilege + " ON " + things + " TO " + grantee(g.grantee)
		if g.option {
			sql += " WITH GRANT OPTION"
		}
		out = append(out, sql)
	}
	return out, rows.Err()
}
