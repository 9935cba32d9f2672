package sqlitestore

import (
	"context"
	"sync"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/internal/tables"
)

// Watch asks once a second for the changes that followed the last look. A file that
// was put in the place of the open one is not seen: processes are restarted for that.
func (s *Store) Watch(ctx context.Context, changed func(keystore.ID)) (stop func(), err error) {
	p := &tables.Poll{Last: s.lastChange, After: s.changesAfter}
	if p.Seen, err = s.lastChange(ctx); err != nil {
		return nil, wrap("watching", err)
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { p.Run(own, changed) })
	return func() {
		cancel()
		group.Wait()
	}, nil
}

func (s *Store) lastChange(ctx context.Context) (n int64, err error) {
	err = s.db.Read.QueryRowContext(ctx, `SELECT n FROM keystore_change`).Scan(&n)
	return n, err
}

func (s *Store) changesAfter(ctx context.Context, seen int64) ([]keystore.ID, error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT tenant, purpose, subject FROM keyring
		WHERE change > 0 AND change > ? ORDER BY change LIMIT ?`, seen, tables.ChangesPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []keystore.ID
	for rows.Next() {
		var id keystore.ID
		var subject []byte
		if err := rows.Scan(&id.Tenant, &id.Purpose, &subject); err != nil {
			return nil, err
		}
		id.Subject = string(subject)
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
