package crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// A ReplayReport says what a replay found and did.
type ReplayReport struct {
	// Tenants and Entries are how many were held against the keystore.
	Tenants int   `json:"tenants"`
	Entries int64 `json:"entries"`
	// Shredded is how many subjects the keystore had, or could have got, keys of
	// although the ledger says that they were shredded.
	Shredded int64 `json:"shredded"`
	// Entered is how many tombstones the ledger had no entry of, and has now.
	Entered int64 `json:"entered"`
}

// Replay holds the whole ledger against the whole keystore, entry by entry: whatever
// the ledger says was shredded and the keystore does not know of is shredded again,
// and tombstones that the ledger lacks are entered. It is for the hour after a
// restore, of either, and for the day a ledger is added to a keystore that has
// tombstones already; clients that meet a keystore behind its ledger need none.
//
// It can be interrupted and run again at any time. One tenant's erased subjects are
// held in memory, about 100 bytes each. A client without a ledger is an error of the
// kind Config; a ledger that belongs to another keystore is [ErrLedger].
func (c *Client) Replay(ctx context.Context) (ReplayReport, error) {
	var r ReplayReport
	if c.ledger == nil {
		return r, fault.New(fault.Config, "crypto: there is no erasure ledger to replay").
			WithHint("set keys.ledger in the deployment file, or Config.Ledger")
	}
	tenants, err := c.tenantsWithErasures(ctx)
	if err != nil {
		return r, err
	}
	for _, tenant := range tenants {
		if err := c.replayTenant(ctx, tenant, &r); err != nil {
			return r, err
		}
		r.Tenants++
	}
	return r, nil
}

// tenantsWithErasures returns the tenants that the ledger or a tombstone names.
func (c *Client) tenantsWithErasures(ctx context.Context) ([]string, error) {
	var tenants []string
	seen := map[string]struct{}{}
	add := func(tenant string) {
		if _, ok := seen[tenant]; !ok {
			seen[tenant] = struct{}{}
			tenants = append(tenants, tenant)
		}
	}
	for after := ""; ; {
		page, err := c.ledger.Tenants(ctx, after, ledger.MaxPage)
		if err != nil {
			return nil, err
		}
		for _, tenant := range page {
			add(tenant)
			after = tenant
		}
		if len(page) < ledger.MaxPage {
			break
		}
	}
	err := c.tombstones(ctx, "", func(rec keystore.Record) error {
		add(rec.Tenant)
		return nil
	})
	return tenants, err
}

// tombstones calls fn for every erased subject of a tenant, or of all.
func (c *Client) tombstones(ctx context.Context, tenant string, fn func(keystore.Record) error) error {
	var after keystore.ID
	for {
		page, err := c.store.List(ctx, keystore.Filter{Tenant: tenant, Purpose: purposeSubject, State: keystore.Erased}, after, keystore.MaxPage)
		if err != nil {
			return err
		}
		for _, rec := range page {
			if err := fn(rec); err != nil {
				return err
			}
			after = rec.ID
		}
		if len(page) < keystore.MaxPage {
			return nil
		}
	}
}

func (c *Client) replayTenant(ctx context.Context, tenant string, r *ReplayReport) error {
	d, err := c.names(ctx, tenant)
	if err != nil {
		return err
	}
	entered := map[string]struct{}{}
	last, err := c.replayEntries(ctx, d, tenant, 0, entered, r)
	if err != nil {
		return err
	}
	err = c.tombstones(ctx, tenant, func(rec keystore.Record) error {
		if _, ok := entered[rec.Subject]; ok {
			return nil
		}
		const why = "found as a tombstone"
		if err := c.recordEntry(ctx, rec.ID, why); err != nil {
			return err
		}
		_, added, err := c.ledger.Append(ctx, ledger.Entry{
			Tenant: tenant, Subject: rec.Subject, Key: d.versions[0].id,
			Action: ledger.Shred, Time: rec.Updated, Reason: why,
		})
		if added {
			r.Entered++
		}
		return err
	})
	if err != nil {
		return err
	}
	if last, err = c.replayEntries(ctx, d, tenant, last, entered, r); err != nil {
		return err
	}
	return c.noteCarriedOut(ctx, tenant, last)
}

// replayEntries carries out all entries that follow a number, and returns the last.
func (c *Client) replayEntries(ctx context.Context, d *domain, tenant string, after int64, entered map[string]struct{}, r *ReplayReport) (int64, error) {
	for {
		page, err := c.ledger.List(ctx, tenant, after, ledger.MaxPage)
		if err != nil {
			return after, err
		}
		made, err := c.carryOut(ctx, d, tenant, after, page)
		r.Shredded += made
		if err != nil {
			return after, err
		}
		for _, e := range page {
			entered[e.Subject] = struct{}{}
			after = e.Seq
		}
		r.Entries += int64(len(page))
		if len(page) < ledger.MaxPage {
			return after, nil
		}
	}
}

// noteCarriedOut notes in the keystore that it has the tombstones of all entries up
// to last, and of no more: a number from another ledger goes.
func (c *Client) noteCarriedOut(ctx context.Context, tenant string, last int64) error {
	for range maxConflicts {
		recs, err := c.store.Get(ctx, []keystore.ID{subjectsID(tenant)})
		if err != nil {
			return err
		}
		if len(recs) != 1 || recs[0] == nil {
			return namesMissing(tenant, last)
		}
		names := *recs[0]
		if names.Ledger == last {
			return nil
		}
		names.Ledger = last
		if err := c.store.Update(ctx, names); !errors.Is(err, keystore.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("crypto: keyset %s changes all the time: %w", subjectsID(tenant), keystore.ErrConflict)
}

func (c *Client) recordEntry(ctx context.Context, id keystore.ID, why string) error {
	err := c.recorder.Record(ctx, event.Event{
		Action: "crypto.ledger.enter", Tenant: id.Tenant, Object: "subject", Subject: fmt.Sprintf("%x", id.Subject),
		Purpose: why, Outcome: "ok", Count: 1,
	})
	if err != nil {
		return fmt.Errorf("crypto: entering the tombstone of %s could not be recorded, and was not done: %w", id, err)
	}
	return nil
}

// A LedgerState says how far a tenant's erasures are carried out in the keystore.
type LedgerState struct {
	Tenant string `json:"tenant"`
	// Entries is how many the ledger has of the tenant, and CarriedOut up to which of
	// them the keystore has the tombstones. Less means a keystore that was restored or
	// an erasure under way, more a ledger that lost entries.
	Entries    int64 `json:"entries"`
	CarriedOut int64 `json:"carried_out"`
}

// HasLedger reports whether the client has an erasure ledger. Without one nobody can
// tell that a keystore was restored to a state in which erased subjects have keys.
func (c *Client) HasLedger() bool { return c.ledger != nil }

// LedgerState compares a tenant's erasures in ledger and keystore, and changes
// nothing. Without a ledger, Entries is 0.
func (c *Client) LedgerState(ctx context.Context, tenant string) (LedgerState, error) {
	s := LedgerState{Tenant: tenant}
	recs, err := c.store.Get(ctx, []keystore.ID{subjectsID(tenant)})
	if err != nil {
		return s, fmt.Errorf("crypto: reading keyset %s: %w", subjectsID(tenant), err)
	}
	if len(recs) == 1 && recs[0] != nil {
		s.CarriedOut = recs[0].Ledger
	}
	if c.ledger != nil {
		s.Entries, err = c.ledger.Last(ctx, tenant)
	}
	return s, err
}
