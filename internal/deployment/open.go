package deployment

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// Options are what Open takes besides the file. The zero value is useful.
type Options struct {
	// Recorder is told of every key that is made; nil records nothing.
	Recorder event.Recorder
}

// A Deployment is everything a Config names, opened. Its fields are not changed;
// each is safe for concurrent use.
type Deployment struct {
	// Config is what was opened.
	Config *Config
	// Crypto works with the keys.
	Crypto *crypto.Client
	// Access decides what callers may do.
	Access *access.Authorizer
	// Targets are the databases that a refresh may overwrite, by the file's name
	// for them.
	Targets map[string]guard.Target

	kek    kms.KEK
	former []kms.KEK
	store  keystore.Store
	ledger ledger.Store // nil where none is named
}

// Open opens the key-encryption key, the keystore and the erasure ledger of c. An embedded
// deployment makes its state folder (0700) and key file on first use; anything a
// file names must be there. Errors are *fault.Error of kind Config that say
// which line of the file they are about. The caller closes the Deployment.
func Open(ctx context.Context, c *Config, o Options) (_ *Deployment, err error) {
	if err := c.refuseStoresOfLaterVersions(); err != nil {
		return nil, err
	}
	a, err := access.New(c.rules())
	if err != nil {
		return nil, fault.New(fault.Config, "%s: %v", c.At("roles"), err)
	}
	if c.state != "" {
		if err := c.prepareState(); err != nil {
			return nil, err
		}
	}
	d := &Deployment{Config: c, Access: a, Targets: make(map[string]guard.Target, len(c.Targets))}
	for name, t := range c.Targets {
		d.Targets[name] = guard.Target{Name: t.Name, Mark: t.Mark}
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if d.kek, err = c.openKEK(ctx); err != nil {
		return nil, err
	}
	if d.former, err = c.openFormer(ctx); err != nil {
		return nil, err
	}
	if d.store, err = c.openKeystore(ctx); err != nil {
		return nil, err
	}
	if d.ledger, err = c.openLedger(ctx); err != nil {
		return nil, err
	}
	cfg := crypto.Config{KEK: d.kek, FormerKEKs: d.former, Keystore: d.store, Ledger: d.ledger, Recorder: o.Recorder}
	if d.Crypto, err = crypto.New(ctx, cfg); err != nil {
		return nil, fault.New(fault.KindOf(err), "%s: %v", c.At("keys"), err)
	}
	return d, nil
}

// refuseStoresOfLaterVersions refuses a file that names a store this version does
// not have. An audit log that is configured and not written would be a promise
// broken in silence.
func (c *Config) refuseStoresOfLaterVersions() error {
	for _, s := range []struct{ path, text, name string }{
		{"vault", c.Vault, "token vault"},
		{"audit", c.Audit, "audit log"},
	} {
		if s.text != "" {
			return c.fail(s.path, "this version of privet has no %s store; it does not run as if it kept one", s.name).
				WithHint("take the key %s out of the file, or run a version of privet that has the store", s.path)
		}
	}
	return nil
}

// Ready says why the keystore cannot be used at the moment, or nil. It reads one
// record that need not be there, and calls no key service: tenants whose keys
// are in memory are served while that one is away.
func (d *Deployment) Ready(ctx context.Context) error {
	_, err := d.store.Get(ctx, []keystore.ID{{Tenant: "privet", Purpose: "root"}})
	return err
}

// Close drops the keys from memory and closes what Open opened.
func (d *Deployment) Close() error {
	var errs []error
	if d.Crypto != nil {
		errs = append(errs, d.Crypto.Close())
	}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.ledger != nil {
		errs = append(errs, d.ledger.Close())
	}
	for _, kek := range append([]kms.KEK{d.kek}, d.former...) {
		if k, ok := kek.(io.Closer); ok {
			errs = append(errs, k.Close())
		}
	}
	return errors.Join(errs...)
}

// prepareState makes the state folder of an embedded deployment, or refuses one
// that others can read: it holds the key beside the data.
func (c *Config) prepareState() error {
	if err := os.MkdirAll(filepath.Dir(c.state), 0o755); err != nil {
		return fault.New(fault.Config, "state folder: %v", err)
	}
	if err := os.Mkdir(c.state, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fault.New(fault.Config, "state folder: %v", err)
	}
	return privateFolder(c.state)
}
