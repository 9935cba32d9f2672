package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// querier is what a connection and a transaction have in common.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

type execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// database is what a session sees of its own database.
type database struct {
	oid      uint32
	name     string
	comment  string
	template bool
	standby  bool
	replayed *time.Time // newest commit replayed, on a standby; nil when none was
}

func readDatabase(ctx context.Context, q querier) (database, error) {
	var d database
	err := q.QueryRow(ctx, `
		SELECT d.oid, d.datname::text, coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), ''), d.datistemplate,
			pg_catalog.pg_is_in_recovery(), pg_catalog.pg_last_xact_replay_timestamp()
		FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()`).
		Scan(&d.oid, &d.name, &d.comment, &d.template, &d.standby, &d.replayed)
	if err != nil {
		return d, fmt.Errorf("read the database's comment: %w", err)
	}
	if !d.standby {
		d.replayed = nil
	}
	return d, nil
}

func setComment(ctx context.Context, e execer, name, text string) error {
	literal := "NULL"
	if text != "" {
		literal = Literal(text)
	}
	_, err := e.Exec(ctx, "COMMENT ON DATABASE "+pgx.Identifier{name}.Sanitize()+" IS "+literal)
	return err
}

// Literal returns s as an SQL string literal that reads the same whatever
// standard_conforming_strings says.
func Literal(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}
