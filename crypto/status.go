package crypto

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
)

// StatusOptions say what [Client.Status] looks at. The zero value counts everything
// and asks the key service once per tenant, to read its root.
type StatusOptions struct {
	// Tenant looks at one tenant; "" looks at all.
	Tenant string
	// Verify opens every keyring: a keystore that was restored is tested by it.
	Verify bool
	// Materials asks the key service which of its key's materials each root is under,
	// one more call per tenant.
	Materials bool
	// Former are KEKs that roots were under before, besides those that the client
	// knows: what is said of old backups depends on whether they still exist.
	Former []kms.KEK
	// Each, where set, is called with every tenant. An error ends the walk.
	Each func(TenantStatus) error
}

// A Count counts keyrings of one purpose.
type Count struct {
	Active int64 `json:"active"`
	Erased int64 `json:"erased"`
	// Stale ones are not under the newest key of their root; stale roots are not under
	// the client's KEK, or under former key material of it.
	Stale int64 `json:"stale"`
	// Unreadable ones cannot be opened: found where every keyring is opened, and where
	// a root is.
	Unreadable int64 `json:"unreadable"`
}

func (c *Count) add(o Count) {
	c.Active += o.Active
	c.Erased += o.Erased
	c.Stale += o.Stale
	c.Unreadable += o.Unreadable
}

// A TenantStatus is the state of one tenant's keys.
type TenantStatus struct {
	Tenant string `json:"tenant"`
	// KEK is what the root is under, Material which of its materials, where the service
	// was asked and says so.
	KEK      string `json:"kek,omitempty"`
	Material string `json:"material,omitempty"`
	// RootKeys are the keys of the root from the oldest to the newest.
	RootKeys    []RootKeyStatus `json:"root_keys,omitempty"`
	RootChanged time.Time       `json:"root_changed,omitzero"`
	// Keyrings are counted by purpose; all domains are one, "domain".
	Keyrings map[string]Count `json:"keyrings"`
	// Ledger says how far the tenant's erasures are carried out, where there is a
	// ledger.
	Ledger *LedgerState `json:"ledger,omitempty"`
	// Problems say what cannot be opened; the first 20.
	Problems []string `json:"problems,omitempty"`
}

// A RootKeyStatus is the state of one key of a root.
type RootKeyStatus struct {
	KeyInfo
	Keyrings int64 `json:"keyrings"` // that are under it
}

// A KEKStatus is the state of a KEK that roots are under or were.
type KEKStatus struct {
	URI   string `json:"uri"`
	Roots int64  `json:"roots"` // that name it
	// Current is the client's own KEK.
	Current bool `json:"current"`
	// State, Destruction and Material are what the key service says; "" and absent
	// where it does not, or was not asked because the client does not know the KEK.
	State       kms.KeyState `json:"state,omitempty"`
	Destruction time.Time    `json:"destruction,omitzero"`
	Material    string       `json:"material,omitempty"`
	Problem     string       `json:"problem,omitempty"`
}

// A Status is the state of all keys.
type Status struct {
	Tenants int64 `json:"tenants"`
	// Keyrings are counted by purpose: "root", "value", "subject", "domain".
	Keyrings map[string]Count `json:"keyrings"`
	// OldRootKeys are keys of roots that are not the newest.
	OldRootKeys int64       `json:"old_root_keys"`
	KEKs        []KEKStatus `json:"keks"`
	OldBackups  OldBackups  `json:"old_backups"`
	// Ledger is whether erasures are held against a ledger outside the keystore: without
	// one nobody notices that a restore brought erased subjects back. Behind are the
	// tenants whose erasures it has and the keystore has not, as after a restore; they
	// are carried out when the tenant's subjects are next asked for.
	Ledger   bool     `json:"ledger"`
	Behind   int64    `json:"behind_ledger"`
	Problems []string `json:"problems,omitempty"` // the first 20
}

// Stale returns how many keyrings a rewrap would move.
func (s *Status) Stale() int64 { return s.total(func(c Count) int64 { return c.Stale }) }

// Unreadable returns how many keyrings cannot be opened.
func (s *Status) Unreadable() int64 { return s.total(func(c Count) int64 { return c.Unreadable }) }

func (s *Status) total(of func(Count) int64) int64 {
	var n int64
	for _, c := range s.Keyrings {
		n += of(c)
	}
	return n
}

// Status counts keyrings, tenant by tenant and in constant memory: where they are,
// which are stale, and, where that is asked for, which cannot be opened. A root that
// cannot be opened is reported and not an error; of a key service that does not
// answer it is.
func (c *Client) Status(ctx context.Context, o StatusOptions) (Status, error) {
	w := &statusWalk{c: c, o: o, sum: Status{Keyrings: map[string]Count{}, Ledger: c.HasLedger()}, keks: map[string]*KEKStatus{}}
	if w.o.Each == nil {
		w.o.Each = func(TenantStatus) error { return nil }
	}
	w.describeKEKs(ctx)
	if err := c.walk(ctx, keystore.Filter{Tenant: o.Tenant}, func(rec *keystore.Record) error { return w.add(ctx, rec) }); err != nil {
		return w.sum, err
	}
	if err := w.endTenant(); err != nil {
		return w.sum, err
	}
	for _, k := range w.order {
		w.sum.KEKs = append(w.sum.KEKs, *k)
	}
	w.sum.OldBackups = w.sum.oldBackups(o.Tenant == "")
	return w.sum, nil
}

