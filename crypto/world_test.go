package crypto_test

import (
	"context"
	"crypto/fips140"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/event"
)

// A world is a KEK and a keystore that any number of clients share, as processes
// of a deployment do.
type world struct {
	config crypto.Config
	kek    *countingKEK
	store  *countingStore
	events *eventLog
}

func newWorld(t testing.TB) *world {
	t.Helper()
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	w := &world{kek: &countingKEK{KEK: kek}, store: &countingStore{Store: memstore.New()}, events: &eventLog{}}
	w.config = crypto.Config{KEK: w.kek, Keystore: w.store, Recorder: w.events}
	return w
}

// client returns one more client, closed when the test ends.
func (w *world) client(t testing.TB) *crypto.Client {
	t.Helper()
	c, err := crypto.New(t.Context(), w.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// bubble runs a test on a clock of its own. It is left out where the FIPS module is
// enabled: that draws its entropy from the jitter of the clock, which stands still in
// there. The code that it tests is the same in both modes.
func bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		t.Skip("the entropy source of the FIPS module needs a clock that runs")
	}
	synctest.Test(t, test)
}

func newClient(t testing.TB) *crypto.Client {
	t.Helper()
	return newWorld(t).client(t)
}

// A countingKEK counts the calls that reach it, and answers with fail where set.
type countingKEK struct {
	kms.KEK
	wraps, unwraps atomic.Int64
	fail           atomic.Pointer[error]
	hook           atomic.Pointer[func(context.Context) error] // called first, where set
}

func (k *countingKEK) answer(ctx context.Context) error {
	if hook := k.hook.Load(); hook != nil {
		if err := (*hook)(ctx); err != nil {
			return err
		}
	}
	if err := k.fail.Load(); err != nil {
		return *err
	}
	return nil
}

func (k *countingKEK) Wrap(ctx context.Context, plaintext []byte, ec map[string]string) ([]byte, error) {
	k.wraps.Add(1)
	if err := k.answer(ctx); err != nil {
		return nil, err
	}
	return k.KEK.Wrap(ctx, plaintext, ec)
}

func (k *countingKEK) Unwrap(ctx context.Context, wrapped []byte, ec map[string]string) ([]byte, error) {
	k.unwraps.Add(1)
	if err := k.answer(ctx); err != nil {
		return nil, err
	}
	return k.KEK.Unwrap(ctx, wrapped, ec)
}

// A countingStore counts reads, and calls hook, where set, before each.
type countingStore struct {
	keystore.Store
	gets, creates atomic.Int64
	hook          atomic.Pointer[func(context.Context) error]
}

func (s *countingStore) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	s.gets.Add(1)
	if hook := s.hook.Load(); hook != nil {
		if err := (*hook)(ctx); err != nil {
			return nil, err
		}
	}
	return s.Store.Get(ctx, ids)
}

func (s *countingStore) Create(ctx context.Context, r keystore.Record) error {
	s.creates.Add(1)
	return s.Store.Create(ctx, r)
}

// CreateBatch counts as one creation, as it is one round trip.
func (s *countingStore) CreateBatch(ctx context.Context, records []keystore.Record) ([]bool, error) {
	s.creates.Add(1)
	return s.Store.(keystore.BatchCreator).CreateBatch(ctx, records)
}

// get returns the one record of id.
func (w *world) get(t testing.TB, id keystore.ID) keystore.Record {
	t.Helper()
	recs, err := w.store.Store.Get(t.Context(), []keystore.ID{id})
	require.NoError(t, err)
	require.NotNil(t, recs[0], "no keyring %s", id)
	return *recs[0]
}

// all returns every record.
func (w *world) all(t testing.TB) []keystore.Record {
	t.Helper()
	recs, err := w.store.List(t.Context(), keystore.Filter{}, keystore.ID{}, 0)
	require.NoError(t, err)
	return recs
}

// An eventLog keeps events, or refuses them with fail.
type eventLog struct {
	mu     sync.Mutex
	events []event.Event
	fail   error
}

func (l *eventLog) Record(_ context.Context, e event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	l.events = append(l.events, e)
	return nil
}
