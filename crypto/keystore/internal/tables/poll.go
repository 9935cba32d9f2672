package tables

import (
	"context"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
)

// PollEvery is how often a store asks for changes where nobody tells it of them.
const PollEvery = time.Second

// ChangesPage is how many changes are told one by one. Where more have happened
// since the last look, everything is to be forgotten instead.
const ChangesPage = 1000

// A Poll looks for changes whose numbers follow Seen.
type Poll struct {
	// Seen is the number of the last change that was told.
	Seen int64
	// Last returns the number of the last change.
	Last func(ctx context.Context) (int64, error)
	// After returns up to ChangesPage keyrings whose last change follows a number.
	After func(ctx context.Context, seen int64) ([]keystore.ID, error)
}

// Look tells of what changed since the last look. A number that went back belongs to
// a keystore that was restored: everything is to be forgotten.
func (p *Poll) Look(ctx context.Context, changed func(keystore.ID)) error {
	last, err := p.Last(ctx)
	if err != nil || last == p.Seen {
		return err
	}
	if last < p.Seen || last-p.Seen > ChangesPage {
		p.Seen = last
		changed(keystore.ID{})
		return nil
	}
	ids, err := p.After(ctx, p.Seen)
	if err != nil {
		return err
	}
	p.Seen = last
	for _, id := range ids {
		changed(id)
	}
	return nil
}

// Run looks every PollEvery until ctx ends. A look that fails is made up for by the
// next.
func (p *Poll) Run(ctx context.Context, changed func(keystore.ID)) {
	tick := time.NewTicker(PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = p.Look(ctx, changed)
		}
	}
}
