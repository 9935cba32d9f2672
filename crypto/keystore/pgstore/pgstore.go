// Package pgstore keeps a keystore in PostgreSQL (14 or newer), for any number of
// processes on any number of machines.
//
// The tables stand in the schema privet. The role that migrates owns the schema, or
// may create it in the database; the one that serves afterwards needs
//
//	GRANT USAGE ON SCHEMA privet TO service;
//	GRANT SELECT ON privet.keystore_version, privet.keystore_change TO service;
//	GRANT SELECT, INSERT, UPDATE ON privet.keyring TO service;
//
// It never deletes, and is not granted to: an erased keyring leaves a tombstone.
//
// It is a [keystore.Watcher]: triggers tell of changes by NOTIFY, and a connection
// beside the pool listens. It proves itself, at the start and every 30 seconds, by a
// notification that it sends through the pool and must receive. Behind a pooler that
// gives every transaction another session (PgBouncer's transaction mode) none arrives,
// and the store asks once a second for changes instead. When a listener is lost,
// everything that was kept is forgotten, and again once another listens. Nothing else
// keeps state in a session.
package pgstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/internal/tables"
	"github.com/privet-dev/privet/internal/db"
)

// A Store is a keystore in PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

var (
	_ keystore.Store   = (*Store)(nil)
	_ keystore.Watcher = (*Store)(nil)
)

// Open opens the keystore in the database that connString names: a URI, libpq
// keywords ("service=privet"), or libpq's environment variables where it is empty. It
// makes or migrates the tables where that is due. Pool settings may stand in the
// string ("pool_max_conns=20").
func Open(ctx context.Context, connString string) (*Store, error) {
	pool, err := db.OpenPostgres(ctx, connString, tables.Schema)
	if err != nil {
		return nil, err
	}
	return &Store{pool: pool}, nil
}

const columns = `k.tenant, k.purpose, k.subject, k.state, k.wrapped, k.parent, k.kek, k.ledger, k.version, k.created_at, k.updated_at`

// Get returns one element for each id, in one round trip.
func (s *Store) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	out := make([]*keystore.Record, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	tenants, purposes, subjects := make([]string, len(ids)), make([]string, len(ids)), make([][]byte, len(ids))
	for i, id := range ids {
		tenants[i], purposes[i], subjects[i] = id.Tenant, id.Purpose, []byte(id.Subject)
	}
	rows, err := s.pool.Query(ctx, `SELECT w.i, `+columns+`
		FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY AS w (tenant, purpose, subject, i)
		JOIN privet.keyring k ON k.tenant = w.tenant AND k.purpose = w.purpose AND k.subject = w.subject`,
		tenants, purposes, subjects)
	if err != nil {
		return nil, wrap("reading", err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int64
		r, err := scan(rows, &i)
		if err != nil {
			return nil, wrap("reading", err)
		}
		out[i-1] = r
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("reading", err)
	}
	return out, nil
}

// scan reads a row of columns, after what comes before them.
func scan(rows pgx.Rows, before ...any) (*keystore.Record, error) {
	r := &keystore.Record{}
	var subject []byte
	var state, parent int64
	err := rows.Scan(append(before, &r.Tenant, &r.Purpose, &subject, &state, &r.Wrapped, &parent, &r.KEK, &r.Ledger, &r.Version, &r.Created, &r.Updated)...)
	if err != nil {
		return nil, err
	}
	r.Subject, r.State, r.Parent = string(subject), keystore.State(state), uint32(parent)
	if len(r.Wrapped) == 0 {
		r.Wrapped = nil
	}
	r.Created, r.Updated = r.Created.UTC(), r.Updated.UTC()
	return r, nil
}

// Create stores r unless a record of its ID is there.
func (s *Store) Create(ctx context.Context, r keystore.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	tag, err := s.pool.Exec(ctx, `INSERT INTO privet.keyring
		(tenant, purpose, subject, state, wrapped, parent, kek, ledger, version, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1, $9, $9) ON CONFLICT DO NOTHING`,
		r.Tenant, r.Purpose, []byte(r.Subject), int64(r.State), blob(r.Wrapped), int64(r.Parent), r.KEK, r.Ledger, now)
	if err != nil {
		return wrap("storing a keyring", err)
	}
	if tag.RowsAffected() == 0 {
		return keystore.ErrExists
	}
	return nil
}

// Update replaces the record of r's ID and Version.
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	tag, err := s.pool.Exec(ctx, `UPDATE privet.keyring
		SET state = $1, wrapped = $2, parent = $3, kek = $4, ledger = $5, version = version + 1, updated_at = $6
		WHERE tenant = $7 AND purpose = $8 AND subject = $9 AND version = $10 AND state = 1`,
		int64(r.State), blob(r.Wrapped), int64(r.Parent), r.KEK, r.Ledger, time.Now().UTC().Truncate(time.Microsecond),
		r.Tenant, r.Purpose, []byte(r.Subject), r.Version)
	if err != nil {
		return wrap("changing a keyring", err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	now, err := s.Get(ctx, []keystore.ID{r.ID})
	if err != nil {
		return err
	}
	return tables.Refusal(now[0])
}

// List returns a page of the records that pass f, in the order of their IDs.
func (s *Store) List(ctx context.Context, f keystore.Filter, after keystore.ID, limit int) ([]keystore.Record, error) {
	var query strings.Builder
	query.WriteString(`SELECT ` + columns + ` FROM privet.keyring k WHERE (k.tenant, k.purpose, k.subject) > ($1, $2, $3)`)
	args := []any{after.Tenant, after.Purpose, []byte(after.Subject)}
	add := func(condition string, value string) {
		if value != "" {
			args = append(args, value)
			fmt.Fprintf(&query, condition, len(args))
		}
	}
	add(` AND k.tenant = $%d`, f.Tenant)
	add(` AND k.purpose = $%d`, f.Purpose)
	if f.State != 0 {
		// As a constant, so that the planner sees the index of tombstones.
		fmt.Fprintf(&query, ` AND k.state = %d`, f.State)
	}
	args = append(args, keystore.PageSize(limit))
	fmt.Fprintf(&query, ` ORDER BY k.tenant, k.purpose, k.subject LIMIT $%d`, len(args))
	rows, err := s.pool.Query(ctx, query.String(), args...)
	if err != nil {
		return nil, wrap("listing", err)
	}
	defer rows.Close()
	var page []keystore.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, wrap("listing", err)
		}
		page = append(page, *r)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("listing", err)
	}
	return page, nil
}

// Close closes the pool, once all calls have returned.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// blob keeps a missing blob from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
