package crypto

import (
	"context"
	"sync"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// A Config says which keys a [Client] works with. KEK and Keystore must be set;
// the zero value of everything else is what most services want.
type Config struct {
	// KEK wraps the roots of the tenants. Its purpose, where it states one, is
	// [kms.Roots].
	KEK kms.KEK
	// FormerKEKs open roots that were wrapped before KEK took their place, until
	// [Client.Rewrap] has moved them. They wrap nothing. An alias that now names
	// another key leaves its former key here, by its ARN.
	FormerKEKs []kms.KEK
	// Keystore holds the wrapped keyrings. Any number of clients in any number of
	// processes may share one. The client does not close it.
	Keystore keystore.Store
	// Ledger is where erasures are entered before keys are destroyed. It must not be
	// restored together with the keystore. With it, a client serves a tenant's subjects
	// from a keystore only that has carried out all that the ledger holds; loading a
	// subject's keyring then costs one read of the ledger, and using one that is in
	// memory nothing. nil means that keys which a restored keystore brings back are not
	// noticed. The client does not close it.
	Ledger ledger.Store
	// Recorder is told of every key that is made or exported, before it is: what
	// cannot be recorded is not done. nil records nothing.
	Recorder event.Recorder
	// CacheSize is how many value and subject keyrings are held in memory, about
	// 1.9 KB each, and how many roots and domains beside them. 0 means 16,384.
	CacheSize int
	// CacheLife is how long unwrapped keys are used before they are read again. The
	// key service is called once per tenant in this time. A keyring that was erased
	// or disabled by another process is used for at most this time, or about a second
	// where the keystore tells ([keystore.Watcher]), and one whose root or KEK was for
	// at most twice as long. 0 means 5 minutes.
	CacheLife time.Duration
	// WriteGrace is how long past their life keys encrypt while the key service or the
	// keystore does not answer; [Client.Degraded] tells. Where it answers no (the key
	// is disabled, deleted, denied), there is no grace: everything under that key is
	// dropped at once. 0 means 3 minutes; below 0 means none.
	WriteGrace time.Duration
	// ReadGrace is the same for decryption. While the keystore does not answer, an
	// erasure by another process is not seen for as long. 0 means 1 hour; below 0
	// means none.
	ReadGrace time.Duration
	// KMSCalls is how many calls of the key service are in flight at most; more wait.
	// 0 means 16.
	KMSCalls int
	// LoadTimeout bounds the reading or making of one keyring, retries of the key
	// service included. 0 means 30 seconds.
	LoadTimeout time.Duration
	// Migration lists the fields whose plaintexts may still stand in the place of
	// ciphertexts. nil admits none.
	Migration *Migration
	// NewKeys is the algorithm of keyrings that are made from now on; the zero value
	// is XAES-256-GCM.
	NewKeys Algorithm
}

func (c *Config) recorder() event.Recorder {
	if c.Recorder == nil {
		return event.Discard
	}
	return c.Recorder
}

func (c *Config) cacheSize() int {
	if c.CacheSize <= 0 {
		return 16384
	}
	return c.CacheSize
}

func (c *Config) cacheLife() time.Duration {
	if c.CacheLife <= 0 {
		return 5 * time.Minute
	}
	return c.CacheLife
}

func (c *Config) loadTimeout() time.Duration {
	if c.LoadTimeout <= 0 {
		return 30 * time.Second
	}
	return c.LoadTimeout
}

func (c *Config) kmsCalls() int {
	if c.KMSCalls <= 0 {
		return 16
	}
	return c.KMSCalls
}

func (c *Config) terms() terms {
	grace := func(configured, otherwise time.Duration) time.Duration {
		if configured == 0 {
			return otherwise
		}
		return max(0, configured)
	}
	return terms{
		life:       c.cacheLife(),
		writeGrace: grace(c.WriteGrace, 3*time.Minute),
		readGrace:  grace(c.ReadGrace, time.Hour),
		patience:   gracePatience,
		retry:      graceRetry,
	}
}

// check returns a fault of the kind Config unless a client can be made of c.
func (c *Config) check() error {
	if c.KEK == nil {
		return fault.New(fault.Config, "crypto: no key-encryption key is configured").
			WithHint("set Config.KEK to an awskms key, or to a localkms key file on a single machine")
	}
	if c.Keystore == nil {
		return fault.New(fault.Config, "crypto: no keystore is configured").
			WithHint("set Config.Keystore; memstore forgets all keys when the process ends")
	}
	for _, k := range append([]kms.KEK{c.KEK}, c.FormerKEKs...) {
		if err := checkRootKEK(k); err != nil {
			return err
		}
	}
	if _, err := c.NewKeys.parameters(); err != nil {
		return fault.New(fault.Config, "crypto: Config.NewKeys is no algorithm for keyrings: %v", err)
	}
	return nil
}

// A Client encrypts and decrypts values under the keyrings of tenants and their
// subjects. It makes keyrings as they are first needed, and keeps those in use
// unwrapped in memory. It is safe for concurrent use; a process needs one.
type Client struct {
	kek      kms.KEK
	former   []kms.KEK
	store    keystore.Store
	ledger   ledger.Store // or nil
	recorder event.Recorder
	newKeys  Algorithm
	// migration may be nil.
	migration *Migration

	tasks                  *tasks
	clock                  *clock
	kmsSlots               chan struct{}
	kmsHealth, storeHealth *health
	denials                denials

	scratches sync.Pool

	roots    *loader[keyring]
	rings    *loader[keyring]
	domains  *loader[domain]
	watcher  watcher
	catching catching
}

// New returns a Client. It does no I/O: keys are read when they are first needed.
// Of ctx it keeps the values, not the cancellation.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	c := &Client{
		store:     cfg.Keystore,
		ledger:    cfg.Ledger,
		recorder:  cfg.recorder(),
		newKeys:   cfg.NewKeys,
		migration: cfg.Migration,
		tasks:     newTasks(ctx, cfg.loadTimeout()),
		clock:     newClock(),
		kmsSlots:  make(chan struct{}, cfg.kmsCalls()),
		denials:   denials{tenants: map[string]struct{}{}},

		scratches: sync.Pool{New: newScratch},
	}
	c.kmsHealth = &health{clock: c.clock, memory: cfg.cacheLife()}
	c.storeHealth = &health{clock: c.clock, memory: cfg.cacheLife()}
	c.kek = c.guard(cfg.KEK)
	for _, k := range cfg.FormerKEKs {
		c.former = append(c.former, c.guard(k))
	}
	reloads := &budget{every: time.Second / reloadRate}
	c.roots = newLoader(cfg.cacheSize(), c.tasks, cfg.terms(), c.clock, reloads, c.fetchRoots)
	c.rings = newLoader(cfg.cacheSize(), c.tasks, cfg.terms(), c.clock, reloads, c.fetchRings)
	c.domains = newLoader(cfg.cacheSize(), c.tasks, cfg.terms(), c.clock, reloads, c.fetchDomains)
	return c, nil
}

// Close ends loads in flight, waits for them and drops all keys from memory. Calls
// after it return [ErrClosed]. Keystore and KEK stay open.
func (c *Client) Close() error {
	c.tasks.stop()
	c.unwatch()
	c.roots.clear()
	c.rings.clear()
	c.domains.clear()
	return nil
}
