package crypto

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// RewrapOptions say what [Client.Rewrap] moves. The zero value moves all keyrings to
// the newest keys of their roots, and all roots under the client's own KEK.
type RewrapOptions struct {
	// KEK is where roots move to. nil means the client's own. Clients that know the
	// old one only cannot read roots that were moved: configure KEK as theirs, with
	// the old one among the former, before.
	KEK kms.KEK
	// Tenant rewraps one tenant's keyrings; "" rewraps all tenants'.
	Tenant string
	// AllRoots wraps roots anew that are under KEK already: their key material may
	// have been rotated in the key service, which leaves what was wrapped under the
	// former one.
	AllRoots bool
	// RemoveOld takes out of each root the keys that wrap nothing any more. It is
	// final: backups in which keyrings sit under them need a backup of the root as it
	// was, and the KEK which that sits under. A root that was changed within OldFor is
	// left, because processes that have it in memory as it was still make keyrings
	// under its former key.
	RemoveOld bool
	// OldFor must be longer than any client keeps keys in memory, with its grace. 0
	// means 24 hours.
	OldFor time.Duration
	// PerSecond bounds how many keyrings are changed in a second. 0 means 1000, a
	// negative number no bound.
	PerSecond float64
	// DryRun reads and counts, and changes nothing.
	DryRun bool
	// Progress, where set, is called after every keyring, from one goroutine.
	Progress func(RewrapReport)
}

func (o *RewrapOptions) oldFor() time.Duration {
	if o.OldFor == 0 {
		return 24 * time.Hour
	}
	return o.OldFor
}

func (o *RewrapOptions) pace() *pace {
	if o.PerSecond == 0 {
		return newPace(1000)
	}
	return newPace(o.PerSecond)
}

// A RewrapReport is what a rewrap did, or, where it is a dry run, would do.
type RewrapReport struct {
	KEK     string `json:"kek"` // where roots are now
	DryRun  bool   `json:"dry_run"`
	Tenants int64  `json:"tenants"`
	// Keyrings were looked at: the active ones but roots. Rewrapped of them were moved
	// to their root's newest key, the others were there.
	Keyrings  int64 `json:"keyrings"`
	Rewrapped int64 `json:"rewrapped"`
	// Roots were looked at, RootsMoved of them were moved under KEK, InsideKMS of these
	// by the key service, without leaving it.
	Roots      int64 `json:"roots"`
	RootsMoved int64 `json:"roots_moved"`
	InsideKMS  int64 `json:"inside_kms"`
	// KeysRemoved were taken out of roots. TooYoung are roots whose old keys were left
	// because they were changed a short while ago.
	KeysRemoved int64 `json:"keys_removed"`
	TooYoung    int64 `json:"too_young"`
	// Erased are tombstones, which hold nothing to move.
	Erased int64 `json:"erased"`
	// Failed keyrings could not be read and were left as they are. Problems are the
	// first of them.
	Failed   int64    `json:"failed"`
	Problems []string `json:"problems,omitempty"`
}

// maxProblems is how many problems a report describes.
const maxProblems = 20

func (r *RewrapReport) fail(err error) {
	r.Failed++
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, err.Error())
	}
}

