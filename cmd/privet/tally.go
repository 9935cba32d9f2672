package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// A tally shows how many of something are done where nobody knows how many there
// are: on one line of a terminal, in a line now and then elsewhere.
type tally struct {
	unit string

	pool *mpb.Progress // on a terminal
	bar  *mpb.Bar

	w           io.Writer // elsewhere
	start, last time.Time
}

// newTally shows on w how many of unit ("keyrings") are done.
func newTally(w io.Writer, unit string) *tally {
	t := &tally{unit: unit, w: w, start: time.Now(), last: time.Now()}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		t.pool = mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh())
		t.bar = t.pool.New(0, mpb.SpinnerStyle().PositionLeft(),
			mpb.PrependDecorators(decor.Name(unit, decor.WC{W: 12, C: decor.DindentRight}), decor.CurrentNoUnit("%d")),
			mpb.AppendDecorators(decor.AverageSpeed(0, "%.0f/s"), decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7})))
	}
	return t
}

// Set says how many are done.
func (t *tally) Set(n int64) {
	if t.bar != nil {
		t.bar.SetCurrent(n)
		return
	}
	if now := time.Now(); now.Sub(t.last) >= 5*time.Second {
		t.last = now
		fmt.Fprintf(t.w, "%s %d %s, %.0f/s\n", now.Format(time.TimeOnly), n, t.unit, float64(n)/now.Sub(t.start).Seconds())
	}
}

// Close ends the line.
func (t *tally) Close() {
	if t.bar != nil {
		t.bar.EnableTriggerComplete()
		t.bar.Abort(false)
		t.pool.Wait()
	}
}