// A statusWalk is one run of Status.
type statusWalk struct {
	c     *Client
	o     StatusOptions
	sum   Status
	keks  map[string]*KEKStatus
	order []*KEKStatus

	tenant *TenantStatus
	root   *openRoot
}

// describeKEKs asks what the key services say of the KEKs that the client knows.
func (w *statusWalk) describeKEKs(ctx context.Context) {
	for i, k := range append(append([]kms.KEK{w.c.kek}, w.c.former...), w.o.Former...) {
		s := w.kek(k.URI())
		s.Current = s.Current || i == 0
		d, ok := bare(k).(kms.Describer)
		if !ok {
			continue
		}
		said, err := d.Describe(ctx)
		if err != nil {
			s.Problem = err.Error()
			continue
		}
		s.State, s.Destruction, s.Material = said.State, said.Destruction, said.Material
	}
}

// kek returns the entry of a KEK.
func (w *statusWalk) kek(uri string) *KEKStatus {
	k := w.keks[uri]
	if k == nil {
		k = &KEKStatus{URI: uri}
		w.keks[uri], w.order = k, append(w.order, k)
	}
	return k
}

// add counts one record.
func (w *statusWalk) add(ctx context.Context, rec *keystore.Record) error {
	if w.tenant == nil || w.tenant.Tenant != rec.Tenant {
		if err := w.endTenant(); err != nil {
			return err
		}
		if err := w.beginTenant(ctx, rec.Tenant); err != nil {
			return err
		}
	}
	purpose, _, _ := strings.Cut(rec.Purpose, "/")
	n := w.tenant.Keyrings[purpose]
	switch {
	case rec.State == keystore.Erased:
		n.Erased++
	case rec.Purpose == purposeRoot:
		n.add(w.countRoot())
	default:
		n.add(w.countKeyring(rec))
	}
	w.tenant.Keyrings[purpose] = n
	return nil
}

func (w *statusWalk) beginTenant(ctx context.Context, tenant string) error {
	w.tenant, w.root = &TenantStatus{Tenant: tenant, Keyrings: map[string]Count{}}, nil
	if w.sum.Ledger {
		l, err := w.c.LedgerState(ctx, tenant)
		if err != nil {
			return err
		}
		if w.tenant.Ledger = &l; l.CarriedOut != l.Entries {
			w.sum.Behind++
		}
	}
	root, err := w.c.openRoot(ctx, tenant, w.o.Former...)
	switch {
	case errors.Is(err, errAbsent), errors.Is(err, ErrErased):
		return nil
	case errors.Is(err, ErrKeyring), errors.Is(err, kms.ErrDenied):
		w.problem(err)
		return nil
	case err != nil:
		return err
	}
	w.root, w.tenant.KEK, w.tenant.RootChanged = root, root.rec.KEK, root.rec.Updated
	for _, k := range keysOf(root.handle) {
		w.tenant.RootKeys = append(w.tenant.RootKeys, RootKeyStatus{KeyInfo: k})
	}
	if m, ok := bare(root.kek).(kms.MaterialReader); ok && w.o.Materials {
		sealed, err := sealedRoot(root.rec)
		if err != nil {
			return err
		}
		if w.tenant.Material, err = m.Material(ctx, sealed, kms.RootContext(tenant)); err != nil {
			return fmt.Errorf("crypto: the key material of the root of tenant %q: %w", tenant, err)
		}
	}
	return nil
}

// countRoot counts the root of the tenant in work.
func (w *statusWalk) countRoot() Count {
	n := Count{Active: 1}
	if w.root == nil {
		n.Unreadable++
		return n
	}
	kek := w.kek(w.root.rec.KEK)
	kek.Roots++
	formerMaterial := w.tenant.Material != "" && kek.Material != "" && w.tenant.Material != kek.Material
	// An alias may name another key by now than the one that a record means by it.
	if kek.URI != w.c.kek.URI() || w.root.kek.URI() != w.c.kek.URI() || formerMaterial {
		n.Stale++
	}
	w.sum.OldRootKeys += int64(len(w.tenant.RootKeys) - 1)
	return n
}

// countKeyring counts what a root wraps.
func (w *statusWalk) countKeyring(rec *keystore.Record) Count {
	n := Count{Active: 1}
	if w.root == nil {
		n.Unreadable++
		return n
	}
	for i := range w.tenant.RootKeys {
		if k := &w.tenant.RootKeys[i]; k.ID == KeyID(rec.Parent) {
			k.Keyrings++
		}
	}
	if rec.Parent != w.root.ring.primary.id {
		n.Stale++
	}
	if w.o.Verify {
		h, err := w.root.ring.unwrapKeyset(rec)
		if err == nil {
			err = ready(rec.ID, h)
		}
		if err != nil {
			n.Unreadable++
			w.problem(err)
		}
	}
	return n
}

// problem notes what cannot be opened.
func (w *statusWalk) problem(err error) {
	if len(w.tenant.Problems) < maxProblems {
		w.tenant.Problems = append(w.tenant.Problems, err.Error())
	}
	if len(w.sum.Problems) < maxProblems {
		w.sum.Problems = append(w.sum.Problems, err.Error())
	}
}

// endTenant hands the tenant in work on, and adds it to the sum.
func (w *statusWalk) endTenant() error {
	if w.tenant == nil {
		return nil
	}
	w.sum.Tenants++
	for purpose, n := range w.tenant.Keyrings {
		all := w.sum.Keyrings[purpose]
		all.add(n)
		w.sum.Keyrings[purpose] = all
	}
	return w.o.Each(*w.tenant)
}
