package crypto

import (
	"context"
	"time"
)

// A pace spaces out what a long job does, so that it leaves room for others. The
// zero pace does not wait.
type pace struct {
	every time.Duration
	next  time.Time
}

// newPace returns a pace of at most perSecond steps a second, evenly; 0 means no
// limit.
func newPace(perSecond float64) *pace {
	if perSecond <= 0 {
		return &pace{}
	}
	return &pace{every: time.Duration(float64(time.Second) / perSecond)}
}

// wait returns when the next step may be taken, or with the cause of ctx's end. Time
// that was not used is not made up for.
func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return context.Cause(ctx)
	}
	now := time.Now()
	if d := p.next.Sub(now); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			now = p.next
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p.next = now.Add(p.every)
	return nil
}
