// Package pgledger keeps an erasure ledger in PostgreSQL (14 or newer), for any
// number of processes on any number of machines.
//
// The database must not be the keystore's, and its backups must not be restored with
// the keystore's: the ledger is what a restored keystore is held against. Another
// server is better.
//
// The table stands in the schema privet. The role that migrates owns the schema, or
// may create it in the database; the one that serves afterwards needs
//
//	GRANT USAGE ON SCHEMA privet TO service;
//	GRANT SELECT ON privet.ledger_version TO service;
//	GRANT SELECT, INSERT ON privet.ledger_entry TO service;
//
// Nobody is granted UPDATE, DELETE or TRUNCATE, and a trigger refuses them to the
// table's owner too. It keeps no state in a session, so a pooler may stand before the
// server.
package pgledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/internal/tables"
	"github.com/privet-dev/privet/internal/db"
)

// A Store is a ledger in PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

var _ ledger.Store = (*Store)(nil)

// appendLock is the first half of the advisory lock that an append holds, the ASCII
// codes of "priv"; the second half is a hash of the tenant.
const appendLock int32 = 0x70726976

// Open opens the ledger in the database that connString names: a URI, libpq keywords
// ("service=ledger"), or libpq's environment variables where it is empty. It makes or
// migrates the table where that is due.
func Open(ctx context.Context, connString string) (*Store, error) {
	pool, err := db.OpenPostgres(ctx, connString, tables.Schema)
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool}, nil
}

const columns = `tenant, seq, subject, key, action, at, reason`

// Append adds e unless an entry of its tenant, subject and action is there. Appends
// of one tenant wait for one another until they are committed, so that numbers have
// no gaps and become visible in their order.
func (s *Store) Append(ctx context.Context, e ledger.Entry) (stored ledger.Entry, added bool, err error) {
	if err := e.Check(); err != nil {
		return ledger.Entry{}, false, err
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, hashtext($2))`, appendLock, e.Tenant); err != nil {
			return err
		}
		stored, err = scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM privet.ledger_entry WHERE tenant = $1 AND subject = $2 AND action = $3`,
			e.Tenant, []byte(e.Subject), int16(e.Action)))
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		added = true
		stored, err = scan(tx.QueryRow(ctx, `INSERT INTO privet.ledger_entry (`+columns+`)
			SELECT $1, coalesce(max(seq), 0) + 1, $2, $3, $4, $5, $6 FROM privet.ledger_entry WHERE tenant = $1 RETURNING `+columns,
			e.Tenant, []byte(e.Subject), int64(e.Key), int16(e.Action), e.Time.UTC().Truncate(time.Microsecond), e.Reason))
		return err
	})
	if err != nil {
		return ledger.Entry{}, false, wrap("appending", err)
	}
	return stored, added, nil
}

// Last returns the number of the tenant's last entry.
func (s *Store) Last(ctx context.Context, tenant string) (int64, error) {
	var last int64
	err := s.pool.QueryRow(ctx, `SELECT coalesce(max(seq), 0) FROM privet.ledger_entry WHERE tenant = $1`, tenant).Scan(&last)
	if err != nil {
		return 0, wrap("reading", err)
	}
	return last, nil
}

// List returns a page of a tenant's entries.
func (s *Store) List(ctx context.Context, tenant string, after int64, limit int) ([]ledger.Entry, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+columns+` FROM privet.ledger_entry WHERE tenant = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		tenant, after, ledger.PageSize(limit))
	if err != nil {
		return nil, wrap("listing", err)
	}
	page, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ledger.Entry, error) { return scan(row) })
	if err != nil {
		return nil, wrap("listing", err)
	}
	return page, nil
}

// Tenants returns a page of the tenants that have entries.
func (s *Store) Tenants(ctx context.Context, after string, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `SELECT tenant FROM privet.ledger_entry WHERE seq = 1 AND tenant > $1 ORDER BY tenant LIMIT $2`,
		after, ledger.PageSize(limit))
	if err != nil {
		return nil, wrap("listing", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, wrap("listing", err)
	}
	return names, nil
}

// Close closes the pool, once all calls have returned.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// scan reads a row of columns.
func scan(row pgx.Row) (ledger.Entry, error) {
	var e ledger.Entry
	var subject []byte
	var key int64
	var action int16
	if err := row.Scan(&e.Tenant, &e.Seq, &subject, &key, &action, &e.Time, &e.Reason); err != nil {
		return ledger.Entry{}, err
	}
	e.Subject, e.Key, e.Action, e.Time = string(subject), uint32(key), ledger.Action(action), e.Time.UTC()
	return e, nil
}

func wrap(doing string, err error) error {
	return fmt.Errorf("ledger (PostgreSQL): %s: %w", doing, err)
}
