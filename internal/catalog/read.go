package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
)

// Read reads the catalog of the database that conn is connected to, with the
// rights of its role. Inside a transaction it runs there and leaves the
// transaction's settings as they were; outside it opens a read-only one of its
// own, so that all questions see one state.
//
// System schemas, temporary and TOAST tables and members of extensions are
// left out. Sizes are asked of the server, which takes a short ACCESS SHARE
// lock on each table: a session that holds one in ACCESS EXCLUSIVE mode makes
// Read wait for as long as lock_timeout allows.
//
// A server older than [MinVersion] is an error of kind fault.Config. Read does
// not close conn, and conn must not be used by others meanwhile.
func Read(ctx context.Context, conn *pgx.Conn) (*Catalog, error) {
	var c *Catalog
	run := func(q querier) (err error) {
		c, err = read(ctx, q)
		return err
	}
	var err error
	if conn.PgConn().TxStatus() == 'I' {
		err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{
			IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly,
		}, func(tx pgx.Tx) error { return run(tx) })
	} else {
		err = run(conn)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// querier is what a connection and a transaction have in common.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// reader carries what one Read has found so far.
type reader struct {
	q       querier
	c       *Catalog
	byOID   map[uint32]*Table
	columns map[uint32]map[int16]*Column
}

func read(ctx context.Context, q querier) (*Catalog, error) {
	r := &reader{q: q, c: &Catalog{}, byOID: map[uint32]*Table{}, columns: map[uint32]map[int16]*Column{}}
	// An empty search path makes format_type qualify every user type, so that a
	// type prints the same on every database and for every role.
	var path string
	err := q.QueryRow(ctx, `SELECT pg_catalog.current_database(), pg_catalog.current_setting('server_version_num')::int,
		pg_catalog.current_setting('search_path')`).Scan(&r.c.Database, &r.c.ServerVersion, &path)
	if err != nil {
		return nil, fmt.Errorf("catalog: read the server's version: %w", err)
	}
	if r.c.ServerVersion < MinVersion {
		return nil, fault.New(fault.Config, "database %q runs on PostgreSQL %d; versions 14 to 18 are supported",
			r.c.Database, r.c.ServerVersion/10000).WithHint("upgrade the server, or connect to another one")
	}
	if err := r.setPath(ctx, ""); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"tables", r.tables},
		{"inheritance", r.inheritance},
		{"columns", r.tableColumns},
		{"unique indexes", r.uniques},
		{"partition keys", r.partitionKeys},
		{"foreign keys", r.foreignKeys},
		{"sequences", r.sequences},
		{"sequence values", r.sequenceValues},
		{"extensions", r.extensions},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("catalog: read %s of database %q: %w", step.what, r.c.Database, err)
		}
	}
	if err := r.setPath(ctx, path); err != nil {
		return nil, err
	}
	r.c.arrange()
	return r.c, nil
}

// setPath sets search_path until the end of the transaction.
func (r *reader) setPath(ctx context.Context, path string) error {
	var was string
	err := r.q.QueryRow(ctx, `SELECT pg_catalog.set_config('search_path', $1, true)`, path).Scan(&was)
	if err != nil {
		return fmt.Errorf("catalog: set search_path: %w", err)
	}
	return nil
}

// each runs a query and calls scan for every row.
func (r *reader) each(ctx context.Context, sql string, scan func(rows pgx.Rows) error, args ...any) error {
	rows, err := r.q.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
