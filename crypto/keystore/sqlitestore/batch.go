package sqlitestore

import (
	"context"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
)

var _ keystore.BatchCreator = (*Store)(nil)

// CreateBatch stores those records of whose ID none is there, in one transaction.
func (s *Store) CreateBatch(ctx context.Context, records []keystore.Record) ([]bool, error) {
	for _, r := range records {
		if err := r.Check(); err != nil {
			return nil, err
		}
	}
	created := make([]bool, len(records))
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return nil, wrap("storing keyrings", err)
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, insertKeyring)
	if err != nil {
		return nil, wrap("storing keyrings", err)
	}
	defer insert.Close()
	now := time.Now().UnixMicro()
	for i, r := range records {
		res, err := insert.ExecContext(ctx, insertArgs(r, now)...)
		if err != nil {
			return nil, wrap("storing keyrings", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return nil, wrap("storing keyrings", err)
		}
		created[i] = n == 1
	}
	if err := tx.Commit(); err != nil {
		return nil, wrap("storing keyrings", err)
	}
	return created, nil
}
