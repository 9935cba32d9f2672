package refresh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// ErrSwapPending is in the chain of the error of a run whose copy is complete
// and verified, but could not be put in place: [Resume] does that later.
var ErrSwapPending = errors.New("the swap is pending")

// endEvery is how often the sessions of the old target are ended while the swap
// waits for them. PostgreSQL gives up on the rename after five seconds.
const endEvery = 50 * time.Millisecond

// A swap puts one database in the place of another.
type swap struct {
	place   *pgconnect.Target // of the target; its database is not connected to
	app     string
	conn    *pgx.Conn // in the maintenance database
	target  string
	fresh   string // the run's database
	oldName string // what the target is called afterwards
	state   state  // of the run
	keep    bool
	targets map[string]guard.Target
	note    func(string)
}

// do renames the old database first: the lock of that rename makes newcomers
// wait until the transaction ends, and then find the new one. A second session
// ends those that are still in the old one. Either everything of this happens,
// or nothing.
func (s *swap) do(ctx context.Context) error {
	ender, err := s.place.WithDatabase(s.conn.Config().Database).Open(ctx, pgconnect.Options{AppName: s.app})
	if err != nil {
		return err
	}
	defer pgconnect.Close(ender)
	old, err := readTarget(ctx, s.conn, s.target)
	if err != nil {
		return err
	}
	fresh, err := readTarget(ctx, s.conn, s.fresh)
	if err != nil {
		return err
	}
	// What is not this run's, or not verified, is never put in place.
	if st, ok := parseState(fresh.comment); !ok || st.State != stateVerified || st.Target != s.target {
		return fault.New(fault.Guard, "database %q is not a verified copy for %q", s.fresh, s.target)
	}
	if err := s.checkMark(old); err != nil {
		return err
	}
	carried, err := readCarried(ctx, s.conn, old)
	if err != nil {
		return err
	}
	stop := s.endSessions(ctx, ender, old.oid, fresh.oid)
	err = s.transaction(ctx, old, carried)
	denied := stop()
	if err == nil || s.conn.IsClosed() && s.happened(fresh.oid) {
		return nil
	}
	if !s.conn.IsClosed() && s.conn.PgConn().TxStatus() != 'I' {
		_, _ = s.conn.Exec(ctx, "ROLLBACK") // the error that counts is err
	}
	if pgconnect.Code(err) == "55006" {
		return s.pending(ctx, ender, old, fresh, denied)
	}
	if fault.KindOf(err) != fault.Unexpected {
		return err
	}
	return fmt.Errorf("target: swap: %w", pgconnect.Redacted(err))
}

// happened asks, over a new session, whether the swap was committed although the
// connection was lost before the server could say so.
func (s *swap) happened(fresh uint32) bool {
	ctx, cancel := cleanup()
	defer cancel()
	conn, err := s.place.WithDatabase(s.conn.Config().Database).Open(ctx, pgconnect.Options{AppName: s.app})
	if err != nil {
		return false
	}
	defer pgconnect.Close(conn)
	now, err := readTarget(ctx, conn, s.target)
	return err == nil && now.oid == fresh
}

// checkMark asks again whether the target may be overwritten: hours may have
// passed since the guards did.
func (s *swap) checkMark(old oldTarget) error {
	mark, ok := guard.FindMark(old.comment)
	for _, t := range s.targets {
		if want, err := guard.ParseMark(t.Mark); ok && err == nil && t.Name == s.target && want == mark {
			return nil
		}
	}
	e := fault.New(fault.Guard, "the mark of target %q was removed or changed since the run began", s.target).
		WithHint("mark it again with `privet mask target mark`, update deployment.yaml, then `privet mask resume`")
	e.Err = guard.ErrMarkDiffers
	return e
}

func (s *swap) transaction(ctx context.Context, old oldTarget, c carried) error {
	st := s.state
	st.State, st.Was = stateReplaced, guard.WithoutMark(old.comment)
	if s.keep {
		st.State = stateKept
	}
	return pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			"SET LOCAL lock_timeout = '10s'",
			"ALTER DATABASE " + quote(s.target) + " RENAME TO " + quote(s.oldName),
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		// The mark once more, now that nobody else can change the database.
		now := old
		err := tx.QueryRow(ctx, "SELECT coalesce(pg_catalog.shobj_description($1, 'pg_database'), '')", old.oid).Scan(&now.comment)
		if err != nil {
			return err
		}
		if err := s.checkMark(now); err != nil {
			return err
		}
		for _, sql := range []string{
			"ALTER DATABASE " + quote(s.fresh) + " RENAME TO " + quote(s.target),
			"COMMENT ON DATABASE " + quote(s.oldName) + " IS " + literal(st.comment()),
			"COMMENT ON DATABASE " + quote(s.target) + " IS " + literal(old.comment),
			fmt.Sprintf("ALTER DATABASE %s WITH ALLOW_CONNECTIONS true CONNECTION LIMIT %d", quote(s.target), old.limit),
			"REVOKE ALL ON DATABASE " + quote(s.target) + " FROM PUBLIC",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return c.apply(ctx, tx, s.target, s.note)
	})
}

