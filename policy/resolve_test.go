package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
)

// column makes a column from "name type", "name type!" for NOT NULL,
// "name type[]" for an array, "name =type" for a generated one, "name enum".
func column(s string) *catalog.Column {
	name, typ, _ := strings.Cut(s, " ")
	c := &catalog.Column{Name: name, TypeKind: 'b'}
	typ, c.NotNull = strings.CutSuffix(typ, "!")
	typ, c.Array = strings.CutSuffix(typ, "[]")
	typ, c.Generated = strings.CutPrefix(typ, "=")
	if typ == "enum" {
		typ, c.TypeKind = "mood", 'e'
	}
	c.BaseType, c.Type = typ, typ
	return c
}

func table(name string, columns ...string) *catalog.Table {
	t := &catalog.Table{}
	t.Schema, t.Name, _ = strings.Cut(name, ".")
	for _, c := range columns {
		t.Columns = append(t.Columns, column(c))
	}
	return t
}

func partition(parent *catalog.Table, name string) *catalog.Table {
	t := &catalog.Table{Parent: parent, IsPartition: true, Columns: parent.Columns}
	t.Schema, t.Name, _ = strings.Cut(name, ".")
	parent.Kind = catalog.Partitioned
	return t
}

func parse(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse("privet.yaml", []byte(text))
	require.NoError(t, err)
	return p
}

func resolve(t *testing.T, text string, tables ...*catalog.Table) *Resolution {
	t.Helper()
	r, err := parse(t, text).Resolve(&catalog.Catalog{Tables: tables})
	require.NoError(t, err)
	return r
}

// said returns the decisions on a table, one line for each column.
func decisions(r *Resolution, name string) []string {
	var lines []string
	for _, d := range r.Tables {
		if d.Table.String() != name {
			continue
		}
		for _, c := range d.Columns {
			line := c.Column.Name + ": " + c.Action.String()
			if !c.Rule.IsZero() {
				line += " " + c.Rule.String()
			}
			if c.Why != "" {
				line += " (" + c.Why + ")"
			}
			if c.ByPattern {
				line += " by pattern"
			}
			lines = append(lines, line)
		}
	}
	return lines
}

const head = "version: 1\ntenant: acme\n"

