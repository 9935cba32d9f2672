package refresh

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// A run is one call of Run or Resume.
type run struct {
	cfg     Config
	id      string // 8 hexadecimal digits
	app     string // application_name of all its sessions
	source  *pgconnect.Target
	target  *pgconnect.Target
	admin   *pgx.Conn // in the maintenance database; holds the run lock
	old     oldTarget
	mark    guard.Approval
	fresh   string // the run's database; "" before it exists
	state   state
	result  *Result
	noteMu  sync.Mutex
	snap    *snapshot
	plan    *Plan
	schema  *schema
	loader  *loader
	swapped bool
}

// Run refreshes the target: it loads a masked copy of the source beside it,
// verifies the copy and swaps. See the package's page for what it promises. With
// an error that wraps [ErrSwapPending] or [ErrVerification] the result is there
// too, report and receipt included; with any other it is nil. With every error
// the target is as it was.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	if r.source, err = pgconnect.Parse("source", cfg.Source); err != nil {
		return nil, err
	}
	r.record(ctx, "mask.run.begin", "ok", 0)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	err = r.run(ctx, cancel)
	err = r.finish(ctx, err)
	r.record(ctx, "mask.run", outcome(err), r.result.Rows)
	if err != nil && !errors.Is(err, ErrSwapPending) && !errors.Is(err, ErrVerification) {
		return nil, err
	}
	return r.result, err
}

func newRun(cfg Config) (*run, error) {
	target, err := pgconnect.Parse("target", cfg.Target)
	if err != nil {
		return nil, err
	}
	var b [4]byte
	rand.Read(b[:])
	r := &run{cfg: cfg.withDefaults(), id: hex.EncodeToString(b[:]), target: target}
	r.app = "privet mask run " + r.id
	r.result = &Result{Run: r.id, Target: target.Database(), Started: time.Now().UTC(), Keys: cfg.KeyID, Notes: []string{}}
	return r, nil
}

func (r *run) note(text string) {
	r.noteMu.Lock()
	r.result.Notes = append(r.result.Notes, text)
	r.noteMu.Unlock()
	r.cfg.Progress.Note(text)
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case fault.KindOf(err) == fault.Guard, fault.KindOf(err) == fault.Policy, fault.KindOf(err) == fault.Config:
		return "refused"
	}
	return "failed"
}

// record tells the recorder; a record that is not kept is worth a note, but
// nothing that a finished run could take back.
func (r *run) record(ctx context.Context, action, outcome string, count int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := r.cfg.Recorder.Record(ctx, event.Event{Time: time.Now(), Action: action, Object: r.result.Target + "/" + r.id, Outcome: outcome, Count: count})
	if err != nil {
		r.note(fmt.Sprintf("the event %s could not be recorded: %v", action, err))
	}
}

// run does everything. cancel ends it with a cause, from the watcher.
func (r *run) run(ctx context.Context, cancel context.CancelCauseFunc) error {
	r.cfg.Progress.Stage("guards")
	src, err := r.source.Open(ctx, pgconnect.Options{AppName: r.app, ReadOnly: true})
	if err != nil {
		return err
	}
	defer pgconnect.Close(src)
	if err := pgconnect.CheckDirect(ctx, "source", src); err != nil {
		return err
	}
	if err := r.guards(ctx, src); err != nil {
		return err
	}
	if err := r.checkPrograms(ctx, src); err != nil {
		return err
	}
	where, err := readLocale(ctx, src)
	if err != nil {
		return err
	}
	r.cfg.Progress.Stage("snapshot")
	r.snap, err = takeSnapshot(ctx, src, r.source, r.app, r.cfg.YieldAfter, func(cat *catalog.Catalog) error {
		return readable(cat, r.source.User())
	})
	if err != nil {
		return err
	}
	stop, err := r.watch(ctx, cancel)
	if err != nil {
		return err
	}
	defer stop()
	if err := r.decide(ctx, src); err != nil {
		return err
	}
	if err := r.load(ctx, where); err != nil {
		return err
	}
	if err := r.verify(ctx); err != nil {
		return err
	}
	stop()
	pgconnect.Close(src) // the locks on the source end here
	if err := r.complete(ctx); err != nil {
		return err
	}
	return r.swap(ctx)
}