// endSessions ends every session of the two databases until stop is called,
// which returns what could not be ended for lack of rights.
func (s *swap) endSessions(ctx context.Context, conn *pgx.Conn, oids ...uint32) (stop func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	denied := false
	go func() {
		defer close(done)
		tick := time.NewTicker(endEvery)
		defer tick.Stop()
		for {
			pids, err := sessionsOf(ctx, conn, oids)
			for _, x := range pids {
				_, err := conn.Exec(ctx, "SELECT pg_catalog.pg_terminate_backend($1)", x.pid)
				denied = denied || pgconnect.Code(err) == "42501"
			}
			if err != nil && ctx.Err() == nil && conn.IsClosed() {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() bool {
		cancel()
		<-done
		return denied
	}
}

type session struct {
	pid               int32
	user, application string
	prepared          bool
}

func (x session) String() string {
	if x.prepared {
		return fmt.Sprintf("prepared transaction of %q", x.user)
	}
	return fmt.Sprintf("session %d of %q (application %q)", x.pid, x.user, x.application)
}

func sessionsOf(ctx context.Context, conn *pgx.Conn, oids []uint32) ([]session, error) {
	rows, err := conn.Query(ctx, `SELECT pid, coalesce(usename::text, backend_type), coalesce(application_name, '')
		FROM pg_catalog.pg_stat_activity WHERE datid = ANY($1) AND pid <> pg_catalog.pg_backend_pid()`, oids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (x session, err error) {
		err = row.Scan(&x.pid, &x.user, &x.application)
		return x, err
	})
}

// pending names what keeps the swap from happening. Nothing has changed.
func (s *swap) pending(ctx context.Context, conn *pgx.Conn, old, fresh oldTarget, denied bool) error {
	if conn.IsClosed() || conn.PgConn().IsBusy() {
		conn = s.conn
	}
	still, _ := sessionsOf(ctx, conn, []uint32{old.oid, fresh.oid}) // without them the error names nobody
	var owner string
	if conn.QueryRow(ctx, "SELECT owner::text FROM pg_catalog.pg_prepared_xacts WHERE database = $1 LIMIT 1", s.target).Scan(&owner) == nil {
		still = append(still, session{user: owner, prepared: true})
	}
	who := "a session that has ended meanwhile"
	if len(still) > 0 {
		var names []string
		for _, x := range still[:min(len(still), 10)] {
			names = append(names, x.String())
		}
		who = strings.Join(names, ", ")
		if len(still) > 10 {
			who += fmt.Sprintf(" and %d more", len(still)-10)
		}
	}
	e := fault.New(fault.Stopped, "the verified copy %q could not be put in the place of %q, which is in use by %s; nothing was changed", s.fresh, s.target, who)
	e.Err = ErrSwapPending
	e.Hint = "end it, then run `privet mask resume`"
	if denied {
		e.Hint = fmt.Sprintf("GRANT pg_signal_backend TO %s (a superuser's sessions end only by a superuser), or end it yourself, then run `privet mask resume`", quote(s.place.User()))
	}
	return e
}

// listSettings are the settings whose value is a list of names, which must not
// be quoted as one word.
var listSettings = []string{"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries", "shared_preload_libraries", "unix_socket_directories"}

// settingLiteral writes a stored setting as the right side of SET.
func settingLiteral(name, value string) string {
	if !slices.Contains(listSettings, strings.ToLower(name)) {
		return literal(value)
	}
	var parts []string
	for _, p := range splitNames(value) {
		parts = append(parts, literal(p))
	}
	if len(parts) == 0 {
		return "''"
	}
	return strings.Join(parts, ", ")
}

// splitNames splits a list of names, some in double quotes, at its commas.
func splitNames(list string) []string {
	var out []string
	var b strings.Builder
	quoted, any := false, false
	flush := func() {
		if any {
			out = append(out, b.String())
		}
		b.Reset()
		any = false
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"' && quoted && i+1 < len(list) && list[i+1] == '"':
			b.WriteByte('"')
			i++
		case c == '"':
			quoted, any = !quoted, true
		case c == ',' && !quoted:
			flush()
		case c == ' ' && !quoted:
		default:
			b.WriteByte(c)
			any = true
		}
	}
	flush()
	return out
}