func TestResolveWhoDecides(t *testing.T) {
	r := resolve(t, head+`
defaults: {email: email}
columns:
  - {name: "*_id", sql: [int8, uuid], keep: surrogate key}
  - {name: "*_ids", sql: ["int8[]"], keep: surrogate keys}
  - {name: "mood", sql: [enum], keep: a fixed list}
  - {name: "*email", class: confidential, type: email}
  - {name: "mail_id", keep: never reached, sql: [int8]}
  - {name: "*phone", type: phone}
tables:
  public.customer:
    columns:
      own_id: {class: restricted, type: national_id, mask: hash}
      first_name: {class: confidential, type: first_name, mask: first_name}
      second_email: {type: email}
      third_email: {class: internal}
      lang: {keep: two letters}
      notes: undecided
      about: {type: free_text, undecided: waiting for legal}
`, table("public.customer", "customer_id int8!", "own_id int8!", "first_name text", "email text", "second_email citext",
		"third_email text", "lang text", "notes text", "about text", "phone text", "mail_id text", "order_ids int8[]", "other_id int8[]",
		"mood enum", "mystery text", "initials =text"))
	require.Equal(t, []string{
		"customer_id: keep (surrogate key) by pattern",
		"own_id: mask hash",
		"first_name: mask first_name",
		"email: mask email by pattern",
		"second_email: mask email",
		"third_email: undecided (its entry has neither mask nor keep nor a type)",
		"lang: keep (two letters)",
		"notes: undecided (marked undecided)",
		"about: undecided (marked undecided: waiting for legal)",
		"phone: undecided (its entry has neither mask nor keep, and there is no default for type phone)",
		"mail_id: undecided (nobody decided)",
		"order_ids: keep (surrogate keys) by pattern",
		"other_id: undecided (nobody decided)",
		"mood: keep (a fixed list) by pattern",
		"mystery: undecided (nobody decided)",
		"initials: generated (computed by the database)",
	}, decisions(r, "public.customer"))

	d := r.Tables[0]
	require.True(t, d.Rows)
	require.Equal(t, "acme", d.Tenant.Name)
	require.Equal(t, classify.Restricted, d.Column("own_id").Level)
	require.Equal(t, classify.NationalID, d.Column("own_id").Type)
	require.Equal(t, classify.Confidential, d.Column("second_email").Level, "the type's level where the entry has none")
	require.Equal(t, "privet.yaml:15:7: column own_id", d.Column("own_id").From)
	require.Equal(t, "privet.yaml:9:5: pattern *email, default of email", d.Column("email").From)
	require.Nil(t, d.Column("nothing"))
	require.Same(t, d, r.Table(d.Table))

	require.Equal(t, []string{
		"public.customer.third_email", "public.customer.notes", "public.customer.about", "public.customer.phone",
		"public.customer.mail_id", "public.customer.other_id", "public.customer.mystery",
	}, r.Undecided())
	require.Equal(t, []string{
		"public.customer.customer_id", "public.customer.email", "public.customer.order_ids", "public.customer.mood",
	}, r.ByPattern())
	require.Equal(t, []string{"privet.yaml:10:5: pattern mail_id"}, r.Unused)
	require.Empty(t, r.Emptied())

	err := r.Check()
	require.ErrorIs(t, err, ErrUndecided)
	require.Equal(t, fault.Policy, fault.KindOf(err))
	require.ErrorContains(t, err, "7 columns are undecided:\n  public.customer.third_email (text): its entry has neither mask nor keep nor a type (privet.yaml:18:7: column third_email)\n")
	require.ErrorContains(t, err, "public.customer.mystery (text): nobody decided")
	require.Contains(t, fault.HintOf(err), "privet.yaml")
}

func TestResolveWhichEntry(t *testing.T) {
	r := resolve(t, head+`
tables:
  "tenant_*.orders": {columns: {note: {keep: first}}}
  "tenant_?.*": {columns: {note: {keep: second}}}
  tenant_b.orders: {columns: {note: {keep: by name}}}
  "*.nothing": {columns: {note: {keep: waits}}}
`, table("tenant_a.orders", "note text"), table("tenant_b.orders", "note text"), table("tenant_a.items", "note text"), table("tenant_cc.items", "note text"))
	require.Equal(t, []string{"note: keep (first)"}, decisions(r, "tenant_a.orders"))
	require.Equal(t, []string{"note: keep (by name)"}, decisions(r, "tenant_b.orders"))
	require.Equal(t, []string{"note: keep (second)"}, decisions(r, "tenant_a.items"))
	require.Equal(t, []string{"note: undecided (nobody decided)"}, decisions(r, "tenant_cc.items"), "wildcards have the same coverage duty")
	require.Equal(t, []string{`privet.yaml:8:3: table *.nothing`}, r.Unused)
}

func TestResolveUndecidedEmpty(t *testing.T) {
	r := resolve(t, head+`
undecided: empty
columns: [{name: "*_id", sql: [int8], keep: surrogate key}]
tables:
  public.customer:
    columns:
      profile: {json: {/a: {keep: why}, /b: undecided}}
`, table("public.customer", "id int8!", "c_id int8!", "name text", "profile jsonb"),
		table("public.new_and_covered", "a_id int8!"),
		table("public.new", "a_id int8!", "name text"))
	require.Equal(t, []string{
		"id: undecided (nobody decided, and the column is NOT NULL, so it cannot arrive empty)",
		"c_id: keep (surrogate key) by pattern",
		"name: empty (nobody decided)",
		"profile: mask",
	}, decisions(r, "public.customer"))
	profile := r.Tables[0].Column("profile")
	require.Equal(t, []Action{Keep, Empty}, []Action{profile.JSON[0].Action, profile.JSON[1].Action})
	require.True(t, r.Tables[1].Rows)
	require.False(t, r.Tables[2].Rows)
	require.True(t, r.Tables[2].NewTable)
	require.Nil(t, r.Tables[2].Columns)
	require.Equal(t, []string{"public.customer.id"}, r.Undecided())
	require.Equal(t, []string{"public.customer.name", "public.customer.profile/b", "public.new"}, r.Emptied())
	require.ErrorContains(t, r.Check(), "1 column is undecided:")
}

