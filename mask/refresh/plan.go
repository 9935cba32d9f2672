package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/policy"
)

// A PlanConfig is what [MakePlan] needs. Source and Policy are mandatory.
type PlanConfig struct {
	// Source is the connection string of the database to copy, or of one with the
	// same structure and no rows.
	Source string
	// Policy decides what happens to each column.
	Policy *policy.Policy
	// Keys are the source's keys; nil checks the rules with throwaway ones.
	Keys mask.Keys
	// Jobs is how many tables a run would copy at once; 0 means 2.
	Jobs int
}

// A Plan says what a run would do, and what stands in its way.
type Plan struct {
	Database      string `json:"database"`
	ServerVersion int    `json:"server_version"`
	Standby       bool   `json:"standby"`
	PolicyHash    string `json:"policy_hash"`
	// Tables holds every table of the source, by name.
	Tables []PlanTable `json:"tables"`
	// Undecided names every undecided column, schema.table.column.
	Undecided []string `json:"undecided"`
	// Empty names the undecided columns that arrive as NULL, and the tables that
	// arrive without rows, because the policy says `undecided: empty`.
	Empty []string `json:"empty"`
	// ByPattern names the columns that a pattern decided.
	ByPattern []string `json:"by_pattern"`
	// Unused names entries of the policy that match nothing.
	Unused []string `json:"unused"`
	// Problems is what stops a run; empty for a plan that can be run.
	Problems []Problem `json:"problems"`
	// Notes is what is worth knowing.
	Notes []string `json:"notes"`
	// Rows and Bytes are the planner's estimates of what is copied; Bytes counts
	// tables with TOAST and without indexes.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Locks is how many locks a run holds on the source at once, and LocksMax how
	// many its lock table has room for.
	Locks    int `json:"locks"`
	LocksMax int `json:"locks_max"`

	jobs []*tableJob
	res  *policy.Resolution
}

// A PlanTable says what happens to one table.
type PlanTable struct {
	Table string `json:"table"`
	Kind  string `json:"kind"`
	// Rows says whether rows are copied, and Why why they are not.
	Rows bool   `json:"rows"`
	Why  string `json:"why,omitempty"`
	// EstimatedRows is -1 where the table was never analyzed.
	EstimatedRows int64 `json:"estimated_rows"`
	Bytes         int64 `json:"bytes"`
	// Tenant is whose keys mask the rows: a name, or "column NAME".
	Tenant  string `json:"tenant,omitempty"`
	Subject string `json:"subject,omitempty"`
	// PartitionOf is the root of a partition, whose decisions it follows. Rows and
	// bytes of a root are those of all its partitions.
	PartitionOf string `json:"partition_of,omitempty"`
	// Into is the partitioned table that rows are loaded through where masking
	// changes its partition key.
	Into    string       `json:"into,omitempty"`
	Columns []PlanColumn `json:"columns"`
}

// A PlanColumn says what happens to one column.
type PlanColumn struct {
	Column string         `json:"column"`
	SQL    string         `json:"sql"`
	Action string         `json:"action"`
	Rule   string         `json:"rule,omitempty"`
	Why    string         `json:"why,omitempty"`
	From   string         `json:"from,omitempty"`
	Level  classify.Level `json:"level"`
	Type   classify.Type  `json:"type,omitempty"`
	// ByPattern is true where a pattern decided.
	ByPattern bool `json:"by_pattern,omitempty"`
	// Output says what the rule's results can be, and Injective that different
	// values stay different.
	Output    string `json:"output,omitempty"`
	Injective bool   `json:"injective,omitempty"`
	JSON      []struct {
		Path   string `json:"path"`
		Action string `json:"action"`
		Rule   string `json:"rule,omitempty"`
	} `json:"json,omitempty"`
}

// A Problem is one thing that stops a run.
type Problem struct {
	// Where is schema.table, schema.table.column or "".
	Where   string     `json:"where,omitempty"`
	Kind    fault.Kind `json:"kind"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty"`

	err error
}

