package refresh

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// lockWait is how long a run tries to get its ACCESS SHARE locks, which only a
// session in ACCESS EXCLUSIVE mode (ALTER TABLE, TRUNCATE, VACUUM FULL) delays.
// The locks are never waited for: who waits for one table while holding others
// can be part of a deadlock, whose victim may be production's own session.
const lockWait = 30 * time.Second

// lockEvery is the time between two attempts, and joinEvery that of sessions that
// join, which come into the gap between two waiting sessions.
const (
	lockEvery = 200 * time.Millisecond
	joinEvery = 25 * time.Millisecond
)

// snapshotAttempts is how often the locks are tried again because a table was
// created, dropped or renamed between reading the list and locking it.
const snapshotAttempts = 5

// A snapshot is the coordinator's view of the source: an open transaction that
// holds ACCESS SHARE locks on all tables and has exported its snapshot.
type snapshot struct {
	place   *pgconnect.Target
	app     string
	conn    *pgx.Conn
	id      string
	server  string        // identifies the server process that exported it
	locks   string        // LOCK statement without its mode's NOWAIT
	yield   time.Duration // how long a session that joins tries to get them
	cat     *catalog.Catalog
	standby bool
}

// takeSnapshot locks every table of the source, exports a snapshot and reads the
// catalog under the locks. The locks come before the snapshot: a TRUNCATE that
// commits between the two would leave a table empty in the snapshot without any
// error, because TRUNCATE is not transactional for older snapshots.
//
// check sees the catalog before anything is locked, and may refuse it.
//
// Sessions that join the snapshot try for yield to get their locks.
func takeSnapshot(ctx context.Context, conn *pgx.Conn, place *pgconnect.Target, app string, yield time.Duration,
	check func(*catalog.Catalog) error) (*snapshot, error) {
	s := &snapshot{place: place, app: app, conn: conn, yield: yield}
	var err error
	if s.server, s.standby, err = serverIdentity(ctx, conn); err != nil {
		return nil, err
	}
	for range snapshotAttempts {
		before, err := readCatalog(ctx, conn)
		if err != nil {
			return nil, err
		}
		if err := check(before); err != nil {
			return nil, err
		}
		again, err := s.try(ctx, before)
		if err != nil {
			return nil, err
		}
		if !again {
			return s, nil
		}
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			return nil, fmt.Errorf("source: %w", pgconnect.Redacted(err))
		}
	}
	return nil, fault.New(fault.Stopped, "the source's tables changed %d times while they were being locked", snapshotAttempts).
		WithHint("run again when no migration is under way")
}

// try makes one attempt. again means that the tables changed meanwhile.
func (s *snapshot) try(ctx context.Context, before *catalog.Catalog) (again bool, err error) {
	s.locks = lockStatement(before)
	if again, err := s.lock(ctx); again || err != nil {
		return again, err
	}
	if err := s.conn.QueryRow(ctx, "SELECT pg_catalog.pg_export_snapshot()").Scan(&s.id); err != nil {
		return false, s.fault("export a snapshot", err)
	}
	if s.cat, err = readCatalog(ctx, s.conn); err != nil {
		return false, err
	}
	if lockStatement(s.cat) != s.locks || !slices.Equal(oids(before), oids(s.cat)) {
		return true, nil
	}
	return false, nil
}

// lock opens the transaction and takes all locks at once, or none.
func (s *snapshot) lock(ctx context.Context) (again bool, err error) {
	// One simple query: none of these statements takes a snapshot.
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
	if s.locks != "" {
		begin += s.locks + " NOWAIT"
	}
	deadline := time.Now().Add(lockWait)
	for {
		err := s.conn.PgConn().Exec(ctx, begin).Close()
		switch pgconnect.Code(err) {
		case "42P01", "3F000": // undefined table or schema
			return true, nil
		case "55P03":
		default:
			if err != nil {
				return false, s.fault("lock the source's tables", err)
			}
			return false, nil
		}
		if _, rollback := s.conn.Exec(ctx, "ROLLBACK"); rollback != nil {
			return false, s.fault("lock the source's tables", rollback)
		}
		if time.Now().After(deadline) {
			return false, s.lockFault(ctx, err)
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(lockEvery):
		}
	}
}