func TestResolveJSON(t *testing.T) {
	r := resolve(t, head+`
defaults: {email: email}
tables:
  public.a:
    columns:
      x: {json: {/email: {type: email}, /card: {type: card_number, mask: "fpe(keep_last=4)"}, /langs/*: {keep: codes}}}
      y: {class: internal, json: {/email: {type: email}, /note: {type: free_text}, /open: undecided}}
`, table("public.a", "x jsonb", "y json"))
	require.Equal(t, []string{"x: mask", "y: undecided (nobody decided /note, /open)"}, decisions(r, "public.a"))
	x := r.Tables[0].Columns[0]
	require.Equal(t, classify.Restricted, x.Level, "the worst of the paths")
	require.Equal(t, "email", x.JSON[0].Rule.String())
	require.Equal(t, "fpe(keep_last=4)", x.JSON[1].Rule.String())
	require.Equal(t, "codes", x.JSON[2].Why)
	require.Equal(t, classify.Internal, r.Tables[0].Columns[1].Level)
}

func TestPrivetsOwnStateArrivesWithoutRows(t *testing.T) {
	own, orders := table("privet.keyring", "wrapped bytea!"), table("public.orders", "id int8")
	r := resolve(t, head+"tables: {public.orders: {columns: {id: {keep: key}}}}\n", own, orders)
	require.False(t, r.Table(own).Rows)
	require.Equal(t, "privet's own state stays where it is", r.Table(own).Why)
	require.NoError(t, r.Check())

	r = resolve(t, head+"tables: {privet.keyring: {columns: {}}, public.orders: {rows: none}}\n", own, orders)
	require.Equal(t, []string{"privet.keyring.wrapped"}, r.Undecided(), "an entry decides, as for every table")
}

func TestResolveTableKinds(t *testing.T) {
	root := table("public.orders", "id int8", "note text")
	mid := partition(root, "public.orders_2025")
	leaf := partition(mid, "public.orders_2025_01")
	other := partition(root, "public.orders_2026")
	strict := partition(root, "public.orders_2027")
	strict.Columns = []*catalog.Column{column("id int8!"), column("note text!")}
	child := table("public.child", "id int8")
	child.Parent = root
	view := table("public.totals", "sum int8")
	view.Kind = catalog.MatView
	foreign := table("public.remote", "x text")
	foreign.Kind = catalog.Foreign
	none := table("public.log", "x text")

	r := resolve(t, head+`
undecided: empty
tables:
  "public.*": {columns: {id: {keep: key}, x: {keep: why}}}
  public.orders: {subject: id, columns: {id: {keep: key}}}
  public.orders_2025: {rows: none}
  public.log: {rows: none, columns: {x: {class: internal}}}
`, root, mid, leaf, other, strict, child, view, foreign, none)
	require.Equal(t, []string{"id: keep (key)", "note: empty (nobody decided)"}, decisions(r, "public.orders"))
	require.Equal(t, decisions(r, "public.orders"), decisions(r, "public.orders_2026"))
	require.Equal(t, "id", r.Table(other).Subject)
	require.False(t, r.Table(mid).Rows)
	require.False(t, r.Table(leaf).Rows, "what is under a partition without rows has none")
	require.Equal(t, []string{"id: keep (key)"}, decisions(r, "public.child"), "inheritance is no partitioning")
	require.False(t, r.Table(view).Rows)
	require.Equal(t, "rebuilt from the masked tables", r.Table(view).Why)
	require.Nil(t, r.Table(view).Columns)
	require.False(t, r.Table(none).Rows)
	require.Nil(t, r.Table(none).Columns)
	require.Equal(t, "rows: none", r.Table(none).Why)
	require.Equal(t, []string{"public.orders_2027.note", "public.remote.x"}, r.Undecided(),
		"a partition that cannot be empty speaks for itself; a foreign table needs rows: none")
	require.Equal(t, []string{"public.orders.note"}, r.Emptied())

	r = resolve(t, head+"tables: {public.remote: {rows: none}}\n", foreign)
	require.False(t, r.Tables[0].Rows)
	require.NoError(t, r.Check())
}

