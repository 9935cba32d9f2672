package refresh

import (
	"context"
	"slices"
	"time"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// Resume swaps a verified copy that [Run] could not put in place because the
// target was in use. Of cfg it needs Target, Targets and what bears on the swap;
// the source is not read. The marks are checked again. Where no copy waits, the
// error is of kind Config.
func Resume(ctx context.Context, cfg Config) (*Result, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	r.app = "privet mask resume " + r.id
	r.record(ctx, "mask.resume.begin", "ok", 0)
	err = r.resume(ctx)
	if ctx.Err() != nil && err != nil {
		err = r.interrupted(err)
	}
	pgconnect.Close(r.admin)
	r.result.Finished = time.Now().UTC()
	r.record(ctx, "mask.resume", outcome(err), 0)
	if err != nil {
		return nil, err
	}
	return r.result, nil
}

func (r *run) resume(ctx context.Context) error {
	r.cfg.Progress.Stage("guards")
	tgt, err := r.target.Open(ctx, pgconnect.Options{AppName: r.app})
	if err != nil {
		return err
	}
	defer pgconnect.Close(tgt)
	if err := pgconnect.CheckDirect(ctx, "target", tgt); err != nil {
		return err
	}
	if r.mark, err = guard.CheckTarget(ctx, tgt, r.cfg.Targets); err != nil {
		return err
	}
	if err := r.openAdmin(ctx); err != nil {
		return err
	}
	pgconnect.Close(tgt) // the swap would end it otherwise
	found, err := leftovers(ctx, r.admin, r.old.name)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(l leftover) bool { return l.State != stateVerified })
	if len(found) == 0 {
		return fault.New(fault.Config, "no verified copy waits to become %q", r.old.name).
			WithHint("`privet mask run` makes one")
	}
	newest := slices.MaxFunc(found, func(a, b leftover) int { return a.At.Compare(b.At) })
	r.fresh, r.state = newest.name, newest.state
	r.result.Run, r.result.Database = newest.Run, newest.name
	r.cfg.Progress.Stage("swap")
	return r.swap(ctx)
}
