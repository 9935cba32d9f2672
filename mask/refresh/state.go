package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// freshInfix and oldInfix stand between the target's name and the run's id in the
// names of a run's databases.
const freshInfix, oldInfix = "_privet_", "_old_"

// runID is what a run's id looks like.
var runID = regexp.MustCompile(`^[0-9a-f]{8}$`)

// statePrefix starts the comment of every database that a run made or replaced.
const statePrefix = "privet-refresh "

// The states of a database that belongs to a run.
const (
	stateLoading  = "loading"  // being filled, or left by a run that was killed
	stateFailed   = "failed"   // left by a run that failed
	stateVerified = "verified" // complete and proved, waiting for the swap
	stateReplaced = "replaced" // the old target, about to be dropped
	stateKept     = "kept"     // the old target, kept on request
)

// A state is what the comment of a run's database says. It stands in the
// server's shared catalog, so that it is readable without connecting to a
// database that refuses connections.
type state struct {
	State  string    `json:"state"`
	Target string    `json:"target"`
	Run    string    `json:"run"`
	At     time.Time `json:"at"`
	// Was is the comment that an old target had, without its mark.
	Was string `json:"was,omitempty"`
}

func (s state) comment() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings and a time always marshal
	}
	return statePrefix + string(b)
}

// parseState reads a comment; ok is false for one that is not a run's.
func parseState(comment string) (s state, ok bool) {
	text, found := strings.CutPrefix(comment, statePrefix)
	if !found {
		return s, false
	}
	err := json.Unmarshal([]byte(text), &s)
	return s, err == nil && s.Target != "" && s.State != ""
}

// A leftover is a database that an earlier run of the same target left behind.
type leftover struct {
	name string
	state
}

// leftovers returns the databases of earlier runs of target that nobody needs
// any more, and the verified one that waits for its swap, if there is one.
func leftovers(ctx context.Context, conn *pgx.Conn, target string) ([]leftover, error) {
	rows, err := conn.Query(ctx, `SELECT datname::text, pg_catalog.shobj_description(oid, 'pg_database')
		FROM pg_catalog.pg_database
		WHERE pg_catalog.starts_with(pg_catalog.shobj_description(oid, 'pg_database'), $1) ORDER BY 1`, statePrefix)
	if err != nil {
		return nil, fmt.Errorf("target: look for databases of earlier runs: %w", pgconnect.Redacted(err))
	}
	defer rows.Close()
	var out []leftover
	for rows.Next() {
		var l leftover
		var comment string
		if err := rows.Scan(&l.name, &comment); err != nil {
			return nil, err
		}
		s, ok := parseState(comment)
		if ok && s.Target == target && s.State != stateKept && l.name != target {
			l.state = s
			out = append(out, l)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("target: look for databases of earlier runs: %w", pgconnect.Redacted(err))
	}
	unborn, err := unborn(ctx, conn, target)
	return append(out, unborn...), err
}

// unborn returns the databases of runs that were killed while the server was
// making them, before a comment could say whose they are. They have the name that
// a run of this target gives, no comment, and have never let anybody in. A name
// that had to be cut could be another target's, and is left alone.
func unborn(ctx context.Context, conn *pgx.Conn, target string) ([]leftover, error) {
	prefix := target + freshInfix
	if besideName(target, freshInfix, "00000000") != prefix+"00000000" {
		return nil, nil
	}
	names, err := texts(ctx, conn, `SELECT d.datname::text FROM pg_catalog.pg_database d
		WHERE NOT d.datallowconn AND pg_catalog.starts_with(d.datname::text, $1) AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
			AND pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL ORDER BY 1`, prefix)
	if err != nil {
		return nil, fmt.Errorf("target: look for databases of earlier runs: %w", pgconnect.Redacted(err))
	}
	var out []leftover
	for _, name := range names {
		if id := strings.TrimPrefix(name, prefix); runID.MatchString(id) {
			out = append(out, leftover{name: name, state: state{State: stateLoading, Target: target, Run: id}})
		}
	}
	return out, nil
}

// dropLeftovers drops what earlier runs of the target left, and says so. The
// caller holds the target's run lock, so that none of them is still at work.
func dropLeftovers(ctx context.Context, conn *pgx.Conn, target string, note func(string)) error {
	found, err := leftovers(ctx, conn, target)
	if err != nil {
		return err
	}
	for _, l := range found {
		when := ""
		if !l.At.IsZero() {
			when = " of " + l.At.Format(time.RFC3339)
		}
		note(fmt.Sprintf("dropping database %q, left by run %s%s (%s)", l.name, l.Run, when, l.State))
		err := dropDatabase(ctx, conn, l.name)
		if err != nil && l.State == stateReplaced && pgconnect.Code(err) == "55006" {
			// What was in use before the swap, by a slot or a subscription, still is.
			note(fmt.Sprintf("database %q stays, because it is in use: %s; drop its logical replication slots and subscriptions", l.name, pgconnect.SafeText(err)))
			continue
		}
		if err != nil {
			return fmt.Errorf("target: drop database %q of an earlier run: %w", l.name, err)
		}
	}
	return nil
}

func dropDatabase(ctx context.Context, conn *pgx.Conn, name string) error {
	_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
	return pgconnect.Redacted(err)
}

// setState writes a database's state; it works in and outside a transaction.
func setState(ctx context.Context, conn *pgx.Conn, name string, s state) error {
	_, err := conn.Exec(ctx, "COMMENT ON DATABASE "+quote(name)+" IS "+guard.Literal(s.comment()))
	return pgconnect.Redacted(err)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
