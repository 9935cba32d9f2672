package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// A transfer reads and shows how far it is: a bar on a terminal, a line now and
// then elsewhere.
type transfer struct {
	r     io.Reader
	total int64 // 0 where it is not known
	read  atomic.Int64

	pool *mpb.Progress // on a terminal
	bar  *mpb.Bar

	w           io.Writer // elsewhere
	start, last time.Time
}

// newTransfer shows on w how r is read.
func newTransfer(w io.Writer, name string, r io.Reader, total int64) *transfer {
	t := &transfer{r: r, total: total, w: w, start: time.Now(), last: time.Now()}
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return t
	}
	t.pool = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithAutoRefresh())
	label := decor.Name(name, decor.WC{W: 12, C: decor.DindentRight})
	speed := decor.AverageSpeed(decor.SizeB1024(0), " % .1f")
	if total > 0 {
		t.bar = t.pool.AddBar(total, mpb.PrependDecorators(label, decor.CountersKibiByte("% .1f / % .1f")),
			mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), speed, decor.AverageETA(decor.ET_STYLE_MMSS, decor.WC{W: 7})))
	} else {
		t.bar = t.pool.New(0, mpb.SpinnerStyle().PositionLeft(), mpb.PrependDecorators(label, decor.CurrentKibiByte("% .1f")),
			mpb.AppendDecorators(speed, decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7})))
	}
	return t
}

// Read reads on, and shows it.
func (t *transfer) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.read.Add(int64(n))
	if t.bar != nil {
		t.bar.IncrBy(n)
	} else if now := time.Now(); now.Sub(t.last) >= 5*time.Second {
		t.last = now
		fmt.Fprintf(t.w, "%s %s\n", now.Format(time.TimeOnly), progressLine(t.read.Load(), t.total, now.Sub(t.start)))
	}
	return n, err
}

// Close ends the bar. It stays where it was.
func (t *transfer) Close() {
	if t.bar != nil {
		t.bar.Abort(false)
		t.pool.Wait()
	}
}

// progressLine is the line of a log: how much, how fast, how long still.
func progressLine(done, total int64, elapsed time.Duration) string {
	rate := float64(done) / max(elapsed.Seconds(), 1e-3)
	text := fmt.Sprintf("% .1f, % .1f/s", decor.SizeB1024(done), decor.SizeB1024(rate))
	if total > done && rate > 0 {
		text += fmt.Sprintf(", about %s left", (time.Duration(float64(total-done)/rate) * time.Second).Round(time.Second))
	}
	return text
}

// isTerminal reports whether a person sees what is written to or read from s.
func isTerminal(s any) bool {
	f, ok := s.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
