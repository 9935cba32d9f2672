// Package sqliteledger keeps an erasure ledger in a SQLite file: for one machine. Any
// number of processes there may use it. A fleet of machines wants pgledger.
//
// The file must not be the keystore's, and its backups must not be restored with the
// keystore's: the ledger is what a restored keystore is held against.
package sqliteledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/internal/tables"
	"github.com/privet-dev/privet/internal/db"
)

// A Store is a ledger in a SQLite file.
type Store struct{ db *db.SQLite }

var _ ledger.Store = (*Store)(nil)

// Open opens the ledger in the file at path, making the file (mode 0600) and its
// table where there are none. The folder must exist. A file that others than its
// owner may read is refused.
func Open(ctx context.Context, path string) (*Store, error) {
	d, err := db.OpenSQLite(ctx, path, tables.Schema)
	if err != nil {
		return nil, err
	}
	return &Store{db: d}, nil
}

const columns = `tenant, seq, subject, key, action, at_us, reason`

// Append adds e unless an entry of its tenant, subject and action is there. The
// transaction holds the file's write lock from its beginning, so numbers have no
// gaps.
func (s *Store) Append(ctx context.Context, e ledger.Entry) (ledger.Entry, bool, error) {
	if err := e.Check(); err != nil {
		return ledger.Entry{}, false, err
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return ledger.Entry{}, false, wrap("appending", err)
	}
	defer tx.Rollback()
	stored, err := scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM ledger_entry WHERE tenant = ? AND subject = ? AND action = ?`,
		e.Tenant, []byte(e.Subject), int64(e.Action)))
	if err == nil {
		return stored, false, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return ledger.Entry{}, false, wrap("appending", err)
	}
	stored, err = scan(tx.QueryRowContext(ctx, `INSERT INTO ledger_entry (`+columns+`)
		VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM ledger_entry WHERE tenant = ?1), ?2, ?3, ?4, ?5, ?6) RETURNING `+columns,
		e.Tenant, []byte(e.Subject), int64(e.Key), int64(e.Action), e.Time.UnixMicro(), e.Reason))
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return ledger.Entry{}, false, wrap("appending", err)
	}
	return stored, true, nil
}

// Last returns the number of the tenant's last entry.
func (s *Store) Last(ctx context.Context, tenant string) (int64, error) {
	var last int64
	err := s.db.Read.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM ledger_entry WHERE tenant = ?`, tenant).Scan(&last)
	if err != nil {
		return 0, wrap("reading", err)
	}
	return last, nil
}

// List returns a page of a tenant's entries.
func (s *Store) List(ctx context.Context, tenant string, after int64, limit int) ([]ledger.Entry, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT `+columns+` FROM ledger_entry WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?`,
		tenant, after, ledger.PageSize(limit))
	if err != nil {
		return nil, wrap("listing", err)
	}
	defer rows.Close()
	var page []ledger.Entry
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, wrap("listing", err)
		}
		page = append(page, e)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("listing", err)
	}
	return page, nil
}

// Tenants returns a page of the tenants that have entries.
func (s *Store) Tenants(ctx context.Context, after string, limit int) ([]string, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT tenant FROM ledger_entry WHERE seq = 1 AND tenant > ? ORDER BY tenant LIMIT ?`,
		after, ledger.PageSize(limit))
	if err != nil {
		return nil, wrap("listing", err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, wrap("listing", err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("listing", err)
	}
	return names, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// scan reads a row of columns.
func scan(row interface{ Scan(...any) error }) (ledger.Entry, error) {
	var e ledger.Entry
	var subject []byte
	var at int64
	if err := row.Scan(&e.Tenant, &e.Seq, &subject, &e.Key, &e.Action, &at, &e.Reason); err != nil {
		return ledger.Entry{}, err
	}
	e.Subject, e.Time = string(subject), time.UnixMicro(at).UTC()
	return e, nil
}

func wrap(doing string, err error) error {
	return fmt.Errorf("ledger (SQLite): %s: %w", doing, err)
}
