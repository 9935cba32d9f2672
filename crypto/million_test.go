package crypto

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
)

// An endlessStore holds a keyring for every subject there could be, without the
// memory that it would take: it wraps the same keyset anew each time.
type endlessStore struct {
	keystore.Store
	root   *keyring
	keyset *keyset.Handle
}

func (s *endlessStore) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	recs, err := s.Store.Get(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if id.Purpose == purposeSubject {
			wrapped, parent, err := s.root.wrapKeyset(id, s.keyset)
			if err != nil {
				return nil, err
			}
			recs[i] = &keystore.Record{ID: id, State: keystore.Active, Wrapped: wrapped, Parent: parent, Version: 1}
		}
	}
	return recs, nil
}

// fill encrypts a value each of the subjects from begin to end, 1,000 a batch, and
// returns the megabytes of heap that are in use afterwards.
func fill(t testing.TB, c *Client, begin, end int) float64 {
	t.Helper()
	for ; begin < end; begin += 1000 {
		items := make([]Item, 1000)
		for i := range items {
			items[i] = Item{Data: make([]byte, 64), At: Context{Tenant: "acme", Subject: fmt.Sprint(begin + i), Field: "f"}}
		}
		for _, r := range c.EncryptBatch(t.Context(), items) {
			require.NoError(t, r.Err)
		}
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func endless(t testing.TB, cacheSize int) *Client {
	t.Helper()
	store := &endlessStore{Store: memstore.New()}
	c, err := New(t.Context(), Config{KEK: plainKEK{}, Keystore: store, CacheSize: cacheSize})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	store.root, err = c.root(t.Context(), "acme", create)
	require.NoError(t, err)
	store.keyset, err = c.generate(XAES256GCM.parameters())
	require.NoError(t, err)
	return c
}

// A plainKEK wraps nothing.
type plainKEK struct{}

func (plainKEK) URI() string { return "test:" }

func (plainKEK) Wrap(_ context.Context, plaintext []byte, _ map[string]string) ([]byte, error) {
	return plaintext, nil
}

func (plainKEK) Unwrap(_ context.Context, wrapped []byte, _ map[string]string) ([]byte, error) {
	return wrapped, nil
}

// Memory is that of the cache, however many subjects pass through it.
func TestManySubjectsHoldMemoryFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 40,000 keyrings ready")
	}
	c := endless(t, 2000)
	before := fill(t, c, 0, 10_000)
	after := fill(t, c, 10_000, 40_000)
	require.InDelta(t, before, after, 1, "megabytes of heap in use")
	require.Equal(t, 2000, c.rings.size())
}

// A million subjects through the default cache: the heap in use after the first
// 50,000 and after all.
func BenchmarkMillionSubjects(b *testing.B) {
	for b.Loop() {
		c := endless(b, 0)
		empty := fill(b, c, 0, 0)
		b.ReportMetric(fill(b, c, 0, 50_000)-empty, "MB-at-50k")
		b.ReportMetric(fill(b, c, 50_000, 1_000_000)-empty, "MB-at-1M")
		b.ReportMetric((fill(b, c, 0, 0)-empty)*(1<<20)/float64(c.rings.size()), "B/subject")
	}
}