// MakePlan reads the source's catalog and holds the policy against it. It reads
// no row and writes nothing; it works on a migrated database without rows, so
// that a team can run it for every change. What stops a run is in
// [Plan.Problems]; an error means that no plan could be made.
func MakePlan(ctx context.Context, cfg PlanConfig) (*Plan, error) {
	if cfg.Policy == nil {
		return nil, fault.New(fault.Config, "no policy")
	}
	place, err := pgconnect.Parse("source", cfg.Source)
	if err != nil {
		return nil, err
	}
	conn, err := place.Open(ctx, pgconnect.Options{AppName: "privet mask plan", ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer pgconnect.Close(conn)
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, fmt.Errorf("source: %w", pgconnect.Redacted(err))
	}
	cat, err := readCatalog(ctx, conn)
	if err != nil {
		return nil, err
	}
	p, err := makePlan(ctx, conn, cat, cfg)
	if err != nil {
		return nil, err
	}
	return p, pgconnect.Redacted(tx.Rollback(ctx))
}

// makePlan does the work of MakePlan on an open connection.
func makePlan(ctx context.Context, conn *pgx.Conn, cat *catalog.Catalog, cfg PlanConfig) (*Plan, error) {
	res, err := cfg.Policy.Resolve(cat)
	if err != nil {
		return nil, err
	}
	if cfg.Keys == nil {
		cfg.Keys = newThrowaway()
	}
	p := &Plan{Database: cat.Database, ServerVersion: cat.ServerVersion, PolicyHash: cfg.Policy.Hash(),
		Undecided: res.Undecided(), Empty: res.Emptied(), ByPattern: res.ByPattern(), Unused: res.Unused, res: res}
	c := &compiler{ctx: ctx, keys: cfg.Keys, cat: cat, res: res}
	if err := res.Check(); err != nil {
		c.problem("", err)
	}
	facts, err := readFacts(ctx, conn)
	if err != nil {
		return nil, err
	}
	p.Standby = facts.standby
	c.checkReadable(conn.Config().User)
	c.checkShapes(facts)
	p.jobs = c.jobs()
	c.checkForeignKeys(p.jobs)
	p.Locks = locksNeeded(cat, cfg.Jobs)
	p.LocksMax = facts.locks
	if p.Locks > p.LocksMax {
		c.problem("", fault.New(fault.Config, "a run needs %d locks on the source, whose lock table has room for %d", p.Locks, p.LocksMax).
			WithHint("raise max_locks_per_transaction on the source to %d, or use fewer --jobs", facts.locksFor(p.Locks)))
	}
	p.Problems = c.problems
	p.fill(res)
	p.Notes = slices.Concat(facts.notes, c.notes)
	for i, list := range [][]string{p.Undecided, p.Empty, p.ByPattern, p.Unused, p.Notes} {
		if list == nil { // JSON readers expect lists
			*[]*[]string{&p.Undecided, &p.Empty, &p.ByPattern, &p.Unused, &p.Notes}[i] = []string{}
		}
	}
	return p, nil
}

// locksNeeded counts the relation locks of the coordinator, the readers and
// pg_dump. All but sixteen of each session stand in the shared lock table.
func locksNeeded(cat *catalog.Catalog, jobs int) int {
	sessions := jobsOf(jobs) + 2
	return (len(oids(cat))+64)*sessions + len(cat.Sequences)
}

func jobsOf(n int) int {
	if n <= 0 {
		return 2
	}
	return n
}

// fill describes the tables and adds up the estimates.
func (p *Plan) fill(res *policy.Resolution) {
	byTable := map[*catalog.Table]*tableJob{}
	rows, bytes := map[*catalog.Table]int64{}, map[*catalog.Table]int64{}
	example := map[*catalog.Table]*tableJob{} // of a root: one of its partitions, which have the same rules
	for _, j := range p.jobs {
		byTable[j.table] = j
		for t := j.table; t != nil; t = partitioned(t) {
			rows[t] += max(j.table.Rows, 0)
			bytes[t] += j.table.Bytes
			example[t] = j
		}
	}
	for _, d := range res.Tables {
		t := d.Table
		pt := PlanTable{Table: t.String(), Kind: t.Kind.String(), Rows: d.Rows, Why: d.Why, EstimatedRows: t.Rows, Bytes: t.Bytes,
			Tenant: d.Tenant.Name, Subject: d.Subject, Columns: []PlanColumn{}}
		if d.Tenant.Column != "" {
			pt.Tenant = "column " + d.Tenant.Column
		}
		if t.Kind == catalog.Partitioned {
			pt.EstimatedRows, pt.Bytes = rows[t], bytes[t]
		}
		if t.IsPartition {
			pt.PartitionOf = t.Root().String()
		}
		j := byTable[t]
		if j != nil {
			p.Rows += max(t.Rows, 0)
			p.Bytes += t.Bytes
			if j.into != t {
				pt.Into = j.into.String()
			}
		}
		for _, cd := range d.Columns {
			pt.Columns = append(pt.Columns, planColumn(cd, example[t]))
		}
		p.Tables = append(p.Tables, pt)
	}
}

// partitioned returns the table that t is a partition of, or nil.
func partitioned(t *catalog.Table) *catalog.Table {
	if !t.IsPartition {
		return nil
	}
	return t.Parent
}

func planColumn(cd *policy.ColumnDecision, j *tableJob) PlanColumn {
	pc := PlanColumn{Column: cd.Column.Name, SQL: cd.Column.Type, Action: cd.Action.String(), Rule: cd.Rule.String(), Why: cd.Why,
		From: cd.From, Level: cd.Level, Type: cd.Type, ByPattern: cd.ByPattern}
	if cd.Action == policy.Mask && len(cd.JSON) > 0 {
		pc.Rule = jsonRule
	}
	if j != nil {
		if m := fieldOf(j, cd.Column.Name); m != nil {
			pc.Output, pc.Injective = m.rule.Traits().Output.String(), m.rule.Traits().Injective
		}
	}
	for _, d := range cd.JSON {
		pc.JSON = append(pc.JSON, struct {
			Path   string `json:"path"`
			Action string `json:"action"`
			Rule   string `json:"rule,omitempty"`
		}{string(d.Path), d.Action.String(), d.Rule.String()})
	}
	return pc
}

// problemLimit is how many problems one error text names.
const problemLimit = 20

// Err returns nil for a plan that can be run, else one error that names every
// problem (twenty at most), of the kind of the first.
func (p *Plan) Err() error {
	switch len(p.Problems) {
	case 0:
		return nil
	case 1:
		return p.Problems[0].fault()
	}
	var text []string
	for i, q := range p.Problems {
		if i == problemLimit {
			text = append(text, fmt.Sprintf("and %d more: see the plan", len(p.Problems)-i))
			break
		}
		text = append(text, q.Message)
	}
	e := p.Problems[0].fault()
	return &fault.Error{Kind: e.Kind, Msg: fmt.Sprintf("%d problems:\n  %s", len(p.Problems), strings.Join(text, "\n  ")), Hint: e.Hint, Err: e.Err}
}

func (q Problem) fault() *fault.Error {
	return &fault.Error{Kind: q.Kind, Msg: q.Message, Hint: q.Hint, Err: q.err}
}

// sortJobs puts the largest tables first, so that the last one to finish is
// small.
func sortJobs(jobs []*tableJob) []*tableJob {
	out := slices.Clone(jobs)
	slices.SortStableFunc(out, func(a, b *tableJob) int {
		switch {
		case a.table.Bytes > b.table.Bytes:
			return -1
		case a.table.Bytes < b.table.Bytes:
			return 1
		}
		return 0
	})
	return out
}
