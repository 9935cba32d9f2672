package pgstore

import (
	"context"
	"slices"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
)

var _ keystore.BatchCreator = (*Store)(nil)

// createBatch bounds the records of one statement.
const createBatch = 5000

// CreateBatch stores those records of whose ID none is there, 5,000 a statement.
func (s *Store) CreateBatch(ctx context.Context, records []keystore.Record) ([]bool, error) {
	for _, r := range records {
		if err := r.Check(); err != nil {
			return nil, err
		}
	}
	// All write in one order, so that two that create the same records wait for each
	// other and do not lock each other out.
	order := make([]int, len(records))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return records[a].ID.Compare(records[b].ID) })
	created := make([]bool, len(records))
	for part := range slices.Chunk(order, createBatch) {
		if err := s.create(ctx, records, part, created); err != nil {
			return nil, wrap("storing keyrings", err)
		}
	}
	return created, nil
}

func (s *Store) create(ctx context.Context, records []keystore.Record, order []int, created []bool) error {
	var (
		tenants, purposes, keks  []string
		subjects, wrapped        [][]byte
		states, parents, ledgers []int64
	)
	places := make(map[keystore.ID]int, len(order))
	for _, i := range order {
		r := &records[i]
		if _, ok := places[r.ID]; ok {
			continue
		}
		places[r.ID] = i
		tenants, purposes, subjects = append(tenants, r.Tenant), append(purposes, r.Purpose), append(subjects, []byte(r.Subject))
		states, wrapped, parents = append(states, int64(r.State)), append(wrapped, blob(r.Wrapped)), append(parents, int64(r.Parent))
		keks, ledgers = append(keks, r.KEK), append(ledgers, r.Ledger)
	}
	rows, err := s.pool.Query(ctx, `INSERT INTO privet.keyring
		(tenant, purpose, subject, state, wrapped, parent, kek, ledger, version, created_at, updated_at)
		SELECT r.tenant, r.purpose, r.subject, r.state, r.wrapped, r.parent, r.kek, r.ledger, 1, $9, $9
		FROM unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::bytea[], $6::bigint[], $7::text[], $8::bigint[])
			WITH ORDINALITY AS r (tenant, purpose, subject, state, wrapped, parent, kek, ledger, i)
		ORDER BY r.i
		ON CONFLICT DO NOTHING
		RETURNING tenant, purpose, subject`,
		tenants, purposes, subjects, states, wrapped, parents, keks, ledgers, time.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id keystore.ID
		var subject []byte
		if err := rows.Scan(&id.Tenant, &id.Purpose, &subject); err != nil {
			return err
		}
		id.Subject = string(subject)
		created[places[id]] = true
	}
	return rows.Err()
}