func TestResolveTenantAndSubject(t *testing.T) {
	orders := table("public.orders", "order_id int8!", "customer_id int8")
	orders.PrimaryKey = []string{"order_id"}
	items := table("public.items", "id int8", "order_no int8", "buyer int8")
	customers := table("public.customers", "id int8", "code text")
	customers.PrimaryKey = []string{"id", "code"}
	tenant := table("t_acme.orders", "org_id text")
	cat := &catalog.Catalog{Tables: []*catalog.Table{orders, items, customers, tenant}, ForeignKeys: []*catalog.ForeignKey{
		{Table: items, Columns: []string{"buyer"}, RefTable: customers, RefColumns: []string{"code"}},
	}}
	r, err := parse(t, `
version: 1
tenant: {schema: "t_*"}
tables:
  public.orders: {tenant: main, subject: customer_id}
  public.items: {tenant: {column: buyer}, subject: {via: order_no -> public.orders.customer_id}}
`).Resolve(cat)
	require.NoError(t, err)
	require.Equal(t, "main", r.Tables[0].Tenant.Name)
	require.Equal(t, "customer_id", r.Tables[0].Subject)
	require.Equal(t, "buyer", r.Tables[1].Tenant.Column)
	require.Equal(t, &SubjectVia{"order_no", orders, "order_id", "customer_id"}, r.Tables[1].SubjectVia, "by the primary key")
	require.True(t, r.Tables[2].Tenant.IsZero())
	require.Equal(t, "acme", r.Tables[3].Tenant.Name)

	r, err = parse(t, "version: 1\ntables: {public.items: {subject: {via: buyer -> public.customers.id}}}\n").Resolve(cat)
	require.NoError(t, err)
	require.Equal(t, "code", r.Tables[1].SubjectVia.Key, "by the foreign key")

	for _, tt := range []struct{ entry, want string }{
		{"public.items: {subject: {via: buyr -> public.customers.id}}", `public.items has no column buyr, did you mean "buyer"?`},
		{"public.items: {subject: {via: buyer -> public.customer.id}}", `there is no table public.customer, did you mean "public.customers"?`},
		{"public.items: {subject: {via: buyer -> public.customers.cod}}", `public.customers has no column cod, did you mean "code"?`},
		{"public.items: {subject: {via: id -> public.customers.code}}", "public.items.id does not refer to one row of public.customers"},
		{"public.items: {subject: cust}", "public.items has no column cust"},
		{"public.items: {tenant: {column: org}}", "public.items has no column org"},
		{`public.items: {tenant: {schema: "t_*"}}`, `schema "public" of public.items does not match "t_*"`},
		{"public.items: {retain: {for: 1y, since: closed_at, then: delete}}", "public.items has no column closed_at"},
	} {
		_, err := parse(t, "version: 1\ntables:\n  "+tt.entry+"\n").Resolve(cat)
		require.ErrorIs(t, err, ErrDrift, tt.entry)
		require.ErrorContains(t, err, tt.want)
		require.True(t, strings.HasPrefix(err.Error(), "privet.yaml:3:"), "%v", err)
	}
}

