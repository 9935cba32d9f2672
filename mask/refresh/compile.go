package refresh

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh/verify"
	"github.com/privet-dev/privet/policy"
)

// A tableJob is one relation that rows are copied from, with everything the
// copying needs: the columns in COPY order and the rules compiled for them.
type tableJob struct {
	table    *catalog.Table // an ordinary table or a leaf partition
	into     *catalog.Table // what the rows are loaded into: table, or a root whose key is masked
	decision *policy.TableDecision
	columns  []*policy.ColumnDecision // in COPY order
	fields   []*maskedColumn          // the masked ones, ascending
	subject  int                      // index of the subject in columns, or -1
	via      string                   // SQL expression of a subject that is not among columns, or ""
	from     string                   // the join that via needs, or ""
	tenant   int                      // index of the tenant in columns, or -1
	keys     []int                    // kept primary key columns, for errors
	bytes    int64                    // of COPY text, counted by the one worker that copies the table
}

// A maskedColumn is a column with its rule.
type maskedColumn struct {
	index    int
	decision *policy.ColumnDecision
	column   mask.Column
	// rule is compiled for the table's tenant; where the tenant is a column, for a
	// stand-in, and then tells its traits and identity only.
	rule *mask.Rule
	// proofs are what the verifier is told of the column.
	proofs []verify.Column
	// What one worker counted: values that went through the rule, those that it
	// made NULL, and those that it left as they were.
	masked, nulled, unchanged int64
}

// perRow stands in for the tenant of a table whose tenant is a column, so that
// two such tables have equal rule identities.
const perRow = "\x00per row"

// compiler turns decisions into jobs and collects what is wrong with them.
type compiler struct {
	ctx      context.Context
	keys     mask.Keys
	cat      *catalog.Catalog
	res      *policy.Resolution
	problems []Problem
	notes    []string
}

func (c *compiler) problem(where string, err error) {
	c.problems = append(c.problems, Problem{Where: where, Kind: fault.KindOf(err), Message: err.Error(), Hint: fault.HintOf(err), err: err})
}

func (c *compiler) fail(where string, format string, args ...any) *fault.Error {
	err := fault.New(fault.Policy, format, args...)
	c.problems = append(c.problems, Problem{Where: where, Kind: err.Kind, Message: err.Msg, err: err})
	return err
}

// jobs compiles every table that has rows to copy. The columns of a partition
// follow its root's decisions, but their order is the partition's own.
func (c *compiler) jobs() []*tableJob {
	var out []*tableJob
	for _, d := range c.res.Tables {
		if d.Table.Kind != catalog.Ordinary || !d.Rows {
			continue
		}
		if j := c.job(d); j != nil {
			out = append(out, j)
		}
	}
	return out
}

func (c *compiler) job(d *policy.TableDecision) *tableJob {
	t := d.Table
	before := len(c.problems)
	j := &tableJob{table: t, decision: d, subject: -1, tenant: -1}
	for _, cd := range d.Columns {
		switch cd.Action {
		case policy.Generated, policy.Undecided:
			continue
		case policy.Empty:
			if cd.Column.NotNull {
				c.fail(t.String()+"."+cd.Column.Name, "%s.%s is undecided and NOT NULL, so that it cannot arrive empty", t, cd.Column.Name).
					Hint = "decide the column, or say rows: none for the table"
			}
		}
		j.columns = append(j.columns, cd)
	}
	j.into = c.into(j)
	c.bindTenant(j)
	c.bindRules(j)
	c.bindSubject(j)
	for i, cd := range j.columns {
		if cd.Action == policy.Keep && slices.Contains(t.PrimaryKey, cd.Column.Name) {
			j.keys = append(j.keys, i)
		}
	}
	if len(c.problems) > before {
		return nil
	}
	c.checkCompound(j)
	return j
}

// into finds what rows of a leaf must be loaded into: the topmost ancestor whose
// partition key is changed by masking, because a masked row may belong to
// another partition.
func (c *compiler) into(j *tableJob) *catalog.Table {
	into := j.table
	for p := j.table; p.IsPartition && p.Parent != nil; p = p.Parent {
		parent := p.Parent
		for _, cd := range j.columns {
			if cd.Action != policy.Keep && (parent.PartitionExpression || slices.Contains(parent.PartitionKey, cd.Column.Name)) {
				into = parent
			}
		}
	}
	return into
}

