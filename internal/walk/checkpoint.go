package walk

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// A Checkpoint is how far a walk came.
type Checkpoint struct {
	// Fingerprint tells whether the cursor still means something: it is of the same
	// table, key and job.
	Fingerprint string
	// Cursor is the key of the last row that is done.
	Cursor []string
	// Rows is how many rows were looked at up to it.
	Rows int64
}

// A Store keeps checkpoints of jobs by name. Save and Clear take part in the page's
// transaction: changes and cursor are there together or not at all.
type Store interface {
	// Prepare makes the store usable, before the first page and in no transaction.
	Prepare(ctx context.Context, conn *pgx.Conn) error
	// Load returns the checkpoint of a job, and false where there is none.
	Load(ctx context.Context, conn *pgx.Conn, job string) (Checkpoint, bool, error)
	// Save puts a checkpoint in the place of the job's former one.
	Save(ctx context.Context, tx pgx.Tx, job string, c Checkpoint) error
	// Clear forgets a job; one that is not there is no error.
	Clear(ctx context.Context, tx pgx.Tx, job string) error
}

// CheckpointDDL makes the table of [Postgres]. Whoever gives the walking role no right
// to create schemas runs it beforehand, and grants the role USAGE on the schema privet
// and SELECT, INSERT, UPDATE, DELETE on the table.
const CheckpointDDL = `CREATE SCHEMA IF NOT EXISTS privet;
CREATE TABLE IF NOT EXISTS privet.walk (
	job         text PRIMARY KEY,
	fingerprint text NOT NULL,
	cursor      text[] NOT NULL,
	rows        bigint NOT NULL,
	updated     timestamptz NOT NULL DEFAULT pg_catalog.now()
)`

// Postgres keeps checkpoints in the table privet.walk of the walked database, from the
// first page of a walk to its last: a cursor is a primary key, which may be personal
// data where keys are not surrogates.
type Postgres struct{}

var _ Store = Postgres{}

// Prepare makes the table where it is missing. A role that may not is a [fault.Error]
// of kind Config that says what to run.
func (Postgres) Prepare(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	err := conn.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'privet' AND c.relname = 'walk'`).Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, CheckpointDDL)
	}
	if err == nil {
		_, err = conn.Exec(ctx, `SELECT FROM privet.walk LIMIT 0`)
	}
	return storeFault(conn, err)
}

// Load reads the job's row.
func (Postgres) Load(ctx context.Context, conn *pgx.Conn, job string) (c Checkpoint, ok bool, err error) {
	err = conn.QueryRow(ctx, `SELECT fingerprint, cursor, rows FROM privet.walk WHERE job = $1`, job).
		Scan(&c.Fingerprint, &c.Cursor, &c.Rows)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, storeFault(conn, err)
}

// Save writes the job's row.
func (Postgres) Save(ctx context.Context, tx pgx.Tx, job string, c Checkpoint) error {
	_, err := tx.Exec(ctx, `INSERT INTO privet.walk (job, fingerprint, cursor, rows) VALUES ($1, $2, $3, $4)
		ON CONFLICT (job) DO UPDATE SET fingerprint = excluded.fingerprint, cursor = excluded.cursor,
			rows = excluded.rows, updated = excluded.updated`, job, c.Fingerprint, c.Cursor, c.Rows)
	return storeFault(tx.Conn(), err)
}

// Clear deletes the job's row.
func (Postgres) Clear(ctx context.Context, tx pgx.Tx, job string) error {
	_, err := tx.Exec(ctx, `DELETE FROM privet.walk WHERE job = $1`, job)
	return storeFault(tx.Conn(), err)
}

// storeFault explains a refused right; what can be tried again stays as it is.
func storeFault(conn *pgx.Conn, err error) error {
	if err == nil || pgconnect.Code(err) != "42501" {
		return err
	}
	role := pgx.Identifier{conn.Config().User}.Sanitize()
	return &fault.Error{
		Kind: fault.Config,
		Msg:  fmt.Sprintf("the role may not keep its place in privet.walk: %s", pgconnect.SafeText(err)),
		Hint: fmt.Sprintf("as an administrator, run: %s; GRANT USAGE ON SCHEMA privet TO %s; GRANT SELECT, INSERT, UPDATE, DELETE ON privet.walk TO %s",
			CheckpointDDL, role, role),
		Err: pgconnect.Redacted(err),
	}
}