// guards opens what guards need, and asks them.
func (r *run) guards(ctx context.Context, src *pgx.Conn) error {
	tgt, err := r.target.Open(ctx, pgconnect.Options{AppName: r.app})
	if err != nil {
		return err
	}
	defer pgconnect.Close(tgt)
	if err := pgconnect.CheckDirect(ctx, "target", tgt); err != nil {
		return err
	}
	if r.mark, err = guard.Check(ctx, src, tgt, r.cfg.Targets); err != nil {
		return err
	}
	if r.mark.Note != "" {
		r.note(r.mark.Note)
	}
	if err := r.openAdmin(ctx); err != nil {
		return err
	}
	return r.sameServer(ctx, tgt)
}

// checkPrograms looks for PostgreSQL's programs before anything is locked.
func (r *run) checkPrograms(ctx context.Context, src *pgx.Conn) error {
	from, err := serverVersion(ctx, src)
	if err != nil {
		return err
	}
	to, err := serverVersion(ctx, r.admin)
	if err != nil {
		return err
	}
	for _, name := range []string{"pg_dump", "pg_restore"} {
		if _, err := pgbin.FindFor(ctx, name, max(from, to)/10000); err != nil {
			return err
		}
	}
	return nil
}

// openAdmin opens the maintenance session, which holds the run lock until it
// ends, and checks the role's rights.
func (r *run) openAdmin(ctx context.Context) error {
	var err error
	if r.admin, err = openMaintenance(ctx, r.target, r.cfg.Maintenance, r.app); err != nil {
		return err
	}
	if err := lockTarget(ctx, r.admin, r.target.Database()); err != nil {
		return err
	}
	if r.old, err = readTarget(ctx, r.admin, r.target.Database()); err != nil {
		return err
	}
	if err := r.noteReplication(ctx); err != nil {
		return err
	}
	return checkLoader(ctx, r.admin, r.old)
}

// noteReplication tells of what ties the old target to other servers: it is not
// carried over, and keeps the old database from being dropped.
func (r *run) noteReplication(ctx context.Context) error {
	tied, err := texts(ctx, r.admin, `SELECT 'logical replication slot ' || slot_name FROM pg_catalog.pg_replication_slots WHERE database = $1
		UNION ALL SELECT 'subscription ' || subname FROM pg_catalog.pg_subscription WHERE subdbid = $2 ORDER BY 1`, r.old.name, r.old.oid)
	if err != nil {
		return fmt.Errorf("target: look for replication: %w", pgconnect.Redacted(err))
	}
	if len(tied) > 0 {
		r.note(fmt.Sprintf("the target's %s stays with the old database, which cannot be dropped after the swap while it is there", strings.Join(tied, ", ")))
	}
	return nil
}

// sameServer makes sure that the maintenance session and the target's reached
// one server.
func (r *run) sameServer(ctx context.Context, tgt *pgx.Conn) error {
	a, _, err := serverIdentity(ctx, tgt)
	if err != nil {
		return err
	}
	b, _, err := serverIdentity(ctx, r.admin)
	if err != nil {
		return err
	}
	if a != b {
		return fault.New(fault.Config, "two connections to the target reached two servers").
			WithHint("connect to one server by its own name, not to a load balancer")
	}
	return nil
}

// decide holds the policy against the catalog that was read under the locks.
func (r *run) decide(ctx context.Context, src *pgx.Conn) error {
	var err error
	r.plan, err = makePlan(ctx, src, r.snap.cat, PlanConfig{Policy: r.cfg.Policy, Keys: r.cfg.Keys, Jobs: r.cfg.Jobs})
	if err != nil {
		return err
	}
	if err := r.plan.Err(); err != nil {
		return err
	}
	return checkNeeds(ctx, src, r.admin, r.snap.cat)
}

