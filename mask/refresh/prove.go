package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh/verify"
	"github.com/privet-dev/privet/policy"
)

// ErrVerification is in the chain of the error of a run whose copy did not pass
// verification. The result then holds the report and an unswapped receipt.
var ErrVerification = errors.New("verification failed")

// verify proves the copy while the snapshot that it was made from still lives.
func (r *run) verify(ctx context.Context) error {
	r.cfg.Progress.Stage("verify")
	into := r.target.WithDatabase(r.fresh)
	conn, err := into.Open(ctx, pgconnect.Options{AppName: r.app, ReadOnly: true})
	if err != nil {
		return err
	}
	fresh, err := catalog.Read(ctx, conn)
	pgconnect.Close(conn)
	if err != nil {
		return err
	}
	r.count()
	tables, err := verifyTables(r.plan, r.snap.cat, fresh, r.loader.rows)
	if err != nil {
		return err
	}
	var tell func(verify.Progress)
	if p, ok := r.cfg.Progress.(VerifyProgress); ok {
		tell = p.Verify
	}
	report, err := verify.Run(ctx, verify.Input{
		Progress: tell,
		Source:   r.snap.join,
		Target: func(ctx context.Context) (*pgx.Conn, error) {
			return into.Open(ctx, pgconnect.Options{AppName: r.app, ReadOnly: true})
		},
		Tables: tables, Jobs: r.cfg.Jobs, TempDir: r.cfg.TempDir,
	})
	if err != nil {
		return fmt.Errorf("verify: %w", pgconnect.Redacted(err))
	}
	r.result.Verify = report
	if err := r.makeReceipt(ctx); err != nil {
		return err
	}
	if report.OK {
		return nil
	}
	return verifyFault(report, fmt.Sprintf("the copy %q, which is not put in place: the target is as it was", r.fresh))
}

// verifyFault names the checks that failed, ten at most. where says in what.
func verifyFault(report *verify.Report, where string) error {
	failed := report.Failed()
	var lines []string
	for i, c := range failed {
		if i == 10 {
			lines = append(lines, fmt.Sprintf("and %d more", len(failed)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s %s: %s", c.Name, c.Where(), c.Detail))
	}
	e := fault.New(fault.Verify, "verification found %d faults in %s\n  %s", len(failed), where, strings.Join(lines, "\n  ")).
		WithHint("decide the columns named above by rules that hide their values")
	e.Err = ErrVerification
	return e
}

// verifyTables describes the copy to the verifier: an entry for every table that
// rows were copied of, with partitions together under their root where all of
// them were, and one for every table without rows.
func verifyTables(p *Plan, source, fresh *catalog.Catalog, rows map[*tableJob]int64) ([]verify.Table, error) {
	byRoot := map[*catalog.Table][]*tableJob{}
	var order []*catalog.Table
	for _, j := range p.jobs {
		root := j.table.Root()
		if byRoot[root] == nil {
			order = append(order, root)
		}
		byRoot[root] = append(byRoot[root], j)
	}
	leaves := map[*catalog.Table]int{}
	var out []verify.Table
	add := func(t *catalog.Table, jobs []*tableJob, none bool) error {
		to := fresh.Table(t.Schema, t.Name)
		if to == nil {
			return fault.New(fault.Verify, "table %s is missing in the copy", t)
		}
		v := verify.Table{Source: t, Target: to, NoRows: none}
		if !none {
			for _, j := range jobs {
				v.SourceRows += rows[j]
			}
			v.Key, v.Columns = verifyKey(jobs[0], t), verifyColumns(jobs[0])
		}
		out = append(out, v)
		return nil
	}
	for _, t := range source.Tables {
		if t.Kind == catalog.Ordinary {
			leaves[t.Root()]++
		}
	}
	for _, root := range order {
		jobs := byRoot[root]
		if root.Kind == catalog.Partitioned && len(jobs) < leaves[root] {
			for _, j := range jobs {
				if err := add(j.table, []*tableJob{j}, false); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := add(root, jobs, false); err != nil {
			return nil, err
		}
	}
	for _, d := range p.res.Tables {
		if d.Table.Kind == catalog.Ordinary && !d.Rows {
			if err := add(d.Table, nil, true); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// verifyKey returns the primary key where the copy keeps all of it: rows can
// then be joined.
func verifyKey(j *tableJob, t *catalog.Table) []string {
	for _, name := range t.PrimaryKey {
		i := j.index(name)
		if i < 0 || j.columns[i].Action != policy.Keep {
			return nil
		}
	}
	return slices.Clone(t.PrimaryKey)
}

func verifyColumns(j *tableJob) []verify.Column {
	var out []verify.Column
	for _, cd := range j.columns {
		if cd.Action == policy.Empty {
			out = append(out, verify.Column{Name: cd.Column.Name, Type: cd.Type, Rule: "empty",
				Traits: mask.Traits{Output: mask.OutputConstant}, Identifying: verify.Identifying(cd.Type, "")})
		}
	}
	for _, m := range j.fields {
		out = append(out, m.proofs...)
	}
	return out
}