// Rewrap moves keyrings to the newest keys of their roots, and roots under a KEK,
// without touching a ciphertext. Keys stay what they are; only what wraps them
// changes.
//
// It walks the keystore tenant by tenant in constant memory. What is in its place is
// skipped, so that whoever resumes a run calls it again; any number may run at once.
// A record that another process changes meanwhile is read again. Erasures of the
// ledger that a restored keystore lacks are carried out first. It calls the key
// service once per tenant, and for a root that moves twice more: once to move it,
// inside the service where that can ([kms.ReWrapper]), and once to prove that the
// moved root opens before it takes the place of the old one. Every tenant's part is
// recorded before it is done.
//
// A keyring that cannot be read is counted, described and left; the run goes on, and
// ends with an error. Anything else ends it at once: the report says how far it came.
func (c *Client) Rewrap(ctx context.Context, o RewrapOptions) (RewrapReport, error) {
	target := c.kek
	if o.KEK != nil {
		target = o.KEK
	}
	if err := checkRootKEK(bare(target)); err != nil {
		return RewrapReport{}, err
	}
	w := &rewrap{c: c, o: o, target: target, pace: o.pace(), report: RewrapReport{KEK: target.URI(), DryRun: o.DryRun}}
	if w.o.Progress == nil {
		w.o.Progress = func(RewrapReport) {}
	}
	err := c.pages(ctx, keystore.Filter{Tenant: o.Tenant}, func(page []keystore.Record) error { return w.page(ctx, page) })
	if err == nil {
		err = w.endTenant(ctx)
	}
	switch {
	case err != nil:
		return w.report, err
	case w.report.Failed > 0:
		return w.report, &fault.Error{
			Kind: fault.Data,
			Msg:  fmt.Sprintf("crypto: %d keyrings could not be rewrapped and were left as they are; the first: %s", w.report.Failed, w.report.Problems[0]),
			Hint: "restore them from a backup of the keystore, then run it again; what is done is skipped",
			Err:  ErrKeyring,
		}
	}
	return w.report, nil
}

// A rewrap is one run of Rewrap.
type rewrap struct {
	c      *Client
	o      RewrapOptions
	target kms.KEK
	pace   *pace
	report RewrapReport

	// The tenant in work. Without a root nothing of it can be moved.
	tenant string
	root   *openRoot
	left   bool // something of it was not moved
}

// page rewraps the records of one page.
func (w *rewrap) page(ctx context.Context, page []keystore.Record) error {
	for len(page) > 0 {
		n := 1
		for n < len(page) && page[n].Tenant == page[0].Tenant {
			n++
		}
		if page[0].Tenant != w.tenant {
			if err := w.endTenant(ctx); err != nil {
				return err
			}
			if err := w.beginTenant(ctx, page[0].Tenant); err != nil {
				return err
			}
		}
		if err := w.keyrings(ctx, page[:n]); err != nil {
			return err
		}
		page = page[n:]
	}
	return nil
}

// beginTenant reads the tenant's root as the keystore has it.
func (w *rewrap) beginTenant(ctx context.Context, tenant string) (err error) {
	w.tenant, w.root, w.left = tenant, nil, false
	w.report.Tenants++
	if err := w.carryOut(ctx); err != nil {
		return err
	}
	if w.root, err = w.openRoot(ctx); err != nil {
		return err
	}
	if w.root != nil {
		w.report.Roots++
	}
	return nil
}

// carryOut brings the keystore up to the erasure ledger before anything moves: one
// that was restored must not carry the erased over to new keys.
func (w *rewrap) carryOut(ctx context.Context) error {
	if w.c.ledger == nil || w.o.DryRun {
		return nil
	}
	recs, err := w.c.get(ctx, []keystore.ID{subjectsID(w.tenant)})
	if err == nil {
		_, err = w.c.compare(ctx, w.tenant, recs[0], false)
	}
	return err
}

// openRoot returns the root of the tenant in work, or nil where there is none that
// could be opened.
func (w *rewrap) openRoot(ctx context.Context) (*openRoot, error) {
	if err := w.pace.wait(ctx); err != nil {
		return nil, interrupted(err)
	}
	root, err := w.c.openRoot(ctx, w.tenant, w.target)
	switch {
	case errors.Is(err, errAbsent), errors.Is(err, ErrErased):
		return nil, nil
	case errors.Is(err, ErrKeyring):
		w.report.fail(err)
		w.left = true
		return nil, nil
	}
	return root, err
}

