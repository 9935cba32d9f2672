package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/pgledger"
	"github.com/privet-dev/privet/crypto/ledger/sqliteledger"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func newKEK(t *testing.T) kms.KEK {
	t.Helper()
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	return kek
}

// A process is one client on handles of its own.
type process struct {
	*crypto.Client
	keys    keystore.Store
	entries ledger.Store
	once    sync.Once
}

// end closes everything, as the end of a process does.
func (p *process) end(t *testing.T) {
	t.Helper()
	p.once.Do(func() {
		require.NoError(t, p.Client.Close())
		require.NoError(t, p.keys.Close())
		if p.entries != nil {
			require.NoError(t, p.entries.Close())
		}
	})
}

func start(t *testing.T, kek kms.KEK, keys keystore.Store, entries ledger.Store) *process {
	t.Helper()
	c, err := crypto.New(t.Context(), crypto.Config{KEK: kek, Keystore: keys, Ledger: entries})
	require.NoError(t, err)
	p := &process{Client: c, keys: keys, entries: entries}
	t.Cleanup(func() { p.end(t) })
	return p
}

func at(subject string) crypto.Context {
	return crypto.Context{Tenant: "acme", Subject: subject, Field: "customer.email"}
}

func (p *process) encrypt(t *testing.T, subject string) []byte {
	t.Helper()
	ciphertext, err := p.Encrypt(t.Context(), []byte("value of "+subject), at(subject))
	require.NoError(t, err)
	return ciphertext
}

func (p *process) opens(t *testing.T, subject string, ciphertext []byte) {
	t.Helper()
	plaintext, err := p.Decrypt(t.Context(), ciphertext, at(subject))
	require.NoError(t, err)
	require.Equal(t, "value of "+subject, string(plaintext))
}

func (p *process) shred(t *testing.T, subject string) crypto.Receipt {
	t.Helper()
	r, err := p.Shred(t.Context(), "acme", subject, crypto.ShredOptions{})
	require.NoError(t, err)
	return r
}

// erased: of many callers at once, the first included, nobody gets anything.
func (p *process) erased(t *testing.T, subject string, ciphertext []byte) {
	t.Helper()
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			var err error
			if i%2 == 0 {
				_, err = p.Decrypt(context.Background(), ciphertext, at(subject))
			} else {
				_, err = p.Encrypt(context.Background(), []byte("x"), at(subject))
			}
			if !errors.Is(err, crypto.ErrErased) {
				t.Errorf("subject %q: %v", subject, err)
			}
		})
	}
	group.Wait()
}

// A keystore that is restored from a backup does not bring shredded subjects back,
// not for one call.
func TestShreddedSubjectStaysErasedAfterRestore(t *testing.T) {
	t.Run("a SQLite file copied before and put back after", func(t *testing.T) {
		kek, dir := newKEK(t), t.TempDir()
		path := filepath.Join(dir, "keys.db")
		open := func(withLedger bool) *process {
			keys, err := sqlitestore.Open(t.Context(), path)
			require.NoError(t, err)
			if !withLedger {
				return start(t, kek, keys, nil)
			}
			entries, err := sqliteledger.Open(t.Context(), filepath.Join(dir, "ledger.db"))
			require.NoError(t, err)
			return start(t, kek, keys, entries)
		}
		p := open(true)
		before, kept := p.encrypt(t, "erased before the backup"), p.encrypt(t, "kept")
		first := p.shred(t, "erased before the backup")
		after := p.encrypt(t, "erased after the backup")
		p.end(t)
		backup, err := os.ReadFile(path)
		require.NoError(t, err)

		p = open(true)
		second := p.shred(t, "erased after the backup")
		p.shred(t, "unknown")
		require.EqualValues(t, 1, first.Ledger)
		require.EqualValues(t, 2, second.Ledger)
		p.end(t)
		require.NoError(t, os.WriteFile(path, backup, 0o600))

		p = open(false)
		p.opens(t, "erased after the backup", after)
		p.end(t)

		p = open(true)
		p.erased(t, "erased after the backup", after)
		p.erased(t, "erased before the backup", before)
		p.erased(t, "unknown", after)
		p.opens(t, "kept", kept)
		again := p.shred(t, "erased after the backup")
		require.True(t, again.Again)
		require.Equal(t, second.Time, again.Time, "the ledger knows when it was first done")
	})

	t.Run("a PostgreSQL table put back under a running process", func(t *testing.T) {
		kek, uri, entriesURI := newKEK(t), pgtest.Database(t), pgtest.Database(t)
		open := func() *process {
			keys, err := pgstore.Open(t.Context(), uri)
			require.NoError(t, err)
			entries, err := pgledger.Open(t.Context(), entriesURI)
			require.NoError(t, err)
			return start(t, kek, keys, entries)
		}
		p := open()
		after, kept := p.encrypt(t, "erased after the backup"), p.encrypt(t, "kept")
		many := map[string][]byte{}
		for i := range 30 {
			many[fmt.Sprint(i)] = p.encrypt(t, fmt.Sprint(i))
		}
		pgtest.Exec(t, uri, `CREATE TABLE backup AS TABLE privet.keyring`)
		p.shred(t, "erased after the backup")
		for subject := range many {
			p.shred(t, subject)
		}
		running, fresh := open(), open()
		running.opens(t, "kept", kept)
		pgtest.Exec(t, uri, `BEGIN; DELETE FROM privet.keyring; INSERT INTO privet.keyring SELECT * FROM backup; COMMIT`)
		for _, p := range []*process{running, fresh} {
			p.erased(t, "erased after the backup", after)
			p.opens(t, "kept", kept)
			for subject, ciphertext := range many {
				p.erased(t, subject, ciphertext)
			}
		}
		state, err := fresh.LedgerState(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, crypto.LedgerState{Tenant: "acme", Entries: 31, CarriedOut: 31}, state)
		report, err := fresh.Replay(t.Context())
		require.NoError(t, err)
		require.Equal(t, crypto.ReplayReport{Tenants: 1, Entries: 31}, report, "nothing was left to do")
	})

	t.Run("rows put back singly are found by a replay", func(t *testing.T) {
		kek, uri, entriesURI := newKEK(t), pgtest.Database(t), pgtest.Database(t)
		keys, err := pgstore.Open(t.Context(), uri)
		require.NoError(t, err)
		entries, err := pgledger.Open(t.Context(), entriesURI)
		require.NoError(t, err)
		p := start(t, kek, keys, entries)
		ciphertext := p.encrypt(t, "4711")
		pgtest.Exec(t, uri, `CREATE TABLE backup AS TABLE privet.keyring`)
		p.shred(t, "4711")
		pgtest.Exec(t, uri, `DELETE FROM privet.keyring WHERE state = 2; INSERT INTO privet.keyring SELECT * FROM backup ON CONFLICT DO NOTHING`)
		report, err := p.Replay(t.Context())
		require.NoError(t, err)
		require.Equal(t, crypto.ReplayReport{Tenants: 1, Entries: 1, Shredded: 1}, report)
		p.erased(t, "4711", ciphertext)
	})
}