// readCatalog reads the catalog, which asks for the sizes of tables and so needs
// a moment without anybody's ACCESS EXCLUSIVE lock.
func readCatalog(ctx context.Context, conn *pgx.Conn) (*catalog.Catalog, error) {
	set := func(d time.Duration) error {
		_, err := conn.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", d.Milliseconds()))
		return pgconnect.Redacted(err)
	}
	if err := set(lockWait); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	cat, err := catalog.Read(ctx, conn)
	if pgconnect.Code(err) == "55P03" {
		e := fault.New(fault.Guard, "a table of the source stayed locked for %s: %s", lockWait, pgconnect.SafeText(err)).
			WithHint("wait until the migration or maintenance that holds it is done, then run again")
		e.Err = ErrYielded
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	if err := set(0); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	return cat, nil
}

func (s *snapshot) fault(what string, err error) error {
	if pgconnect.Code(err) == "42501" {
		return fault.New(fault.Config, "source: %s: %s", what, pgconnect.SafeText(err)).
			WithHint("GRANT SELECT ON ALL TABLES IN SCHEMA ... TO %s, or GRANT pg_read_all_data TO it", pgx.Identifier{s.place.User()}.Sanitize())
	}
	if pgconnect.Code(err) == "53200" {
		return fault.New(fault.Config, "source: %s: %s", what, pgconnect.SafeText(err)).
			WithHint("raise max_locks_per_transaction on the source, or use fewer --jobs")
	}
	return fmt.Errorf("source: %s: %w", what, pgconnect.Redacted(err))
}

// lockFault names who holds the lock that could not be had.
func (s *snapshot) lockFault(ctx context.Context, err error) error {
	e := fault.New(fault.Guard, "a table of the source stayed locked for %s: %s", lockWait, pgconnect.SafeText(err)).
		WithHint("wait until the migration or maintenance that holds it is done, then run again")
	e.Err = ErrYielded
	var holder string
	err = s.conn.QueryRow(ctx, `SELECT pg_catalog.format('session %s of %s holds %s', l.pid, coalesce(a.usename, '?'), l.relation::regclass)
		FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a USING (pid)
		WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND l.locktype = 'relation' AND l.relation >= 16384
			AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		LIMIT 1`).Scan(&holder)
	if err == nil {
		e.Msg += "; " + holder
	}
	return e
}

// lockable reports whether LOCK TABLE takes the relation.
func lockable(t *catalog.Table) bool {
	return t.Kind == catalog.Ordinary || t.Kind == catalog.Partitioned
}

// lockStatement locks every table by itself (ONLY): children stand in the list
// too, and are so locked in the same order by every session.
func lockStatement(cat *catalog.Catalog) string {
	var names []string
	for _, t := range cat.Tables {
		if lockable(t) {
			names = append(names, "ONLY "+t.SQL())
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "LOCK TABLE " + strings.Join(names, ", ") + " IN ACCESS SHARE MODE"
}

func oids(cat *catalog.Catalog) []uint32 {
	var out []uint32
	for _, t := range cat.Tables {
		if lockable(t) {
			out = append(out, t.OID)
		}
	}
	return out
}

// serverIdentity tells one running server from every other.
func serverIdentity(ctx context.Context, conn *pgx.Conn) (id string, standby bool, err error) {
	err = conn.QueryRow(ctx, `SELECT pg_catalog.pg_postmaster_start_time()::text || ' ' ||
		pg_catalog.current_setting('port') || ' ' || coalesce(pg_catalog.inet_server_addr()::text, 'socket'),
		pg_catalog.pg_is_in_recovery()`).Scan(&id, &standby)
	if err != nil {
		return "", false, fmt.Errorf("source: identify the server: %w", pgconnect.Redacted(err))
	}
	return id, standby, nil
}

// join opens a further session that sees exactly what the coordinator sees. It
// takes the same locks without waiting: where somebody queues for a stronger
// one, waiting behind it would stop both. It tries again for as long as such a
// session may wait for the run.
func (s *snapshot) join(ctx context.Context) (*pgx.Conn, error) {
	conn, err := s.place.Open(ctx, pgconnect.Options{AppName: s.app, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if err := s.enter(ctx, conn); err != nil {
		pgconnect.Close(conn)
		return nil, err
	}
	return conn, nil
}

func (s *snapshot) enter(ctx context.Context, conn *pgx.Conn) error {
	server, _, err := serverIdentity(ctx, conn)
	if err != nil {
		return err
	}
	if server != s.server {
		return fault.New(fault.Config, "two connections to the source reached two servers").
			WithHint("connect to one server by its own name, not to a load-balanced reader endpoint")
	}
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '" + s.id + "';"
	if s.locks != "" {
		begin += s.locks + " NOWAIT"
	}
	for deadline := time.Now().Add(s.yield); ; {
		err = conn.PgConn().Exec(ctx, begin).Close()
		if pgconnect.Code(err) != "55P03" || time.Now().After(deadline) {
			break
		}
		if err := conn.PgConn().Exec(ctx, "ROLLBACK").Close(); err != nil {
			return s.fault("join the snapshot", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(joinEvery):
		}
	}
	if pgconnect.Code(err) == "55P03" {
		e := fault.New(fault.Guard, "a session waits for a table of the source, so that no further reader can start: %s", pgconnect.SafeText(err)).
			WithHint("run again when the migration or maintenance is done")
		e.Err = ErrYielded
		return e
	}
	if code := pgconnect.Code(err); code == "22023" || code == "55000" {
		e := fault.New(fault.Stopped, "the snapshot of the run is gone: the session that held it was ended").
			WithHint("run again; on a standby, replay cancels long readers unless hot_standby_feedback is on and max_standby_streaming_delay is -1")
		e.Err = pgconnect.Redacted(err)
		return e
	}
	if err != nil {
		return s.fault("join the snapshot", err)
	}
	return nil
}
