package refresh

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// facts are what a plan needs to know of the source beyond its catalog.
type facts struct {
	standby      bool
	locks        int // room in the server's lock table
	sessions     int // what max_locks_per_transaction is multiplied with
	largeObjects int64
	notes        []string
}

func readFacts(ctx context.Context, conn *pgx.Conn) (facts, error) {
	var f facts
	var triggers, mappings int
	var perSession int
	err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('max_locks_per_transaction')::int,
		pg_catalog.current_setting('max_connections')::int + pg_catalog.current_setting('max_prepared_transactions')::int,
		(SELECT count(*) FROM pg_catalog.pg_largeobject_metadata),
		(SELECT count(*) FROM pg_catalog.pg_event_trigger t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
			WHERE d.classid = 'pg_catalog.pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e')),
		(SELECT count(*) FROM pg_catalog.pg_user_mappings)`).
		Scan(&f.standby, &perSession, &f.sessions, &f.largeObjects, &triggers, &mappings)
	if err != nil {
		return f, fmt.Errorf("source: %w", pgconnect.Redacted(err))
	}
	f.locks = perSession * f.sessions
	if triggers > 0 {
		f.notes = append(f.notes, fmt.Sprintf("%d event triggers are not copied", triggers))
	}
	if mappings > 0 {
		f.notes = append(f.notes, fmt.Sprintf("%d user mappings, which hold passwords of other systems, are not copied", mappings))
	}
	return f, nil
}

// locksFor returns the max_locks_per_transaction that makes room for n locks.
func (f facts) locksFor(n int) int { return (n + f.sessions - 1) / f.sessions }

// checkShapes refuses what no rule reaches.
func (c *compiler) checkShapes(f facts) {
	if f.largeObjects > 0 {
		c.fail("", "the source holds %d large objects, whose content no rule reaches", f.largeObjects).
			Hint = "move their content into bytea columns, or remove them (lo_unlink, vacuumlo)"
	}
	if !f.standby {
		return
	}
	for _, d := range c.res.Tables {
		if d.Table.Unlogged && d.Rows && d.Table.Kind == catalog.Ordinary {
			c.fail(d.Table.String(), "%s is unlogged, and unreadable on a standby", d.Table).
				Hint = "say rows: none for it, or use the primary as source"
		}
	}
}

// checkReadable refuses a role that would see fewer rows than there are. All
// tables count, those without rows too: every table is locked, which needs
// SELECT.
func (c *compiler) checkReadable(role string) {
	if err := readable(c.cat, role); err != nil {
		c.problem("", err)
	}
}

func readable(cat *catalog.Catalog, role string) error {
	var tables, sequences, filtered []string
	for _, t := range cat.Tables {
		if !lockable(t) {
			continue
		}
		if !t.Selectable {
			tables = append(tables, t.String())
		} else if t.RowSecurityActive {
			filtered = append(filtered, t.String())
		}
	}
	for _, s := range cat.Sequences {
		if s.Unreadable {
			sequences = append(sequences, s.String())
		}
	}
	role = quote(role)
	switch {
	case len(tables) > 0:
		return fault.New(fault.Config, "the source's role %s cannot read %s", role, strings.Join(tables, ", ")).
			WithHint("GRANT pg_read_all_data TO %s, or GRANT USAGE ON SCHEMA and SELECT ON ALL TABLES and ALL SEQUENCES IN SCHEMA", role)
	case len(filtered) > 0:
		return fault.New(fault.Config, "row security would hide rows from the source's role %s in %s", role, strings.Join(filtered, ", ")).
			WithHint("ALTER ROLE %s BYPASSRLS, or use the tables' owner", role)
	case len(sequences) > 0:
		return fault.New(fault.Config, "the source's role %s cannot read where sequences stand: %s", role, strings.Join(sequences, ", ")).
			WithHint("GRANT SELECT ON ALL SEQUENCES IN SCHEMA ... TO %s", role)
	}
	return nil
}
