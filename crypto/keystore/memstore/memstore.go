// Package memstore keeps a keystore in memory: for tests and examples. It forgets
// all keys, and with them all data encrypted under them, when the process ends.
package memstore

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
)

// A Store is a keystore in memory.
type Store struct {
	mu       sync.RWMutex
	records  map[keystore.ID]keystore.Record
	watchers watchers
}

var (
	_ keystore.Store   = (*Store)(nil)
	_ keystore.Watcher = (*Store)(nil)
)

// New returns an empty Store.
func New() *Store { return &Store{records: map[keystore.ID]keystore.Record{}} }

// now is what stores keep of the time: microseconds, in UTC.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func clone(r keystore.Record) keystore.Record {
	r.Wrapped = slices.Clone(r.Wrapped)
	return r
}

// Get returns one element for each id.
func (s *Store) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]*keystore.Record, len(ids))
	for i, id := range ids {
		if r, ok := s.records[id]; ok {
			r = clone(r)
			out[i] = &r
		}
	}
	return out, nil
}

// Create stores r unless a record of its ID is there.
func (s *Store) Create(ctx context.Context, r keystore.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.create(r) {
		return keystore.ErrExists
	}
	return nil
}

// create reports whether there was none. The mutex is held.
func (s *Store) create(r keystore.Record) bool {
	if _, ok := s.records[r.ID]; ok {
		return false
	}
	r.Version = 1
	r.Created = now()
	r.Updated = r.Created
	s.records[r.ID] = clone(r)
	return true
}

// CreateBatch stores those records of whose ID none is there.
func (s *Store) CreateBatch(ctx context.Context, records []keystore.Record) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, r := range records {
		if err := r.Check(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	created := make([]bool, len(records))
	for i, r := range records {
		created[i] = s.create(r)
	}
	return created, nil
}

// Update replaces the record of r's ID and Version.
func (s *Store) Update(ctx context.Context, r keystore.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	old, err := s.replace(r)
	if err != nil {
		return err
	}
	if old.State != r.State || old.Parent == r.Parent && old.KEK == r.KEK && !bytes.Equal(old.Wrapped, r.Wrapped) {
		s.watchers.tell(r.ID)
	}
	return nil
}

// replace stores r, and returns what it replaced.
func (s *Store) replace(r keystore.Record) (keystore.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.records[r.ID]
	switch {
	case !ok:
		return old, keystore.ErrNotFound
	case old.State == keystore.Erased:
		return old, keystore.ErrErased
	case old.Version != r.Version:
		return old, keystore.ErrConflict
	}
	r.Version++
	r.Created, r.Updated = old.Created, now()
	s.records[r.ID] = clone(r)
	return old, nil
}

// List returns a page of the records that pass f, in the order of their IDs.
func (s *Store) List(ctx context.Context, f keystore.Filter, after keystore.ID, limit int) ([]keystore.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []keystore.Record
	for id, r := range s.records {
		if (f.Tenant == "" || f.Tenant == id.Tenant) && (f.Purpose == "" || f.Purpose == id.Purpose) &&
			(f.State == 0 || f.State == r.State) && id.Compare(after) > 0 {
			page = append(page, r)
		}
	}
	slices.SortFunc(page, func(a, b keystore.Record) int { return a.ID.Compare(b.ID) })
	page = page[:min(len(page), keystore.PageSize(limit))]
	for i := range page {
		page[i] = clone(page[i])
	}
	return page, nil
}

// Close does nothing.
func (s *Store) Close() error { return nil }
