package refresh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// ErrInterrupted is in the chain of the error of a run that was cancelled.
var ErrInterrupted = errors.New("interrupted")

// finish puts everything away. Where the run failed, its database is made to
// refuse connections and marked as failed; the target was not touched.
func (r *run) finish(ctx context.Context, err error) error {
	r.schema.close()
	if err != nil {
		if cause, ok := errors.AsType[*fault.Error](context.Cause(ctx)); ok && !errors.Is(err, ErrSwapPending) {
			err = cause // the watcher's reason, not its consequences
		} else if ctx.Err() != nil {
			err = r.interrupted(err)
		}
	}
	if err != nil && r.fresh != "" && !r.swapped && r.state.State != stateVerified {
		if closing := r.abandon(); closing != nil {
			r.note(closing.Error())
		} else {
			r.note(fmt.Sprintf("database %q is incomplete and refuses connections; the next run drops it", r.fresh))
		}
	}
	pgconnect.Close(r.admin)
	if err != nil && fault.KindOf(err) == fault.Unexpected && fault.HintOf(err) == "" {
		// Most often a server or a network that went away.
		err = &fault.Error{Kind: fault.Unexpected, Msg: err.Error(), Hint: r.unharmed(), Err: err}
	}
	r.result.Finished = time.Now().UTC()
	return err
}

// interrupted returns the error of a run whose context has ended.
func (r *run) interrupted(err error) error {
	if errors.Is(err, ErrSwapPending) {
		return err
	}
	e := fault.New(fault.Stopped, "the run was interrupted; the target is as it was").WithHint("%s", r.again())
	e.Err = errors.Join(ErrInterrupted, err)
	return e
}

// again says what to do after a run that ended early through nobody's fault.
func (r *run) again() string {
	if r.state.State == stateVerified {
		return fmt.Sprintf("the copy %q is verified: `privet mask resume` puts it in place", r.fresh)
	}
	return "run again: nothing of this run is used"
}

func (r *run) unharmed() string {
	if r.state.State == stateVerified {
		return r.again()
	}
	return "the target is as it was; " + r.again()
}

// abandon closes the run's database, over a new session where the maintenance
// session is gone, and ends what is still connected to it.
func (r *run) abandon() error {
	ctx, cancel := cleanup()
	defer cancel()
	// Asked, because a session that the server has ended does not know it yet.
	if r.admin.PgConn().IsBusy() || r.admin.Ping(ctx) != nil {
		pgconnect.Close(r.admin)
		conn, err := openMaintenance(ctx, r.target, r.cfg.Maintenance, r.app)
		if err != nil {
			return fmt.Errorf("database %q is incomplete and could not be closed: %w", r.fresh, err)
		}
		r.admin = conn
	}
	r.state.State, r.state.At = stateFailed, time.Now().UTC()
	exists := false
	if err := r.admin.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = $1)", r.fresh).Scan(&exists); err == nil && !exists {
		return nil
	}
	if err := refuseConnections(ctx, r.admin, r.fresh, r.state); err != nil {
		return err
	}
	_, err := r.admin.Exec(ctx, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
		WHERE datname = $1 AND usename = session_user AND pid <> pg_catalog.pg_backend_pid()`, r.fresh)
	return pgconnect.Redacted(err)
}
