package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/privet-dev/privet/mask/refresh/verify"
)

// bars is the progress of a terminal: a line for each stage, a bar for all rows,
// and one for each table in work. mpb draws without colour, so that there is
// nothing for NO_COLOR to turn off.
//
// Every bar is made without a total: such a bar ends when it is told to, while one
// with a total waits for it, and planner's estimates are never right.
type bars struct {
	pool *mpb.Progress

	mu     sync.Mutex
	stage  *bar // what is under way, all rows included
	tables map[string]*bar
	phase  string // of the verification
}

func newBars(w io.Writer) *bars {
	return &bars{pool: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithAutoRefresh()), tables: map[string]*bar{}}
}

// A bar is one line of the screen. What its decorators show is atomic, because
// they run on mpb's goroutines.
type bar struct {
	*mpb.Bar
	start     time.Time
	took      atomic.Int64 // nanoseconds; 0 while it is under way
	done, all atomic.Int64 // rows; all is 0 where nobody knows
	text      atomic.Value // string
}

func (b *bar) elapsed(decor.Statistics) string {
	d := time.Duration(b.took.Load())
	if d == 0 {
		d = time.Since(b.start)
	}
	return fmt.Sprintf("%02d:%02d ", int(d.Minutes()), int(d.Seconds())%60)
}

// add moves the bar by rows, and its end along where there are more of them than
// was estimated.
func (b *bar) add(rows int64) {
	if n := b.done.Add(rows); n > b.all.Load() && b.all.Load() > 0 {
		b.all.Store(n)
		b.SetTotal(n, false)
	}
	b.IncrInt64(rows)
}

func (b *bar) end(err error) {
	b.took.Store(max(int64(time.Since(b.start)), 1))
	if err != nil {
		b.Abort(false)
		return
	}
	b.SetTotal(-1, true)
}

// outcome puts a word in the place of what moved.
func outcome(base mpb.BarFiller) mpb.BarFiller {
	return mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
		switch {
		case s.Aborted:
			_, err := io.WriteString(w, "stopped")
			return err
		case s.Completed:
			_, err := io.WriteString(w, "done")
			return err
		}
		return base.Fill(w, s)
	})
}

func (b *bars) line(name string, style mpb.BarFillerBuilder, text func(*bar) string) *bar {
	l := &bar{start: time.Now()}
	l.Bar = b.pool.New(0, style, mpb.BarFillerMiddleware(outcome),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 12, C: decor.DindentRight}), decor.Any(l.elapsed)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return text(l) })))
	l.SetTotal(1, false) // 0 of 0 would count as done even where it was stopped
	return l
}

// Stage ends the line of the stage before and begins one.
func (b *bars) Stage(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endStage(nil)
	if name != "rows" { // whose bar Total makes
		b.stage = b.line(name, mpb.SpinnerStyle().PositionLeft(), func(*bar) string { return "" })
	}
}

func (b *bars) endStage(err error) {
	if b.stage != nil {
		b.stage.end(err)
		b.stage = nil
	}
}

// Total begins the bar of all rows, on which rate and time left are shown.
func (b *bars) Total(_ int, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endStage(nil)
	b.stage = b.line("rows", mpb.BarStyle(), rowsText)
	b.stage.all.Store(max(rows, 0))
	b.stage.SetTotal(max(rows, 1), false)
}

func rowsText(l *bar) string {
	done, all := l.done.Load(), l.all.Load()
	if took := time.Duration(l.took.Load()); took > 0 {
		return fmt.Sprintf(" %d rows, %.0f rows/s", done, float64(done)/took.Seconds())
	}
	r := rate(done, l.start)
	if all == 0 {
		return fmt.Sprintf(" %d rows, %.0f rows/s", done, r)
	}
	return fmt.Sprintf(" %d / %d, %.0f rows/s%s", done, all, r, left(done, all, r))
}

// Table begins a table's own bar, which goes away when the table is done.
func (b *bars) Table(table string, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &bar{start: time.Now()}
	l.all.Store(max(rows, 0))
	l.Bar = b.pool.New(0, mpb.BarStyle(),
		mpb.PrependDecorators(decor.Name("  "+table+" ", decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			if all := l.all.Load(); all > 0 {
				return fmt.Sprintf(" %d / %d", l.done.Load(), all)
			}
			return fmt.Sprintf(" %d", l.done.Load())
		})))
	l.SetTotal(max(rows, 1), false)
	b.tables[table] = l
}

// Rows moves the table's bar and the one of all rows.
func (b *bars) Rows(table string, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range []*bar{b.tables[table], b.stage} {
		if l != nil {
			l.add(rows)
		}
	}
}

// Done takes the table's bar away.
func (b *bars) Done(table string, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.tables[table]; l != nil {
		l.Abort(true)
		delete(b.tables, table)
	}
}

// Verify moves the bar of the phase, which counts tables; rows and their rate
// stand beside it.
func (b *bars) Verify(p verify.Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stage == nil || p.Phase != b.phase {
		if b.phase == "" && b.stage != nil { // the stage's own line makes room for its phases
			b.stage.Abort(true)
			b.stage = nil
		}
		b.phase = p.Phase
		b.endStage(nil)
		b.stage = b.line("verify", mpb.BarStyle(), func(l *bar) string {
			text, _ := l.text.Load().(string)
			return " " + text
		})
		b.stage.SetTotal(int64(max(p.Of, 1)), false)
	}
	b.stage.text.Store(verifyText(p, b.stage.start))
	b.stage.SetCurrent(int64(p.Tables))
}

// Note prints a line above the bars.
func (b *bars) Note(text string) { _, _ = fmt.Fprintln(b.pool, text) }

// End ends what is still drawn, and returns when the screen shows it.
func (b *bars) End(err error) {
	b.mu.Lock()
	for _, l := range b.tables {
		l.Abort(true)
	}
	b.endStage(err)
	b.mu.Unlock()
	b.pool.Wait()
}
