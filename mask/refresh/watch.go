package refresh

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// ErrYielded is in the chain of the error of a run that ended itself because a
// session of the source waited for a lock that the run holds.
var ErrYielded = errors.New("yielded to a waiting session")

// watchEvery is the longest time between two looks.
const watchEvery = 500 * time.Millisecond

// lookWithin bounds one look: on a network that swallows everything, no error
// would come for a quarter of an hour.
const lookWithin = 30 * time.Second

// waiters finds sessions that wait in ACCESS EXCLUSIVE mode, the only one that
// ACCESS SHARE delays, behind a session of this run. Everyone else who touches
// the table then waits behind them. pg_locks needs no privilege; the query's
// text is NULL or a notice where the role may not see it.
const waiters = `SELECT l.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), coalesce(a.query, ''),
		l.relation::regclass::text, coalesce(extract(epoch FROM clock_timestamp() - l.waitstart), 0)::float8
	FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
	WHERE NOT l.granted AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock'
		AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
		AND EXISTS (SELECT FROM unnest(pg_catalog.pg_blocking_pids(l.pid)) b
			JOIN pg_catalog.pg_stat_activity o ON o.pid = b WHERE o.application_name = $1)
	ORDER BY 6 DESC`

// watch looks for sessions that wait for the run's locks until ctx ends, and
// returns an error as soon as one has waited for longer than after. It also
// returns one when it cannot look any more, or a look takes longer than within: a
// run that nobody watches could stop production.
func watch(ctx context.Context, conn *pgx.Conn, app string, after, within time.Duration) error {
	tick := time.NewTicker(max(min(watchEvery, after/4), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		one, stop := context.WithTimeout(ctx, within)
		err := look(one, conn, app, after)
		stop()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// blind is the error of a watcher that cannot look any more.
func blind(err error) error {
	e := fault.New(fault.Unexpected, "source: watch for waiting sessions: %s", pgconnect.SafeText(err)).
		WithHint("the run ended itself, because nobody could have told whether it holds production up")
	e.Err = pgconnect.Redacted(err)
	return e
}

func look(ctx context.Context, conn *pgx.Conn, app string, after time.Duration) error {
	rows, err := conn.Query(ctx, waiters, app)
	if err != nil {
		return blind(err)
	}
	defer rows.Close()
	for rows.Next() {
		var pid int32
		var user, application, query, table string
		var seconds float64
		if err := rows.Scan(&pid, &user, &application, &query, &table, &seconds); err != nil {
			return blind(err)
		}
		waited := time.Duration(seconds * float64(time.Second))
		if waited < after {
			continue
		}
		e := fault.New(fault.Guard, "session %d (user %q, application %q, %s) has waited %s for a lock on %s that this run holds: the run gave way",
			pid, user, application, queryKind(query), waited.Round(100*time.Millisecond), table).
			WithHint("run again when it is done, or allow longer waits with --yield-after")
		e.Err = ErrYielded
		return e
	}
	if err := rows.Err(); err != nil {
		return blind(err)
	}
	return nil
}

// letGo ends the run's other sessions on the source, so that their locks are gone
// at once, whatever the run is doing. Every role may end its own sessions.
func letGo(conn *pgx.Conn, app string) {
	ctx, cancel := cleanup()
	defer cancel()
	// Where it fails, the locks go when the run's own end closes the sessions.
	_, _ = conn.Exec(ctx, `SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
		WHERE application_name = $1 AND usename = session_user AND pid <> pg_catalog.pg_backend_pid()
			AND datname = pg_catalog.current_database()`, app)
}

var kindOfQuery = regexp.MustCompile(`(?i)^\s*(ALTER TABLE|ALTER [A-Z]+|TRUNCATE|DROP [A-Z]+|VACUUM|CLUSTER|LOCK|REINDEX|REFRESH MATERIALIZED VIEW|CREATE [A-Z]+|BEGIN|SELECT|INSERT|UPDATE|DELETE|DO|CALL|EXECUTE)\b`)

// queryKind is the statement's first words: enough to find who runs it, and free
// of the values in it.
func queryKind(query string) string {
	if m := kindOfQuery.FindStringSubmatch(query); m != nil {
		return strings.ToUpper(m[1])
	}
	return "ACCESS EXCLUSIVE"
}
