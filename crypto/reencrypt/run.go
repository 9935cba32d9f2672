package reencrypt

import (
	"context"
	"encoding/hex"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/internal/walk"
)

// A run is one walk over the table.
type run struct {
	*Config
	*columns
	report  Report
	tenants map[string]struct{}
	indexes map[string]*crypto.BlindIndex // by tenant
}

// Run connects to a database (a URI, libpq keywords, or "" for libpq's environment
// variables; not through a pooler) and does what cfg says to all rows of the table. The
// report is of what was done, also where there is an error; see [Report.Err] for the
// rows that were left.
//
// The error is a [fault.Error]: of kind Config or Policy where nothing was begun, of
// kind Stopped where ctx ended, with its cause. What was committed until then stays,
// and the next run of an equal Config goes on after it. Errors of the key service and
// the keystore end a run in the same way.
func Run(ctx context.Context, database string, cfg Config) (Report, error) {
	r := &run{Config: &cfg, tenants: map[string]struct{}{}, indexes: map[string]*crypto.BlindIndex{}}
	r.report = Report{Table: cfg.Table, Mode: cfg.Mode, DryRun: cfg.DryRun}
	if err := cfg.check(); err != nil {
		return r.report, err
	}
	target, err := pgconnect.Parse("database", database)
	if err != nil {
		return r.report, err
	}
	conn, err := target.Open(ctx, pgconnect.Options{AppName: "privet reencrypt", ReadOnly: cfg.DryRun})
	if err != nil {
		return r.report, r.stopped(ctx, err)
	}
	defer pgconnect.Close(conn)
	if err = pgconnect.CheckDirect(ctx, "database", conn); err == nil {
		r.columns, err = find(ctx, conn, &cfg)
	}
	if err != nil {
		return r.report, r.stopped(ctx, err)
	}
	w := walk.Config{
		Key: r.key, Job: cfg.job(), Select: r.selected(), Where: r.where(cfg.Mode),
		Page: cfg.Batch, PerSecond: cfg.PerSecond, Restart: cfg.Restart,
	}
	if !cfg.DryRun {
		w.Store = walk.Postgres{}
	}
	if cfg.Progress != nil {
		w.Progress = func(p walk.Progress) { cfg.Progress(Progress(p)) }
	}
	r.report.Rows, err = walk.Run(ctx, conn, w, r.page)
	r.report.Complete, r.report.Tenants = err == nil, len(r.tenants)
	return r.report, errors.Join(r.stopped(ctx, err), r.record(ctx, err))
}

// record reports the run, also one whose context has ended.
func (r *run) record(ctx context.Context, err error) error {
	if r.Recorder == nil || r.DryRun {
		return nil
	}
	outcome := "ok"
	if err != nil {
		outcome = "failed"
	}
	return r.Recorder.Record(context.WithoutCancel(ctx), event.Event{
		Action: "crypto.reencrypt." + string(r.Mode), Tenant: r.Tenant, Object: r.Table, Outcome: outcome, Count: r.report.Written,
	})
}

// stopped says that a run ended because it was told to.
func (r *run) stopped(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return &fault.Error{
		Kind: fault.Stopped, Msg: "stopped early: rows of " + r.Table + " are left",
		Hint: "run it again with the same flags; it goes on where it was", Err: context.Cause(ctx),
	}
}

// A page is one batch of rows on its way.
type page struct {
	*run
	ctx      context.Context
	rows     []walk.Row
	at       []crypto.Context
	ready    []int // the rows that have a context, by their place
	updates  []update
	counts   Report
	problems []problem
}

type problem struct {
	key []string
	err error
}

// page converts rows outside of any transaction and says how to write them.
func (r *run) page(ctx context.Context, rows []walk.Row, last bool) (walk.Step, error) {
	p := &page{run: r, ctx: ctx, rows: rows, at: make([]crypto.Context, len(rows))}
	for i := range rows {
		if p.context(i) {
			p.ready = append(p.ready, i)
		} else {
			p.leave(i, &p.counts.NoContext, ErrNoContext)
		}
	}
	var err error
	switch r.Mode {
	case Fill:
		err = p.fill()
	case Refresh:
		err = p.refresh()
	case Clear:
		err = p.clear()
	}
	if err != nil {
		return walk.Step{}, err
	}
	written, again := int64(len(p.updates)), false
	step := walk.Step{Done: func() {
		r.report.Written += written
		if again {
			return // the others are counted when the page is read for the last time
		}
		r.report.add(&p.counts)
		for _, x := range p.problems {
			if r.Problem != nil {
				r.Problem(x.key, x.err)
			}
		}
	}}
	if r.DryRun || len(p.updates) == 0 {
		return step, nil
	}
	step.Write = func(ctx context.Context, tx pgx.Tx) (bool, error) {
		done, err := r.write(ctx, tx, r.Mode, p.updates)
		if err != nil {
			return false, err
		}
		for i, ok := range done {
			if ok {
				continue
			}
			written--
			if again = !last; last {
				p.counts.Changed++
				p.problems = append(p.problems, problem{p.updates[i].row.Key, ErrChanged})
			}
		}
		return again, nil
	}
	return step, nil
}

// context finds out whose row it is; false where it does not say.
func (p *page) context(i int) bool {
	at := crypto.Context{Tenant: p.Tenant, Field: p.Field}
	if p.TenantColumn != "" {
		at.Tenant = p.identifier(i, tenantAt)
	}
	if p.SubjectColumn != "" {
		if at.Subject = p.identifier(i, subjectAt); at.Subject == "" {
			return false
		}
	}
	p.at[i] = at
	if at.Tenant == "" {
		return false
	}
	p.tenants[at.Tenant] = struct{}{}
	return true
}

// identifier returns the name that a column gives to a row's tenant or subject, as
// crypto.Client.Seal takes it from a struct.
func (p *page) identifier(i, at int) string {
	v := p.rows[i].Values[at]
	if p.raw(at) {
		return hex.EncodeToString(v)
	}
	return string(v)
}

// leave counts a row that stays as it is.
func (p *page) leave(i int, count *int64, why error) {
	*count++
	if count != &p.counts.Erased {
		p.problems = append(p.problems, problem{p.rows[i].Key, why})
	}
}

// failed counts a row for which there is an error of its own, and returns all others,
// which end the run.
func (p *page) failed(i int, err error) error {
	switch {
	case errors.Is(err, crypto.ErrErased):
		p.leave(i, &p.counts.Erased, err)
	case errors.Is(err, crypto.ErrContext):
		p.leave(i, &p.counts.NoContext, err)
	case errors.Is(err, crypto.ErrDecrypt), errors.Is(err, crypto.ErrText):
		p.leave(i, &p.counts.Unreadable, err)
	default:
		return err
	}
	return nil
}
