package memstore

import (
	"context"
	"sync"

	"github.com/privet-dev/privet/crypto/keystore"
)

// watchers are told of changes by those who make them, one after the other.
type watchers struct {
	mu    sync.Mutex
	next  int
	calls map[int]func(keystore.ID)
}

func (w *watchers) tell(id keystore.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, changed := range w.calls {
		changed(id)
	}
}

// Watch calls changed before the Update that changed a keyring returns. changed must
// not change the store.
func (s *Store) Watch(ctx context.Context, changed func(keystore.ID)) (stop func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &s.watchers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.calls == nil {
		w.calls = map[int]func(keystore.ID){}
	}
	n := w.next
	w.next++
	w.calls[n] = changed
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.calls, n)
	}, nil
}
