package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
)

// The defaults of Input, and how its memory is shared out.
const (
	defaultJobs   = 2
	defaultMemory = 64 << 20
	minMemory     = 4 << 20
)

// A run is one call of Run.
type run struct {
	in        Input
	k         *keyed
	budget    *budget
	originals *originals
	found     *spool // pieces of the target that passed the filter
	known     map[uint64]bool
	leftOut   atomic.Int64
	progress  *progress

	states  []*tableState
	sources []*sourceColumn
	targets []*targetTable
	columns []*targetColumn
}

// Run checks the target against its source and returns what it found. The error
// is for what could not be checked; a leak is a failed check of the report. No
// error and no report holds a value.
func Run(ctx context.Context, in Input) (*Report, error) {
	if in.Source == nil || in.Target == nil {
		return nil, errors.New("verify: Input.Source and Input.Target are needed")
	}
	in.Jobs = cmp.Or(max(in.Jobs, 0), defaultJobs)
	in.MemoryLimit = max(cmp.Or(in.MemoryLimit, defaultMemory), minMemory)
	r := &run{in: in, k: newKeyed(), budget: &budget{}, known: map[uint64]bool{}, progress: &progress{to: in.Progress}}
	// A half for records that wait, a quarter for the filter; the last quarter is
	// for the partitions that are being sorted or joined.
	r.budget.left.Store(in.MemoryLimit / 2)
	r.originals = &originals{
		raw:    newSpool(originalWidth, partitionBits, r.budget, in.TempDir),
		sorted: newSpool(originalWidth, partitionBits, r.budget, in.TempDir),
	}
	r.found = newSpool(originalWidth, partitionBits, r.budget, in.TempDir)
	defer r.close()

	report := &Report{Started: time.Now().UTC(), Moving: in.Moving}
	if err := r.check(ctx, report); err != nil {
		return nil, err
	}
	report.Finished = time.Now().UTC()
	arrange(report)
	return report, nil
}

func (r *run) close() {
	r.originals.raw.close()
	r.originals.sorted.close()
	r.found.close()
	for _, st := range r.states {
		st.rows.close()
	}
}

func (r *run) check(ctx context.Context, report *Report) error {
	var source, target *catalog.Catalog
	both, both1 := errgroup.WithContext(ctx)
	both.Go(func() (err error) { source, err = readCatalog(both1, "source", r.in.Source); return })
	both.Go(func() (err error) { target, err = readCatalog(both1, "target", r.in.Target); return })
	if err := both.Wait(); err != nil {
		return err
	}
	report.Checks = checkForeignKeys(source, target)
	missing, err := r.plan(ctx, target)
	if err != nil {
		return err
	}
	report.Checks = append(report.Checks, missing...)

	slices.SortStableFunc(r.states, func(a, b *tableState) int { return cmp.Compare(b.Source.Bytes, a.Source.Bytes) })
	r.progress.phase("source", len(r.states))
	err = each(ctx, r.in.Jobs, r.in.Source, r.states, func(ctx context.Context, c *pgx.Conn, st *tableState) error {
		defer r.progress.table(st.Source)()
		return r.readSource(ctx, c, st)
	})
	if err != nil {
		return err
	}
	if err := r.originals.settle(ctx, r.sources, r.in.MemoryLimit/4); err != nil {
		return err
	}
	slices.SortStableFunc(r.targets, func(a, b *targetTable) int { return cmp.Compare(b.table.Bytes, a.table.Bytes) })
	r.progress.phase("target", len(r.targets))
	err = each(ctx, r.in.Jobs, r.in.Target, r.targets, func(ctx context.Context, c *pgx.Conn, tt *targetTable) error {
		defer r.progress.table(tt.table)()
		return r.readTarget(ctx, c, tt)
	})
	if err != nil {
		return err
	}
	hits, err := r.originals.join(ctx, r.found)
	if err != nil {
		return err
	}
	r.conclude(report, hits)
	return nil
}

// conclude turns what was counted into checks.
func (r *run) conclude(report *Report, hits map[hitKey]*[classes]hit) {
	report.Tables, report.Columns = len(r.targets), len(r.columns)
	report.Originals, report.LeftOut = r.originals.count, r.leftOut.Load()
	for _, tt := range r.targets {
		report.Rows += tt.rows
		if tt.state != nil {
			tt.state.targetRows = tt.rows
		}
	}
	for _, st := range r.states {
		report.Checks = append(report.Checks, r.checkTable(st)...)
	}
	worst := map[uint32]bool{}
	for key, h := range hits {
		k := judgeOverlap(r.sources[key.source], r.columns[key.target], h)
		worst[key.source] = worst[key.source] || k.Result == Fail
		report.Checks = append(report.Checks, k)
	}
	for _, s := range r.sources {
		if !worst[s.id] {
			report.Checks = append(report.Checks, Check{Name: CheckOriginals, Table: s.table.Target.String(), Column: s.column.label(),
				From: s.String(), Result: Pass, Source: s.originals(),
				Detail: fmt.Sprintf("none of %s originals found beyond chance in %d columns", group(s.originals()), len(r.columns))})
		}
	}
}

// arrange sorts the checks and sums them up.
func arrange(report *Report) {
	order := map[Result]int{Fail: 0, Info: 1, Pass: 2}
	slices.SortFunc(report.Checks, func(a, b Check) int {
		return cmp.Or(cmp.Compare(order[a.Result], order[b.Result]), cmp.Compare(a.Table, b.Table),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Name, b.Name), cmp.Compare(a.From, b.From), cmp.Compare(a.Detail, b.Detail))
	})
	report.OK = len(report.Failed()) == 0
}

func readCatalog(ctx context.Context, side string, open func(context.Context) (*pgx.Conn, error)) (*catalog.Catalog, error) {
	conn, err := connect(ctx, open)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	cat, err := catalog.Read(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("verifying: the %s's catalog: %w", side, err)
	}
	return cat, nil
}

// connect opens a connection with the settings that both sides share.
func connect(ctx context.Context, open func(context.Context) (*pgx.Conn, error)) (*pgx.Conn, error) {
	conn, err := open(ctx)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, conn); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, fault.New(fault.Config, "verifying: the session's settings were refused: %v", err)
	}
	return conn, nil
}

// each calls do for every item, jobs at a time, each worker with a connection of
// its own.
func each[T any](ctx context.Context, jobs int, open func(context.Context) (*pgx.Conn, error), items []T,
	do func(context.Context, *pgx.Conn, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range min(jobs, len(items)) {
		group.Go(func() error {
			conn, err := connect(ctx, open)
			if err != nil {
				return err
			}
			defer conn.Close(context.WithoutCancel(ctx))
			for {
				i := int(next.Add(1)) - 1
				if i >= len(items) {
					return nil
				}
				if err := do(ctx, conn, items[i]); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}