func (c *compiler) bindTenant(j *tableJob) {
	name := j.decision.Tenant.Column
	if name == "" {
		return
	}
	j.tenant = j.index(name)
	if j.tenant < 0 || j.columns[j.tenant].Action == policy.Empty {
		c.fail(j.table.String(), "%s: the tenant column %q is not copied, so that nobody's keys can be chosen", j.table, name).
			Hint = "decide the column, or name the table's tenant"
	}
}

// index returns the position of a column in COPY order, or -1.
func (j *tableJob) index(name string) int {
	return slices.IndexFunc(j.columns, func(cd *policy.ColumnDecision) bool { return cd.Column.Name == name })
}

func (c *compiler) bindRules(j *tableJob) {
	for i, cd := range j.columns {
		if cd.Action != policy.Mask || undecidedPaths(cd) {
			continue
		}
		where := j.table.String() + "." + cd.Column.Name
		if !cd.Stored.IsZero() && cd.Rule.Name() != "null" {
			c.fail(where, "%s is stored protected (%s), which a refresh cannot open", where, cd.Stored).
				Hint = "mask the column by null, or say rows: none for the table"
			continue
		}
		m := &maskedColumn{index: i, decision: cd, column: maskColumn(j.table, cd)}
		env := mask.Env{Keys: c.keys, Tenant: j.decision.Tenant.Name}
		if j.decision.Tenant.Column != "" {
			env.Tenant = perRow
		}
		rule, err := compileRule(c.ctx, m, env)
		if err != nil {
			c.problem(where, err)
			continue
		}
		m.rule, m.proofs = rule, verifyFields(c.ctx, &maskedColumn{decision: cd, column: m.column, rule: rule}, env)
		j.fields = append(j.fields, m)
	}
}

// maskColumn describes a column to the rules. It counts as unique where it is a
// unique index's only column, expressions such as lower(email) included.
func maskColumn(t *catalog.Table, cd *policy.ColumnDecision) mask.Column {
	col := cd.Column
	m := mask.Column{Table: t.String(), Name: col.Name, SQLType: col.BaseType, Array: col.Array,
		MaxLen: col.MaxLen, NotNull: col.NotNull, Enum: col.Enum, Type: cd.Type}
	if col.TypeKind == 'e' {
		m.SQLType = "enum"
	}
	for _, u := range t.Uniques {
		m.Unique = m.Unique || len(u.Columns) == 1 && u.Columns[0] == col.Name
	}
	return m
}

// checkCompound notes compound keys in which a rule may merge values: whether
// the other columns keep the rows apart shows when the index is built.
func (c *compiler) checkCompound(j *tableJob) {
	for _, u := range j.table.Uniques {
		for _, m := range j.fields {
			if len(u.Columns) > 1 && slices.Contains(u.Columns, m.column.Name) && !m.rule.Traits().Injective {
				c.notes = append(c.notes, fmt.Sprintf("unique index %s of %s holds %s, which %s may give equal values: whether its other columns keep rows apart shows when the index is built",
					u.Name, j.table, m.column.Name, m.rule))
			}
		}
	}
}

// bindSubject finds the subject where a rule needs it.
func (c *compiler) bindSubject(j *tableJob) {
	needs := slices.IndexFunc(j.fields, func(m *maskedColumn) bool { return m.rule.Traits().NeedsSubject })
	if needs < 0 {
		return
	}
	where := j.table.String() + "." + j.fields[needs].column.Name
	switch d := j.decision; {
	case d.Subject != "":
		j.subject = j.index(d.Subject)
		if j.subject < 0 || j.columns[j.subject].Action == policy.Empty {
			j.subject, j.via = -1, "t."+quote(d.Subject)
		}
	case d.SubjectVia != nil:
		v := d.SubjectVia
		j.via = "s." + quote(v.Subject)
		j.from = " LEFT JOIN " + v.Table.SQL() + " s ON s." + quote(v.Key) + " = t." + quote(v.Column)
	default:
		c.fail(where, "%s: rule %s needs the row's subject, and the table names none", where, j.fields[needs].rule).
			Hint = "add `subject: COLUMN` or `subject: {via: column -> schema.table.column}` to the table's entry"
	}
}

// throwaway are keys for a plan that is made without any: rules compile as they
// would, and nothing they produce is used.
type throwaway struct{ secret [32]byte }

func newThrowaway() *throwaway {
	k := &throwaway{}
	rand.Read(k.secret[:])
	return k
}

// Subkey derives n bytes from the throwaway secret.
func (k *throwaway) Subkey(_ context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.secret[:], nil, tenant+"\x00"+domain+"\x00"+purpose, n)
}
