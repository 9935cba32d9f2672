package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/privet-dev/privet/crypto/keystore"
)

// A fetch reads or makes keysets that roots wrap, of any number of tenants: by one
// read of the keystore, and by one write a tenant where the keystore can.
type fetch[V any] struct {
	client *Client
	ids    []keystore.ID
	// generate makes a keyset, ready makes one usable that was read from rec or is
	// stored there.
	generate func() (*keyset.Handle, error)
	ready    func(h *keyset.Handle, rec *keystore.Record) (*V, error)
	// quick makes one usable without Tink's help, or returns nil.
	quick func(root *keyring, rec *keystore.Record) *V
	// held returns what is in memory already of the i-th record, or nil.
	held func(i int, rec *keystore.Record) *V
	// done is told what became of each id, by its index.
	done func(int, outcome[V])
}

func (f *fetch[V]) run(ctx context.Context, in intent) {
	all := make([]int, len(f.ids))
	for i := range all {
		all[i] = i
	}
	if in == read {
		f.read(ctx, all)
		return
	}
	f.perTenant(all, func(tenant string, which []int) { f.create(ctx, tenant, which) })
}

func (f *fetch[V]) fail(i int, err error) { f.done(i, outcome[V]{err: err}) }

// perTenant calls fn once for each tenant, at once where there are several: a root
// that cannot be had holds up its own tenant alone.
func (f *fetch[V]) perTenant(which []int, fn func(tenant string, which []int)) {
	byTenant := map[string][]int{}
	for _, i := range which {
		byTenant[f.ids[i].Tenant] = append(byTenant[f.ids[i].Tenant], i)
	}
	var group sync.WaitGroup
	for tenant, which := range byTenant {
		if len(byTenant) == 1 {
			fn(tenant, which)
			return
		}
		group.Go(func() { fn(tenant, which) })
	}
	group.Wait()
}

func (f *fetch[V]) read(ctx context.Context, which []int) {
	ids := make([]keystore.ID, len(which))
	for n, i := range which {
		ids[n] = f.ids[i]
	}
	recs, err := f.client.get(ctx, ids)
	if err != nil {
		for _, i := range which {
			f.fail(i, fmt.Errorf("crypto: reading keyring %s: %w", f.ids[i], err))
		}
		return
	}
	found := make(map[int]*keystore.Record, len(which))
	usables := which[:0:0]
	for n, i := range which {
		if err := usable(recs[n]); err != nil {
			f.fail(i, err)
			continue
		}
		found[i] = recs[n]
		usables = append(usables, i)
	}
	f.perTenant(usables, func(tenant string, which []int) { f.open(ctx, tenant, which, found) })
}

// open unwraps what was found of one tenant.
func (f *fetch[V]) open(ctx context.Context, tenant string, which []int, found map[int]*keystore.Record) {
	root, limit, err := f.root(ctx, tenant, read)
	for _, i := range which {
		rec, own, err := found[i], root, err
		if err == nil && root.lookup(rec.Parent) == nil {
			// The keyring may have been rewrapped under a root that was rotated since.
			if own, err = f.client.rootOf(ctx, rec); err == nil && own.lookup(rec.Parent) != nil {
				root = own
			}
		}
		switch {
		case errors.Is(err, errAbsent):
			f.fail(i, fmt.Errorf("%w: keyring %s is stored, but its tenant has no root", ErrKeyring, rec.ID))
			continue
		case err != nil:
			f.fail(i, err)
			continue
		}
		if f.held != nil && own.lookup(rec.Parent) != nil {
			if v := f.held(i, rec); v != nil {
				f.done(i, outcome[V]{value: v, limit: limit})
				continue
			}
		}
		if f.quick != nil {
			if v := f.quick(own, rec); v != nil {
				f.done(i, outcome[V]{value: v, limit: limit})
				continue
			}
		}
		h, err := own.unwrapKeyset(rec)
		if err != nil {
			f.fail(i, err)
			continue
		}
		f.finish(i, h, rec, limit)
	}
}

// root returns the tenant's root, and the end of its life where that is past.
func (f *fetch[V]) root(ctx context.Context, tenant string, in intent) (*keyring, time.Duration, error) {
	r, expires, err := f.client.rootUntil(ctx, tenant, in)
	if err != nil || f.client.clock.exact() < expires {
		return r, 0, err
	}
	return r, expires, nil
}

func (f *fetch[V]) finish(i int, h *keyset.Handle, rec *keystore.Record, limit time.Duration) {
	v, err := f.ready(h, rec)
	if err != nil {
		f.fail(i, fmt.Errorf("keyring %s: %w", rec.ID, err))
		return
	}
	f.done(i, outcome[V]{value: v, limit: limit})
}

// create makes keysets of one tenant and stores them wrapped by its root, which it
// makes where there is none. Where another was faster, it reads the other's.
func (f *fetch[V]) create(ctx context.Context, tenant string, which []int) {
	root, limit, err := f.root(ctx, tenant, create)
	handles := make([]*keyset.Handle, 0, len(which))
	records := make([]keystore.Record, 0, len(which))
	made := which[:0:0]
	for _, i := range which {
		err := err
		var h *keyset.Handle
		rec := keystore.Record{ID: f.ids[i], State: keystore.Active, Version: 1}
		if err == nil {
			h, err = f.generate()
		}
		if err == nil {
			rec.Wrapped, rec.Parent, err = root.wrapKeyset(rec.ID, h)
		}
		if err == nil {
			err = f.client.record(ctx, "crypto.keyring.create", rec.ID, h)
		}
		if err != nil {
			f.fail(i, err)
			continue
		}
		handles, records, made = append(handles, h), append(records, rec), append(made, i)
	}
	created, err := f.client.createAll(ctx, records)
	var lost []int
	for n, i := range made {
		switch {
		case err != nil:
			f.fail(i, fmt.Errorf("crypto: storing keyring %s: %w", f.ids[i], err))
		case created[n]:
			f.finish(i, handles[n], &records[n], limit)
		default:
			lost = append(lost, i)
		}
	}
	if len(lost) > 0 {
		f.read(ctx, lost)
	}
}
