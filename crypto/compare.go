package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// ErrLedger is the family of keystores and erasure ledgers that do not fit: the
// ledger lacks erasures that the keystore has carried out, it belongs to another
// keystore, or what it asks for cannot be carried out. Subjects of the tenant are
// not served until that is put right.
var ErrLedger = errors.New("crypto: the keystore and the erasure ledger do not fit")

// maxComparisons is how often records are read again because the keystore was found
// behind the ledger. Each time it is brought up to it, so that a second reading is
// the rule, and more happen only while others erase.
const maxComparisons = 16

// current reads records from the keystore, and those of subjects only from one that
// has carried out all that the ledger held when the call began.
//
// The keyset of a tenant's subjects' names says up to which entry the keystore has
// the tombstones. It is read together with the subjects' keyrings, so both are of
// one state of the keystore, and then compared with the ledger's last entry. A
// keystore that was restored, even under a running process, is behind: it is brought
// up to the ledger, and read again.
func (c *Client) current(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	var tenants []string
	if c.ledger != nil {
		tenants = tenantsOfSubjects(ids)
	}
	asked := ids[:len(ids):len(ids)]
	for _, tenant := range tenants {
		asked = append(asked, subjectsID(tenant))
	}
	for range maxComparisons {
		lasts := c.readLasts(ctx, tenants)
		recs, err := c.store.Get(ctx, asked)
		last := lasts()
		if err != nil {
			return nil, err
		}
		if len(recs) != len(asked) {
			return nil, fmt.Errorf("%d records for %d ids", len(recs), len(asked))
		}
		behind := false
		for i, tenant := range tenants {
			// A keyset of names that is itself being loaded is only asked for: carrying
			// anything out needs it.
			alone := !hasSubjects(ids, tenant)
			b, err := c.judge(ctx, tenant, recs[len(ids)+i], last[i], alone)
			if err != nil {
				return nil, err
			}
			behind = behind || b
		}
		if !behind {
			return recs[:len(ids)], nil
		}
	}
	return nil, fmt.Errorf("crypto: the keystore stayed behind the ledger: %w", keystore.ErrConflict)
}

// tenantsOfSubjects returns the tenants of subjects and of the keysets that name
// them, each once.
func tenantsOfSubjects(ids []keystore.ID) []string {
	var tenants []string
	seen := map[string]struct{}{}
	for _, id := range ids {
		if id.Purpose != purposeSubject && id != subjectsID(id.Tenant) {
			continue
		}
		if _, ok := seen[id.Tenant]; !ok {
			seen[id.Tenant] = struct{}{}
			tenants = append(tenants, id.Tenant)
		}
	}
	return tenants
}

func hasSubjects(ids []keystore.ID, tenant string) bool {
	for _, id := range ids {
		if id.Purpose == purposeSubject && id.Tenant == tenant {
			return true
		}
	}
	return false
}

// A lastEntry is the number of a tenant's last entry in the ledger.
type lastEntry struct {
	seq int64
	err error
}

// readLasts begins to read the numbers of the tenants' last entries. The function it
// returns waits for them.
func (c *Client) readLasts(ctx context.Context, tenants []string) func() []lastEntry {
	last := make([]lastEntry, len(tenants))
	var group sync.WaitGroup
	for i, tenant := range tenants {
		group.Go(func() { last[i].seq, last[i].err = c.ledger.Last(ctx, tenant) })
	}
	return func() []lastEntry {
		group.Wait()
		return last
	}
}

// compare holds the record of a tenant's keyset of names, read before, against the
// ledger. It reports whether the keystore was behind; then it no longer is.
func (c *Client) compare(ctx context.Context, tenant string, names *keystore.Record, alone bool) (behind bool, err error) {
	last := c.readLasts(ctx, []string{tenant})()
	return c.judge(ctx, tenant, names, last[0], alone)
}

// judge is compare, where the ledger's last entry was read at the same time.
func (c *Client) judge(ctx context.Context, tenant string, names *keystore.Record, read lastEntry, alone bool) (behind bool, err error) {
	last, err := read.seq, read.err
	if err == nil && names != nil && names.Ledger > last {
		// An erasure may have come between the two. Read after the record, the ledger,
		// which only grows, has whatever the keystore has.
		last, err = c.ledger.Last(ctx, tenant)
	}
	switch {
	case err != nil:
		return false, err
	case names == nil && last > 0:
		// The tenant's first subject may have been named, and erased, meanwhile.
		recs, err := c.store.Get(ctx, []keystore.ID{subjectsID(tenant)})
		if err == nil && (len(recs) != 1 || recs[0] == nil) {
			err = namesMissing(tenant, last)
		}
		return err == nil, err
	case names == nil || names.Ledger == last || alone:
		return false, nil
	case names.Ledger > last:
		return false, ledgerBehind(tenant, names.Ledger, last)
	}
	return true, c.catchUp(ctx, tenant)
}

func namesMissing(tenant string, last int64) error {
	return &fault.Error{
		Kind: fault.Verify,
		Msg: fmt.Sprintf("crypto: the erasure ledger has %d entries of tenant %q, and the keystore has no keyset %s%s that names its subjects",
			last, tenant, purposeDomain, domainSubjects),
		Hint: "this is another keystore, or one restored from before the tenant's first subject: restore a newer backup; with new names nobody could tell who was erased",
		Err:  ErrLedger,
	}
}

