package walk

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// A Key is the primary key of a table, by which its rows are ordered and found. It is
// immutable and safe for concurrent use.
type Key struct {
	table   *catalog.Table
	columns []keyColumn
}

type keyColumn struct {
	name, sqlType string
	// schema is where the type's comparison operators are. With an empty search_path,
	// citext would be compared as text otherwise, in an order that its index has not.
	schema string
}

// KeyOf reads how the primary key of t is compared. A table without one, a view and a
// foreign table are refused with a [fault.Error] of kind Policy.
func KeyOf(ctx context.Context, conn *pgx.Conn, t *catalog.Table) (*Key, error) {
	switch {
	case t.Kind != catalog.Ordinary && t.Kind != catalog.Partitioned:
		return nil, fault.New(fault.Policy, "%s is a %s: only tables are walked", t, t.Kind)
	case len(t.PrimaryKey) == 0:
		return nil, fault.New(fault.Policy, "%s has no primary key, by which its rows could be walked and found again", t).
			WithHint("add one: ALTER TABLE %s ADD PRIMARY KEY (…)", t.SQL())
	}
	k := &Key{table: t}
	rows, err := conn.Query(ctx, `
		SELECT a.attname, n.nspname
		FROM pg_catalog.pg_index i
		CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::int2[]), pg_catalog.unnest(i.indclass::oid[]))
			WITH ORDINALITY AS c(num, class, position)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = c.num
		JOIN pg_catalog.pg_opclass o ON o.oid = c.class
		JOIN pg_catalog.pg_amop m ON m.amopfamily = o.opcfamily AND m.amopstrategy = 5
			AND m.amoplefttype = o.opcintype AND m.amoprighttype = o.opcintype
		JOIN pg_catalog.pg_operator p ON p.oid = m.amopopr
		JOIN pg_catalog.pg_namespace n ON n.oid = p.oprnamespace
		WHERE i.indrelid = $1 AND i.indisprimary
		ORDER BY c.position`, t.OID)
	if err == nil {
		var c keyColumn
		_, err = pgx.ForEachRow(rows, []any{&c.name, &c.schema}, func() error {
			k.columns = append(k.columns, c)
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read the primary key: %w", t, pgconnect.Redacted(err))
	}
	if len(k.columns) != len(t.PrimaryKey) {
		return nil, fault.New(fault.Policy, "%s: the primary key changed while it was read", t).WithHint("run it again")
	}
	for i := range k.columns {
		col := t.Column(k.columns[i].name)
		if col == nil {
			return nil, fault.New(fault.Policy, "%s: the primary key changed while it was read", t).WithHint("run it again")
		}
		k.columns[i].sqlType = col.Type
	}
	return k, nil
}

// Table returns the table.
func (k *Key) Table() *catalog.Table { return k.table }

// Len returns the number of columns.
func (k *Key) Len() int { return len(k.columns) }

// From returns the table for a FROM clause or an UPDATE, under the alias t. Tables
// that inherit from it are left out: the primary key does not reach them.
func (k *Key) From() string {
	if k.table.Kind == catalog.Ordinary {
		return "ONLY " + k.table.SQL() + " AS t"
	}
	return k.table.SQL() + " AS t"
}

// Equal returns the condition that the row t has the key whose i-th column value(i)
// gives, an SQL expression of type text.
func (k *Key) Equal(value func(i int) string) string {
	var terms []string
	for i := range k.columns {
		terms = append(terms, k.compare(i, "=", value(i)))
	}
	return strings.Join(terms, " AND ")
}

// after returns the condition that the row t comes after the key in $1, $2, ….
func (k *Key) after() string {
	param := func(i int) string { return fmt.Sprintf("$%d::text", i+1) }
	same := true
	for _, c := range k.columns {
		same = same && c.schema == k.columns[0].schema
	}
	if same {
		// One row comparison is one range of the index.
		left, right := make([]string, k.Len()), make([]string, k.Len())
		for i := range k.columns {
			left[i], right[i] = k.column(i), k.cast(i, param(i))
		}
		return fmt.Sprintf("ROW(%s) OPERATOR(%s.>) ROW(%s)", strings.Join(left, ", "), quote(k.columns[0].schema), strings.Join(right, ", "))
	}
	var ways []string
	for i := range k.columns {
		var terms []string
		for j := range i {
			terms = append(terms, k.compare(j, "=", param(j)))
		}
		ways = append(ways, "("+strings.Join(append(terms, k.compare(i, ">", param(i))), " AND ")+")")
	}
	// The first term is implied by the others, and a range of the index.
	return k.compare(0, ">=", param(0)) + " AND (" + strings.Join(ways, " OR ") + ")"
}

func (k *Key) compare(i int, operator, value string) string {
	return fmt.Sprintf("%s OPERATOR(%s.%s) %s", k.column(i), quote(k.columns[i].schema), operator, k.cast(i, value))
}

func (k *Key) column(i int) string { return "t." + quote(k.columns[i].name) }

func (k *Key) cast(i int, value string) string {
	return fmt.Sprintf("CAST(%s AS %s)", value, k.columns[i].sqlType)
}

// list returns an SQL expression for each column, separated by commas.
func (k *Key) list(each func(column string) string) string {
	out := make([]string, k.Len())
	for i := range out {
		out[i] = each(k.column(i))
	}
	return strings.Join(out, ", ")
}

// identity tells whether a cursor belongs to this key.
func (k *Key) identity() string {
	return k.table.SQL() + " " + k.list(func(c string) string { return c }) + " " + fmt.Sprint(k.columns)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