func TestResolveDrift(t *testing.T) {
	orders := table("public.orders", "id int8", "total =numeric", "profile text")
	part := partition(orders, "public.orders_2026")
	view := table("public.totals", "sum int8")
	view.Kind = catalog.MatView
	foreign := table("public.remote", "x text")
	foreign.Kind = catalog.Foreign
	cat := &catalog.Catalog{
		Tables: []*catalog.Table{table("t_a.x", "name text"), table("t_b.x", "name text"), orders, part, view, foreign},
		Views:  []catalog.View{{Schema: "public", Name: "report"}},
	}
	_, err := parse(t, head+`
tables:
  public.order: {columns: {id: {keep: key}}}
  public.orders:
    columns:
      iid: {keep: key}
      total: {mask: hash}
      profile: {json: {/a: {keep: why}}}
  public.orders_2026: {columns: {id: {keep: key}}}
  public.totals: {rows: none}
  public.remote: {columns: {x: {keep: why}}}
  public.report: {rows: none}
  "t_*.x": {columns: {name: {keep: why}, nam: {keep: why}}}
`).Resolve(cat)
	require.ErrorIs(t, err, ErrDrift)
	require.Equal(t, fault.Policy, fault.KindOf(err))
	require.NotEmpty(t, fault.HintOf(err))
	var parse *ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, []string{
		`privet.yaml:5:3: there is no table public.order, did you mean "public.orders"?`,
		`privet.yaml:8:7: public.orders has no column iid, did you mean "id"?`,
		`privet.yaml:9:7: public.orders.total is a generated column: the database computes it from what its neighbours became, and a rule would not count`,
		`privet.yaml:10:7: public.orders.profile is a text: json is for columns of type json and jsonb`,
		`privet.yaml:11:3: public.orders_2026 is a partition of public.orders, whose entry decides: a partition's own may say ` + "`rows: none` and nothing else",
		`privet.yaml:12:3: public.totals is a materialized view: it is rebuilt from the masked tables and has no entry`,
		`privet.yaml:13:3: public.remote is a foreign table: its rows are on another server, which the copy would read: say ` + "`rows: none` for the table, or drop it",
		`privet.yaml:14:3: public.report is a view: it has no rows of its own and no entry`,
		`privet.yaml:15:42: none of the 2 tables that t_*.x matches has a column nam, did you mean "name"?`,
	}, strings.Split(err.Error(), "\n"))
}

func TestActionText(t *testing.T) {
	for a, want := range map[Action]string{Undecided: "undecided", Keep: "keep", Mask: "mask", Empty: "empty", Generated: "generated"} {
		text, err := a.MarshalText()
		require.NoError(t, err)
		require.Equal(t, want, string(text))
	}
	require.Equal(t, "Action(9)", Action(9).String())
	var zero ColumnDecision
	require.Equal(t, Undecided, zero.Action, "what is forgotten is undecided")
}

func ExamplePolicy_Resolve() {
	p, err := Parse("privet.yaml", []byte(`
version: 1
tenant: acme
defaults: {email: email}
columns: [{name: "*_id", sql: [int8], keep: surrogate key}]
tables:
  public.customer: {columns: {email: {type: email}}}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	cat := &catalog.Catalog{Tables: []*catalog.Table{table("public.customer", "customer_id int8!", "email text", "notes text")}}
	r, err := p.Resolve(cat)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range r.Tables[0].Columns {
		fmt.Printf("%s: %s %s%s\n", c.Column.Name, c.Action, c.Rule, c.Why)
	}
	fmt.Println(r.Check())
	// Output:
	// customer_id: keep surrogate key
	// email: mask email
	// notes: undecided nobody decided
	// 1 column is undecided:
	//   public.customer.notes (text): nobody decided
}