func ledgerBehind(tenant string, carriedOut, last int64) error {
	return &fault.Error{
		Kind: fault.Verify,
		Msg: fmt.Sprintf("crypto: the keystore has carried out %d entries of the erasure ledger for tenant %q, and the ledger has %d",
			carriedOut, tenant, last),
		Hint: "the ledger was lost, restored or exchanged: bring it back, or enter again what the keystore knows with 'privet keys shred --replay'",
		Err:  ErrLedger,
	}
}

// catchUp carries out the entries of a tenant that follow those that the keystore
// has, and notes it there, page by page: what a caller has no time for, the next goes
// on with.
func (c *Client) catchUp(ctx context.Context, tenant string) error {
	done, err := c.catching.take(ctx, tenant)
	if err != nil {
		return err
	}
	defer done()
	d, err := c.names(ctx, tenant)
	if err != nil {
		return err
	}
	for conflicts := 0; ; {
		recs, err := c.store.Get(ctx, []keystore.ID{subjectsID(tenant)})
		if err != nil {
			return err
		}
		if len(recs) != 1 || recs[0] == nil {
			return namesMissing(tenant, 0)
		}
		names := *recs[0]
		entries, err := c.ledger.List(ctx, tenant, names.Ledger, ledger.MaxPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		if _, err := c.carryOut(ctx, d, tenant, names.Ledger, entries); err != nil {
			return err
		}
		names.Ledger = entries[len(entries)-1].Seq
		switch err := c.store.Update(ctx, names); {
		case errors.Is(err, keystore.ErrConflict) && conflicts < maxConflicts:
			conflicts++
		case err != nil:
			return err
		case len(entries) < ledger.MaxPage:
			return nil
		}
	}
}

// A catching lets one of those who find a tenant's keystore behind do the work.
type catching struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // closed when it is done
}

// take waits until nobody else works on the tenant.
func (w *catching) take(ctx context.Context, tenant string) (done func(), err error) {
	for {
		w.mu.Lock()
		other, ok := w.busy[tenant]
		if !ok {
			mine := make(chan struct{})
			if w.busy == nil {
				w.busy = map[string]chan struct{}{}
			}
			w.busy[tenant] = mine
			w.mu.Unlock()
			return func() {
				w.mu.Lock()
				delete(w.busy, tenant)
				w.mu.Unlock()
				close(mine)
			}, nil
		}
		w.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, fmt.Errorf("crypto: the keystore is being brought up to the erasure ledger: %w", context.Cause(ctx))
		}
	}
}

// names returns the keyset that names a tenant's subjects, which must be there.
func (c *Client) names(ctx context.Context, tenant string) (*domain, error) {
	d, err := c.domain(ctx, tenant, domainSubjects, read)
	if !errors.Is(err, errAbsent) {
		return d, err
	}
	last, err := c.ledger.Last(ctx, tenant)
	if err != nil {
		return nil, err
	}
	return nil, namesMissing(tenant, last)
}

// carryOut makes the tombstones of entries, which follow the number after, where
// they are missing. It returns how many were.
func (c *Client) carryOut(ctx context.Context, d *domain, tenant string, after int64, entries []ledger.Entry) (made int64, err error) {
	ids := make([]keystore.ID, len(entries))
	for i, e := range entries {
		if err := d.fits(tenant, after+int64(i)+1, e); err != nil {
			return 0, err
		}
		ids[i] = keystore.ID{Tenant: tenant, Purpose: purposeSubject, Subject: e.Subject}
	}
	recs, err := c.store.Get(ctx, ids)
	if err != nil {
		return 0, err
	}
	var done []string
	// What was shredded is dropped whatever happens to the rest.
	defer func() { c.dropSubjects(tenant, done) }()
	for i, rec := range recs {
		if rec != nil && rec.State == keystore.Erased {
			continue
		}
		err := c.recordShred(ctx, event.Event{
			Tenant: tenant, Object: fmt.Sprintf("ledger/%d", entries[i].Seq), Purpose: entries[i].Reason,
		}, ids[i])
		if err != nil {
			return made, fmt.Errorf("%w: entry %d of tenant %q: %w", ErrLedger, entries[i].Seq, tenant, err)
		}
		if _, err := c.bury(ctx, ids[i]); err != nil {
			return made, err
		}
		done = append(done, ids[i].Subject)
		made++
	}
	return made, nil
}

// fits refuses an entry that this program cannot carry out in this keystore.
func (d *domain) fits(tenant string, seq int64, e ledger.Entry) error {
	refuse := func(why string) error {
		return &fault.Error{
			Kind: fault.Verify,
			Msg:  fmt.Sprintf("crypto: entry %d of tenant %q in the erasure ledger %s", seq, tenant, why),
			Hint: "check that the configuration names the ledger that belongs to this keystore",
			Err:  ErrLedger,
		}
	}
	switch {
	case e.Seq != seq || e.Tenant != tenant:
		return refuse("is missing")
	case e.Action != ledger.Shred:
		return refuse("asks for what this version does not know")
	case e.Key != d.versions[0].id:
		return refuse(fmt.Sprintf("names its subject under key %08x, and this keystore's is %08x", e.Key, d.versions[0].id))
	}
	return nil
}