// keyrings moves those of the tenant's records to the root's newest key that are
// elsewhere, and records it before.
func (w *rewrap) keyrings(ctx context.Context, recs []keystore.Record) error {
	var stale []*keystore.Record
	for i := range recs {
		rec := &recs[i]
		switch {
		case rec.State != keystore.Active:
			w.report.Erased++
		case rec.Purpose == purposeRoot:
		case w.root == nil:
			w.report.Keyrings++
			w.report.fail(fmt.Errorf("%w: keyring %s has no root that can be opened", ErrKeyring, rec.ID))
			w.left = true
		case rec.Parent == w.root.ring.primary.id:
			w.report.Keyrings++
		default:
			w.report.Keyrings++
			stale = append(stale, rec)
		}
	}
	if len(stale) == 0 {
		w.o.Progress(w.report)
		return context.Cause(ctx)
	}
	if !w.o.DryRun {
		err := w.c.recordEvent(ctx, event.Event{
			Action: "crypto.keyring.rewrap", Tenant: w.tenant, Count: int64(len(stale)),
			Object: fmt.Sprintf("%s/%08x", purposeRoot, w.root.ring.primary.id),
		})
		if err != nil {
			return err
		}
	}
	for _, rec := range stale {
		if err := w.pace.wait(ctx); err != nil {
			return interrupted(err)
		}
		if err := w.move(ctx, rec); err != nil {
			return err
		}
		w.o.Progress(w.report)
	}
	return nil
}

// move wraps one keyring by the root's newest key.
func (w *rewrap) move(ctx context.Context, rec *keystore.Record) error {
	reopened := false
	for range maxConflicts {
		err := w.moveOnce(ctx, rec)
		conflict := errors.Is(err, keystore.ErrConflict)
		if !conflict && !errors.Is(err, ErrKeyring) {
			return err
		}
		fresh, ferr := w.c.fetch(ctx, rec.ID)
		switch {
		case errors.Is(ferr, ErrErased), errors.Is(ferr, errAbsent):
			w.report.Erased++
			return nil
		case ferr != nil:
			return ferr
		case fresh.Parent == w.root.ring.primary.id:
			return nil // another run was faster
		case !conflict && fresh.Version == rec.Version && reopened:
			w.report.fail(err)
			w.left = true
			return nil
		case !conflict && !reopened:
			// The root may have been rotated since it was read.
			reopened = true
			root, err := w.openRoot(ctx)
			if err != nil {
				return err
			}
			if root != nil {
				// What this run has seen in its place may be under a former key by now.
				w.left = w.left || root.rec.Version != w.root.rec.Version
				w.root = root
			}
		}
		rec = fresh
	}
	w.report.fail(fmt.Errorf("keyring %s is changed by others all the time", rec.ID))
	w.left = true
	return nil
}

// moveOnce returns keystore.ErrConflict where the record was changed since it was
// read, and ErrKeyring where the root does not open it.
func (w *rewrap) moveOnce(ctx context.Context, rec *keystore.Record) error {
	h, err := w.root.ring.unwrapKeyset(rec)
	if err != nil {
		return err
	}
	next := *rec
	if next.Wrapped, next.Parent, err = w.root.ring.wrapKeyset(rec.ID, h); err != nil {
		return err
	}
	if !w.o.DryRun {
		err = w.c.store.Update(ctx, next)
	}
	switch {
	case err == nil:
		w.report.Rewrapped++
	case errors.Is(err, keystore.ErrErased), errors.Is(err, keystore.ErrNotFound):
		w.report.Erased++
		err = nil
	case errors.Is(err, keystore.ErrConflict):
	default:
		err = fmt.Errorf("crypto: rewrapping keyring %s: %w", rec.ID, err)
	}
	return err
}

// interrupted says that a job was ended from outside with work left.
func interrupted(err error) error {
	return &fault.Error{
		Kind: fault.Stopped,
		Msg:  "crypto: stopped before the end: " + err.Error(),
		Hint: "run it again; what is done is skipped",
		Err:  err,
	}
}
