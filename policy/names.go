package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/privet-dev/privet/internal/suggest"
)

// A TableName matches tables by schema and name.
type TableName struct {
	text          string
	schema, table glob
}

// String returns the name as the file has it.
func (n TableName) String() string { return n.text }

// Wild reports whether the name has wildcards.
func (n TableName) Wild() bool { return n.schema.wild() || n.table.wild() }

// Match reports whether the name matches the table.
func (n TableName) Match(schema, table string) bool {
	return n.schema.match(schema) && n.table.match(table)
}

// errTableName has its own words for each way in which a name can be wrong.
var errTableName = errors.New("a table is written schema.table, as in public.customer")

func (n *TableName) decodeText(s string) error {
	schema, rest, err := namePart(s)
	if err != nil {
		return err
	}
	if rest == "" || rest[0] != '.' {
		return fmt.Errorf("%q names no schema: %w", s, errTableName)
	}
	table, rest, err := namePart(rest[1:])
	if err != nil {
		return err
	}
	if rest != "" {
		return fmt.Errorf(`%q has too many parts: %w; a part that holds a dot goes in double quotes`, s, errTableName)
	}
	*n = TableName{text: s, schema: schema, table: table}
	return nil
}

func (n *TableName) textSchema() schema {
	const part = `("([^"]|"")+"|[^".]+)`
	return schema{"type": "string", "pattern": "^" + part + `\.` + part + "$"}
}

// namePart takes one part of a dotted name: bare, or in double quotes.
func namePart(s string) (g glob, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `."`)
		if end < 0 {
			end = len(s)
		}
		if end == 0 {
			return glob{}, "", fmt.Errorf("a part of the name is empty: %w", errTableName)
		}
		return glob{text: s[:end]}, s[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
		} else if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
		} else if b.Len() == 0 {
			return glob{}, "", fmt.Errorf("a part of the name is empty: %w", errTableName)
		} else {
			return glob{text: b.String(), literal: true}, s[i+1:], nil
		}
	}
	return glob{}, "", errors.New("the closing double quote of a name is missing")
}

// A Via is the way from a row to its subject through the row it refers to.
type Via struct {
	// Column refers to a row of Schema.Table.
	Column        string
	Schema, Table string
	// Subject is the column of that table that names the subject.
	Subject string
}

// String returns column -> schema.table.column.
func (v Via) String() string {
	return fmt.Sprintf("%s -> %s.%s.%s", v.Column, v.Schema, v.Table, v.Subject)
}

func (v *Via) decodeText(s string) error {
	wrong := fmt.Errorf("%q is not written column -> schema.table.column", s)
	column, target, ok := strings.Cut(s, "->")
	if !ok {
		return wrong
	}
	target = strings.TrimSpace(target)
	var parts [4]string
	var err error
	rest := "." + strings.TrimSpace(column)
	for i := range parts {
		if i == 1 {
			if rest != "" {
				return wrong
			}
			rest = "." + target
		}
		if rest == "" || rest[0] != '.' {
			return wrong
		}
		var g glob
		if g, rest, err = namePart(rest[1:]); err != nil {
			return wrong
		}
		if g.wild() {
			return fmt.Errorf("%q has a wildcard; the way to a subject names its columns", s)
		}
		parts[i] = g.text
	}
	if rest != "" {
		return wrong
	}
	*v = Via{parts[0], parts[1], parts[2], parts[3]}
	return nil
}

func (v *Via) textSchema() schema {
	return schema{"type": "string", "pattern": `^.+->.+\..+\..+$`}
}

// A NamePattern matches the names of columns.
type NamePattern struct{ glob }

// String returns the pattern as the file has it.
func (p NamePattern) String() string { return p.text }

// Match reports whether the pattern matches a name.
func (p NamePattern) Match(name string) bool { return p.match(name) }

// named reports whether the pattern holds anything but wildcards.
func (p NamePattern) named() bool { return strings.Trim(p.text, "*?") != "" }

func (p *NamePattern) decodeText(s string) error {
	p.text = s
	return nil
}

func (p *NamePattern) textSchema() schema { return schema{"type": "string", "minLength": 1} }

// A SchemaPattern matches the names of schemas and takes the tenant from them.
type SchemaPattern string

// Tenant returns what the * stands for in the name of a schema, and whether
// the pattern matches.
func (p SchemaPattern) Tenant(schema string) (string, bool) {
	before, after, _ := strings.Cut(string(p), "*")
	if len(schema) <= len(before)+len(after) || !strings.HasPrefix(schema, before) || !strings.HasSuffix(schema, after) {
		return "", false
	}
	return schema[len(before) : len(schema)-len(after)], true
}

