// Package memledger keeps an erasure ledger in memory: for tests and examples. It
// forgets every erasure when the process ends.
package memledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/ledger"
)

// A Store is a ledger in memory.
type Store struct {
	mu      sync.RWMutex
	tenants map[string][]ledger.Entry
	found   map[name]int64 // the number of the entry
}

type name struct {
	tenant, subject string
	action          ledger.Action
}

var _ ledger.Store = (*Store)(nil)

// New returns an empty Store.
func New() *Store {
	return &Store{tenants: map[string][]ledger.Entry{}, found: map[name]int64{}}
}

// Append adds e unless an entry of its tenant, subject and action is there.
func (s *Store) Append(ctx context.Context, e ledger.Entry) (ledger.Entry, bool, error) {
	if err := ctx.Err(); err != nil {
		return ledger.Entry{}, false, err
	}
	if err := e.Check(); err != nil {
		return ledger.Entry{}, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := name{e.Tenant, e.Subject, e.Action}
	if seq, ok := s.found[n]; ok {
		return s.tenants[e.Tenant][seq-1], false, nil
	}
	e.Seq = int64(len(s.tenants[e.Tenant])) + 1
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	s.tenants[e.Tenant] = append(s.tenants[e.Tenant], e)
	s.found[n] = e.Seq
	return e, true, nil
}

// Last returns the number of the tenant's last entry.
func (s *Store) Last(ctx context.Context, tenant string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return int64(len(s.tenants[tenant])), nil
}

// List returns a page of a tenant's entries.
func (s *Store) List(ctx context.Context, tenant string, after int64, limit int) ([]ledger.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	entries := s.tenants[tenant]
	rest := entries[min(max(after, 0), int64(len(entries))):]
	return slices.Clone(rest[:min(len(rest), ledger.PageSize(limit))]), nil
}

// Tenants returns a page of the tenants that have entries.
func (s *Store) Tenants(ctx context.Context, after string, limit int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var names []string
	for t := range s.tenants {
		if t > after {
			names = append(names, t)
		}
	}
	slices.Sort(names)
	return names[:min(len(names), ledger.PageSize(limit))], nil
}

// Close does nothing.
func (s *Store) Close() error { return nil }
