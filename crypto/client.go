package crypto

import (
	"context"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// A Config says which keys a [Client] works with. KEK and Keystore must be set;
// the zero value of everything else is what most services want.
type Config struct {
	// KEK wraps the roots of the tenants. Its purpose, where it states one, is
	// [kms.Roots].
	KEK kms.KEK
	// Keystore holds the wrapped keyrings. Any number of clients in any number of
	// processes may share one. The client does not close it.
	Keystore keystore.Store
	// Recorder is told of every key that is made or exported, before it is: what
	// cannot be recorded is not done. nil records nothing.
	Recorder event.Recorder
	// CacheSize is how many value and subject keyrings are held in memory, about
	// 1.6 KB each, and how many roots and domains beside them. 0 means 16,384.
	CacheSize int
	// CacheLife is how long unwrapped keys are used before they are read again. The
	// key service is called once per tenant in this time. A keyring that was erased
	// or disabled by another process is used for at most this time, and one whose
	// root or KEK was for at most twice as long. 0 means 5 minutes.
	CacheLife time.Duration
	// LoadTimeout bounds the reading or making of one keyring, retries of the key
	// service included. 0 means 30 seconds.
	LoadTimeout time.Duration
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
	if p, ok := c.KEK.(kms.Purposed); ok && p.Purpose() != kms.Roots {
		return fault.New(fault.Config, "crypto: the key %s is for %s, and cannot wrap roots", c.KEK.URI(), p.Purpose()).
			WithHint("a key has one purpose; give the client one for roots")
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
	store    keystore.Store
	recorder event.Recorder
	newKeys  Algorithm

	tasks   *tasks
	roots   *loader[keyring]
	rings   *loader[keyring]
	domains *loader[domain]
}

// New returns a Client. It does no I/O: keys are read when they are first needed.
// Of ctx it keeps the values, not the cancellation.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t := newTasks(ctx, cfg.loadTimeout())
	return &Client{
		kek:      cfg.KEK,
		store:    cfg.Keystore,
		recorder: cfg.recorder(),
		newKeys:  cfg.NewKeys,
		tasks:    t,
		roots:    newLoader[keyring](cfg.cacheSize(), cfg.cacheLife(), t),
		rings:    newLoader[keyring](cfg.cacheSize(), cfg.cacheLife(), t),
		domains:  newLoader[domain](cfg.cacheSize(), cfg.cacheLife(), t),
	}, nil
}

// Close ends loads in flight, waits for them and drops all keys from memory. Calls
// after it return [ErrClosed]. Keystore and KEK stay open.
func (c *Client) Close() error {
	c.tasks.stop()
	c.roots.clear()
	c.rings.clear()
	c.domains.clear()
	return nil
}
