// Package sqlitestore keeps a keystore in a SQLite file: for one machine. Any number
// of processes there may use it. A fleet of machines wants pgstore.
//
// It is a [keystore.Watcher]: triggers number the changes that other processes must
// hear of, and each process asks once a second for those it has not seen.
//
// Back the file up with SQLite's own means (".backup", VACUUM INTO), apart from the
// file of the local key: together they open everything.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/internal/tables"
	"github.com/privet-dev/privet/internal/db"
)

// A Store is a keystore in a SQLite file.
type Store struct{ db *db.SQLite }

var (
	_ keystore.Store   = (*Store)(nil)
	_ keystore.Watcher = (*Store)(nil)
)

// Open opens the keystore in the file at path, making the file (mode 0600) and its
// tables where there are none. The folder must exist. A file that others than its
// owner may read is refused.
func Open(ctx context.Context, path string) (*Store, error) {
	d, err := db.OpenSQLite(ctx, path, tables.Schema)
	if err != nil {
		return nil, err
	}
	return &Store{db: d}, nil
}

const columns = `k.tenant, k.purpose, k.subject, k.state, k.wrapped, k.parent, k.kek, k.ledger, k.version, k.created_us, k.updated_us`

// getBatch is how many ids one statement asks for: 3 parameters each.
const getBatch = 1000

// Get returns one element for each id. It asks for 1,000 ids a statement.
func (s *Store) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	out := make([]*keystore.Record, len(ids))
	for start := 0; start < len(ids); start += getBatch {
		end := min(start+getBatch, len(ids))
		if err := s.get(ctx, ids[start:end], out[start:end]); err != nil {
			return nil, wrap("reading", err)
		}
	}
	return out, nil
}

func (s *Store) get(ctx context.Context, ids []keystore.ID, out []*keystore.Record) error {
	var query strings.Builder
	args := make([]any, 0, 3*len(ids))
	query.WriteString(`WITH want (i, tenant, purpose, subject) AS (VALUES `)
	for i, id := range ids {
		if i > 0 {
			query.WriteByte(',')
		}
		fmt.Fprintf(&query, "(%d,?,?,?)", i)
		args = append(args, id.Tenant, id.Purpose, []byte(id.Subject))
	}
	query.WriteString(`) SELECT want.i, ` + columns + ` FROM want CROSS JOIN keyring k
		ON k.tenant = want.tenant AND k.purpose = want.purpose AND k.subject = want.subject`)
	rows, err := s.db.Read.QueryContext(ctx, query.String(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		r, err := scan(rows, &i)
		if err != nil {
			return err
		}
		out[i] = r
	}
	return rows.Err()
}

// scan reads a row of columns, after what comes before them.
func scan(rows *sql.Rows, before ...any) (*keystore.Record, error) {
	r := &keystore.Record{}
	var subject []byte
	var created, updated int64
	err := rows.Scan(append(before, &r.Tenant, &r.Purpose, &subject, &r.State, &r.Wrapped, &r.Parent, &r.KEK, &r.Ledger, &r.Version, &created, &updated)...)
	if err != nil {
		return nil, err
	}
	r.Subject = string(subject)
	if len(r.Wrapped) == 0 {
		r.Wrapped = nil
	}
	r.Created, r.Updated = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return r, nil
}

const insertKeyring = `INSERT INTO keyring
	(tenant, purpose, subject, state, wrapped, parent, kek, ledger, version, created_us, updated_us)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT DO NOTHING`

func insertArgs(r keystore.Record, now int64) []any {
	return []any{r.Tenant, r.Purpose, []byte(r.Subject), int64(r.State), blob(r.Wrapped), int64(r.Parent), r.KEK, r.Ledger, now, now}
}

// Create stores r unless a record of its ID is there.
func (s *Store) Create(ctx context.Context, r keystore.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	res, err := s.db.Write.ExecContext(ctx, insertKeyring, insertArgs(r, time.Now().UnixMicro())...)
	if err != nil {
		return wrap("storing a keyring", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, keystore.ErrExists)
	}
	return nil
}

// Update replaces the record of r's ID and Version.
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := r.Check(); err != nil {
		return err
	}
	res, err := s.db.Write.ExecContext(ctx, `UPDATE keyring
		SET state = ?, wrapped = ?, parent = ?, kek = ?, ledger = ?, version = version + 1, updated_us = ?
		WHERE tenant = ? AND purpose = ? AND subject = ? AND version = ? AND state = 1`,
		int64(r.State), blob(r.Wrapped), int64(r.Parent), r.KEK, r.Ledger, time.Now().UnixMicro(),
		r.Tenant, r.Purpose, []byte(r.Subject), r.Version)
	if err != nil {
		return wrap("changing a keyring", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return wrap("changing a keyring", err)
	}
	if n == 1 {
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
	query := `SELECT ` + columns + ` FROM keyring k WHERE (k.tenant, k.purpose, k.subject) > (?, ?, ?)`
	args := []any{after.Tenant, after.Purpose, []byte(after.Subject)}
	if f.Tenant != "" {
		query, args = query+` AND k.tenant = ?`, append(args, f.Tenant)
	}
	if f.Purpose != "" {
		query, args = query+` AND k.purpose = ?`, append(args, f.Purpose)
	}
	if f.State != 0 {
		query, args = query+` AND k.state = ?`, append(args, int64(f.State))
	}
	query += ` ORDER BY k.tenant, k.purpose, k.subject LIMIT ?`
	rows, err := s.db.Read.QueryContext(ctx, query, append(args, keystore.PageSize(limit))...)
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

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// blob keeps a missing blob from becoming NULL.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func wrap(doing string, err error) error {
	return fmt.Errorf("keystore (SQLite): %s: %w", doing, err)
}