func (p *SchemaPattern) decodeText(s string) error {
	if strings.Count(s, "*") != 1 || strings.Contains(s, "?") {
		return fmt.Errorf("pattern %q needs exactly one *, which stands for the tenant", s)
	}
	*p = SchemaPattern(s)
	return nil
}

func (p *SchemaPattern) textSchema() schema {
	return schema{"type": "string", "pattern": `^[^*?]*\*[^*?]*$`}
}

// A glob is a text in which * stands for any characters and ? for one.
type glob struct {
	text    string
	literal bool
}

func (g glob) wild() bool { return !g.literal && strings.ContainsAny(g.text, "*?") }

// match goes through both texts once and back to the last * where it must:
// never more than the product of their lengths.
func (g glob) match(s string) bool {
	if !g.wild() {
		return g.text == s
	}
	pattern, name := []rune(g.text), []rune(s)
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// A SQLType is the name of a PostgreSQL type as pg_type has it, domains
// resolved: int8, timestamptz; int8[] for its arrays; enum for every enumeration.
type SQLType string

// sqlTypes are the types that a pattern may name, and whether a pattern may
// keep them: never what may hold text, for text is where people write things.
var sqlTypes = []struct {
	name string
	keep bool
}{
	{"bool", true}, {"int2", true}, {"int4", true}, {"int8", true}, {"numeric", true},
	{"float4", true}, {"float8", true}, {"money", true}, {"oid", true}, {"uuid", true},
	{"date", true}, {"time", true}, {"timetz", true}, {"timestamp", true}, {"timestamptz", true},
	{"interval", true}, {"enum", true}, {"bit", true}, {"varbit", true},
	{"inet", true}, {"cidr", true}, {"macaddr", true}, {"macaddr8", true}, {"pg_lsn", true},
	{"point", true}, {"line", true}, {"lseg", true}, {"box", true}, {"path", true}, {"polygon", true}, {"circle", true},
	{"int4range", true}, {"int8range", true}, {"numrange", true}, {"daterange", true}, {"tsrange", true}, {"tstzrange", true},
	{"int4multirange", true}, {"int8multirange", true}, {"nummultirange", true},
	{"datemultirange", true}, {"tsmultirange", true}, {"tstzmultirange", true},
	{"text", false}, {"varchar", false}, {"bpchar", false}, {"citext", false}, {"name", false}, {"char", false},
	{"json", false}, {"jsonb", false}, {"jsonpath", false}, {"xml", false}, {"hstore", false}, {"bytea", false},
	{"tsvector", false}, {"tsquery", false}, {"ltree", false},
}

// sqlAliases are SQL's own names of types that pg_type calls otherwise.
var sqlAliases = map[string]string{
	"bigint": "int8", "integer": "int4", "int": "int4", "smallint": "int2", "boolean": "bool",
	"real": "float4", "double precision": "float8", "decimal": "numeric",
	"character varying": "varchar", "character": "bpchar",
	"timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
	"time with time zone": "timetz", "time without time zone": "time",
	"serial": "int4", "bigserial": "int8", "bit varying": "varbit",
}

// element returns the name without [], and whether it had them.
func (t SQLType) element() (string, bool) { return strings.CutSuffix(string(t), "[]") }

func (t SQLType) keepable() bool {
	name, _ := t.element()
	i := slices.IndexFunc(sqlTypes, func(s struct {
		name string
		keep bool
	}) bool {
		return s.name == name
	})
	return i >= 0 && sqlTypes[i].keep
}

func (t *SQLType) decodeText(s string) error {
	name, _ := SQLType(s).element()
	names := make([]string, len(sqlTypes))
	for i := range sqlTypes {
		names[i] = sqlTypes[i].name
	}
	if alias, ok := sqlAliases[strings.ToLower(name)]; ok {
		return fmt.Errorf("SQL type %q is written %q here, as in pg_type", name, alias)
	}
	if !slices.Contains(names, name) {
		hint := suggest.DidYouMean(name, names)
		if hint == "" {
			hint = ": patterns name PostgreSQL's own types, such as int8 or timestamptz, and enum; without sql a pattern matches any type"
		}
		return fmt.Errorf("unknown SQL type %q%s", name, hint)
	}
	*t = SQLType(s)
	return nil
}

func (t *SQLType) textSchema() schema {
	var names []string
	for _, t := range sqlTypes {
		names = append(names, t.name, t.name+"[]")
	}
	return enumSchema(names)
}