// Another process that holds the keys in memory gives them up when the keystore tells
// it to, long before their life is over.
func TestShredReachesOtherProcesses(t *testing.T) {
	uri, path := pgtest.Database(t), filepath.Join(t.TempDir(), "keys.db")
	for name, open := range map[string]func() (keystore.Store, error){
		"PostgreSQL": func() (keystore.Store, error) { return pgstore.Open(t.Context(), uri) },
		"SQLite":     func() (keystore.Store, error) { return sqlitestore.Open(t.Context(), path) },
	} {
		t.Run(name, func(t *testing.T) {
			kek := newKEK(t)
			var p [2]*process
			for i := range p {
				keys, err := open()
				require.NoError(t, err)
				p[i] = start(t, kek, keys, nil)
			}
			ciphertext, kept := p[0].encrypt(t, "4711"), p[0].encrypt(t, "4712")
			p[1].opens(t, "4711", ciphertext)
			p[1].opens(t, "4712", kept)
			r := p[0].shred(t, "4711")
			require.True(t, r.Told)
			p[0].erased(t, "4711", ciphertext)
			require.Eventually(t, func() bool {
				_, err := p[1].Decrypt(t.Context(), ciphertext, at("4711"))
				return errors.Is(err, crypto.ErrErased)
			}, 20*time.Second, 5*time.Millisecond)
			p[1].erased(t, "4711", ciphertext)
			p[1].opens(t, "4712", kept)
		})
	}
}

// While its listener is gone a process may miss an erasure: it forgets all keys that
// it holds, and reads them again.
func TestLostListenerDropsTheCache(t *testing.T) {
	uri := pgtest.Database(t)
	keys, err := pgstore.Open(t.Context(), uri)
	require.NoError(t, err)
	kek := newKEK(t)
	p := start(t, kek, keys, nil)
	ciphertext, probe := p.encrypt(t, "4711"), p.encrypt(t, "probe")
	admin := pgtest.Connect(t, uri)
	const listener = `FROM pg_stat_activity WHERE query LIKE 'LISTEN %' AND datname = current_database()`
	listening := func(n int) func() bool {
		return func() bool {
			var got int
			return admin.QueryRow(t.Context(), `SELECT count(*) `+listener).Scan(&got) == nil && got == n
		}
	}
	require.Eventually(t, listening(1), 20*time.Second, 5*time.Millisecond)

	// It hears what a trigger tells, and then misses an erasure that none tells of.
	elsewhere, err := pgstore.Open(t.Context(), uri)
	require.NoError(t, err)
	other := start(t, kek, elsewhere, nil)
	other.shred(t, "probe")
	other.end(t)
	require.Eventually(t, func() bool {
		_, err := p.Decrypt(t.Context(), probe, at("probe"))
		return errors.Is(err, crypto.ErrErased)
	}, 20*time.Second, time.Millisecond)
	require.Eventually(t, listening(1), 20*time.Second, 5*time.Millisecond)
	_, err = admin.Exec(t.Context(), `SET session_replication_role = replica`)
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), `UPDATE privet.keyring SET state = 2, wrapped = '' WHERE purpose = 'subject' AND state = 1`)
	require.NoError(t, err)
	p.opens(t, "4711", ciphertext)
	_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) `+listener)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := p.Decrypt(t.Context(), ciphertext, at("4711"))
		return errors.Is(err, crypto.ErrErased)
	}, 20*time.Second, 5*time.Millisecond)
}
