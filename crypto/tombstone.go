package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/event"
)

// A grave is what bury found and left.
type grave struct {
	rec *keystore.Record // the tombstone
	// made: it was not there before. destroyed: it stands where keys were.
	made, destroyed bool
}

// bury puts a tombstone in the place of a keyring, or where none ever was. Whoever
// changes the record at the same time loses: once it returns, the keys are gone and
// none can be stored there.
func (c *Client) bury(ctx context.Context, id keystore.ID) (grave, error) {
	var g grave
	for range maxConflicts {
		recs, err := c.store.Get(ctx, []keystore.ID{id})
		if err != nil {
			return g, err
		}
		if len(recs) != 1 {
			return g, fmt.Errorf("crypto: %d records for one id", len(recs))
		}
		rec := recs[0]
		if rec != nil && rec.State == keystore.Erased {
			g.rec = rec
			return g, nil
		}
		dead := keystore.Record{ID: id, State: keystore.Erased}
		if rec == nil {
			err = c.store.Create(ctx, dead)
		} else {
			dead.Version = rec.Version
			err = c.store.Update(ctx, dead)
		}
		switch {
		case err == nil:
			g.made, g.destroyed = true, rec != nil
		case !errors.Is(err, keystore.ErrExists) && !errors.Is(err, keystore.ErrConflict) && !errors.Is(err, keystore.ErrErased):
			return g, err
		}
	}
	return g, fmt.Errorf("crypto: keyring %s changes all the time: %w", id, keystore.ErrConflict)
}

// recordShred records that a subject is shredded, before it is.
func (c *Client) recordShred(ctx context.Context, e event.Event, id keystore.ID) error {
	e.Action, e.Subject, e.Outcome, e.Count = "crypto.subject.shred", fmt.Sprintf("%x", id.Subject), "ok", 1
	if err := c.recorder.Record(ctx, e); err != nil {
		return fmt.Errorf("crypto: shredding %s could not be recorded, and was not done: %w", id, err)
	}
	return nil
}

// dropSubjects drops the keyrings of a tenant's subjects, which are named by their
// hashes.
func (c *Client) dropSubjects(tenant string, hashes []string) {
	if len(hashes) == 0 {
		return
	}
	named := make(map[string]struct{}, len(hashes))
	for _, h := range hashes {
		named[h] = struct{}{}
	}
	names := c.domains.lookup(cacheKey{tenant, domainSubjects})
	inFlight := func(k cacheKey) bool {
		if k.tenant != tenant || k.name == "" {
			return false
		}
		if names == nil {
			return true // nobody can say which
		}
		hash, err := names.value.subjectHash(tenant, k.name)
		_, ok := named[hash]
		return ok || err != nil
	}
	held := func(k cacheKey, r *keyring) bool {
		_, ok := named[r.subject]
		return ok && k.tenant == tenant
	}
	c.rings.dropHeld(inFlight, held)
}

// dropHeld is drop for what the values know better than their keys: inFlight names
// loads, held names what is in the cache.
func (l *loader[V]) dropHeld(inFlight func(cacheKey) bool, held func(cacheKey, *V) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f, r := range l.running {
		if inFlight(f.cacheKey) {
			r.dropped = true
			delete(l.running, f)
		}
	}
	keys := map[cacheKey]struct{}{}
	l.cache.mu.Lock()
	for _, e := range l.ring {
		if held(e.key, e.value) {
			keys[e.key] = struct{}{}
		}
	}
	l.cache.mu.Unlock()
	for k := range keys {
		l.discard(k)
	}
}
