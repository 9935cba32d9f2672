package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/privet-dev/privet/mask/refresh"
)

// A progress shows how a refresh advances and is closed when it ends.
type progress interface {
	refresh.Progress
	Close()
}

// newProgress draws bars on a terminal and writes a line now and then elsewhere.
func newProgress(w io.Writer) progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return &bars{pool: mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithAutoRefresh()), tables: map[string]*mpb.Bar{}}
	}
	return &lines{w: w, every: 5 * time.Second, tables: map[string]int64{}}
}

// bars is a bar for all rows and one for each table in work. mpb draws without
// colour, so there is nothing for NO_COLOR to turn off.
type bars struct {
	pool *mpb.Progress

	mu     sync.Mutex
	total  *mpb.Bar
	tables map[string]*mpb.Bar
	stage  *mpb.Bar
	left   int // tables
}

// Stage ends the line of the stage before and begins one.
func (b *bars) Stage(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.endStage()
	if name == "rows" {
		return
	}
	b.stage = b.pool.New(0, mpb.SpinnerStyle().PositionLeft(),
		mpb.PrependDecorators(decor.Name(name, decor.WC{W: 12, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.Elapsed(decor.ET_STYLE_MMSS)))
}

func (b *bars) endStage() {
	if b.stage != nil {
		b.stage.SetTotal(b.stage.Current(), true)
		b.stage = nil
	}
}

// Total begins the bar of all rows, on which rate and time left are shown.
func (b *bars) Total(tables int, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left = tables
	if tables == 0 {
		return
	}
	b.total = b.pool.AddBar(max(rows, 1), mpb.BarPriority(1<<20),
		mpb.PrependDecorators(decor.Name("rows", decor.WC{W: 12, C: decor.DindentRight}), decor.CountersNoUnit("%d / %d", decor.WCSyncWidth)),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5}), decor.AverageSpeed(0, " %.0f rows/s"), decor.AverageETA(decor.ET_STYLE_MMSS, decor.WC{W: 7})))
}

// Table begins a table's own bar, which goes away when the table is done.
func (b *bars) Table(table string, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tables[table] = b.pool.AddBar(max(rows, 1), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(table, decor.WCSyncSpaceR), decor.CountersNoUnit("%d / %d", decor.WCSyncWidth)),
		mpb.AppendDecorators(decor.Percentage(decor.WC{W: 5})))
}

// Rows moves the table's bar and the one of all rows.
func (b *bars) Rows(table string, rows, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bar := range []*mpb.Bar{b.tables[table], b.total} {
		if bar != nil {
			bar.IncrInt64(rows)
		}
	}
}

// Done takes the table's bar away.
func (b *bars) Done(table string, _ int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bar := b.tables[table]; bar != nil {
		bar.SetTotal(bar.Current(), true)
		delete(b.tables, table)
	}
	if b.left--; b.left == 0 && b.total != nil {
		b.total.SetTotal(b.total.Current(), true)
		b.total = nil
	}
}

// Note prints a line above the bars.
func (b *bars) Note(text string) { _, _ = fmt.Fprintln(b.pool, text) }

// Close ends what is still drawn: after a failure the bars stay where they were.
func (b *bars) Close() {
	b.mu.Lock()
	b.endStage()
	for _, bar := range b.tables {
		bar.Abort(true)
	}
	if b.total != nil {
		b.total.Abort(false)
	}
	b.mu.Unlock()
	b.pool.Wait()
}

// lines is the progress of a log file: a line for each stage, and while rows are
// copied one every few seconds.
type lines struct {
	w     io.Writer
	every time.Duration

	mu          sync.Mutex
	tables      map[string]int64
	start, last time.Time
	done, total int64
}

// Stage writes the stage's name.
func (l *lines) Stage(name string) { l.print("%s", name) }

// Total starts the clock of the rows phase.
func (l *lines) Total(tables int, rows, bytes int64) {
	l.mu.Lock()
	l.start, l.last, l.total = time.Now(), time.Now(), rows
	l.mu.Unlock()
	l.print("%d tables, about %d rows, %d MB", tables, rows, bytes>>20)
}

// Table does nothing: tables are told when they are done.
func (l *lines) Table(string, int64, int64) {}

// Rows writes a line when the last one is old enough.
func (l *lines) Rows(table string, rows, _ int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tables[table] += rows
	l.done += rows
	if time.Since(l.last) < l.every {
		return
	}
	l.last = time.Now()
	rate := float64(l.done) / time.Since(l.start).Seconds()
	text := fmt.Sprintf("%d rows, %.0f rows/s", l.done, rate)
	if l.total > l.done && rate > 0 {
		text += fmt.Sprintf(", about %s left", (time.Duration(float64(l.total-l.done)/rate) * time.Second).Round(time.Second))
	}
	fmt.Fprintf(l.w, "%s %s\n", l.last.Format(time.TimeOnly), text)
}

// Done writes the table's exact count.
func (l *lines) Done(table string, rows int64) { l.print("%s: %d rows", table, rows) }

// Note writes the line.
func (l *lines) Note(text string) { l.print("%s", text) }

// Close does nothing.
func (l *lines) Close() {}

func (l *lines) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