// watch starts the watcher; stop ends it and waits. A standby needs none: its
// locks hold up nobody but replay, which cancels the run by itself.
func (r *run) watch(ctx context.Context, cancel context.CancelCauseFunc) (stop func(), err error) {
	if r.snap.standby {
		return func() {}, nil
	}
	conn, err := r.source.Open(ctx, pgconnect.Options{AppName: r.app, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer pgconnect.Close(conn)
		if err := watch(ctx, conn, r.app, r.cfg.YieldAfter, lookWithin); err != nil {
			cancel(err)
			letGo(conn, r.app)
		}
	}()
	return func() {
		end()
		<-done
	}, nil
}

// load makes the new database and fills it.
func (r *run) load(ctx context.Context, where locale) error {
	p := r.cfg.Progress
	p.Stage("schema")
	version, err := serverVersion(ctx, r.admin)
	if err != nil {
		return err
	}
	if r.schema, err = dumpSchema(ctx, r.snap, version, r.cfg.TempDir); err != nil {
		return err
	}
	for _, e := range r.schema.leftOut {
		r.note(e + " is not copied")
	}
	if err := dropLeftovers(ctx, r.admin, r.old.name, r.note); err != nil {
		return err
	}
	name := besideName(r.old.name, freshInfix, r.id)
	r.state = state{State: stateLoading, Target: r.old.name, Run: r.id, At: r.result.Started}
	r.fresh, r.result.Database = name, name
	if err := createDatabase(ctx, r.admin, name, where, r.old.tablespace, r.state); err != nil {
		return err
	}
	into := r.target.WithDatabase(name)
	if err := r.schema.restore(ctx, into, r.app, "pre-data", 1); err != nil {
		return err
	}
	p.Stage("rows")
	p.Total(len(r.plan.jobs), r.plan.Rows, r.plan.Bytes)
	r.loader = &loader{snap: r.snap, into: into, app: r.app, keys: r.cfg.Keys, progress: p}
	if err := r.loader.copyRows(ctx, r.plan.jobs, r.cfg.Jobs); err != nil {
		return err
	}
	conn, err := into.Open(ctx, pgconnect.Options{AppName: r.app, Load: true})
	if err != nil {
		return err
	}
	defer pgconnect.Close(conn)
	if err := setSequences(ctx, conn, r.snap.cat, r.plan.res); err != nil {
		return err
	}
	p.Stage("indexes")
	if err := r.schema.restore(ctx, into, r.app, "post-data", r.cfg.Jobs); err != nil {
		return err
	}
	if err := refreshViews(ctx, r.snap.conn, conn, r.note); err != nil {
		return err
	}
	p.Stage("analyze")
	return analyze(ctx, into, r.app, r.snap.cat, r.cfg.Jobs)
}

func serverVersion(ctx context.Context, conn *pgx.Conn) (v int, err error) {
	if err = conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('server_version_num')::int").Scan(&v); err != nil {
		err = fmt.Errorf("read the server's version: %w", pgconnect.Redacted(err))
	}
	return v, err
}

// complete gives the copy its owners and privileges, closes it and marks it as
// verified: from here on only the swap is missing.
func (r *run) complete(ctx context.Context) error {
	r.cfg.Progress.Stage("swap")
	// The owner comes first: objects can only be given to roles that may own
	// them, and the owner of the database may own things in schema public.
	if _, err := r.admin.Exec(ctx, "ALTER DATABASE "+quote(r.fresh)+" OWNER TO "+quote(r.old.owner)); err != nil {
		return fmt.Errorf("target: give database %q its owner: %w", r.fresh, pgconnect.Redacted(err))
	}
	if err := r.dress(ctx); err != nil {
		return err
	}
	verified := r.state
	verified.State, verified.At = stateVerified, time.Now().UTC()
	if err := refuseConnections(ctx, r.admin, r.fresh, verified); err != nil {
		return err
	}
	r.state = verified
	return nil
}

func (r *run) dress(ctx context.Context) error {
	old, err := r.target.Open(ctx, pgconnect.Options{AppName: r.app, ReadOnly: true})
	if err != nil {
		return err
	}
	defer pgconnect.Close(old)
	fresh, err := r.target.WithDatabase(r.fresh).Open(ctx, pgconnect.Options{AppName: r.app, Load: true})
	if err != nil {
		return err
	}
	defer pgconnect.Close(fresh)
	d := &dresser{old: old, fresh: fresh, dbOwner: r.old.owner, loader: r.target.User(), note: r.note}
	return d.dress(ctx)
}

// swap puts the copy in place and removes the old database.
func (r *run) swap(ctx context.Context) error {
	oldName := besideName(r.old.name, oldInfix, r.state.Run)
	s := &swap{place: r.target, app: r.app, conn: r.admin, target: r.old.name, fresh: r.fresh, oldName: oldName,
		state: r.state, keep: r.cfg.KeepOld, targets: r.cfg.Targets, note: r.note}
	if err := s.do(ctx); err != nil {
		return err
	}
	r.swapped, r.result.Swapped = true, true
	if r.cfg.KeepOld {
		r.result.Old = oldName
		return nil
	}
	// The refresh is done; an old database that cannot be dropped is dropped by
	// the next run, which knows it by its comment.
	clean, cancel := cleanup()
	defer cancel()
	if err := dropDatabase(clean, r.admin, oldName); err != nil {
		r.result.Old = oldName
		r.note(fmt.Sprintf("the old database could not be dropped and is called %q now: %s", oldName, pgconnect.SafeText(err)))
	}
	return nil
}
