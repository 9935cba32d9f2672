package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/verify"
)

// A progress shows how a refresh advances and is ended when it is over.
type progress interface {
	refresh.VerifyProgress
	// End takes the outcome: what is still under way was stopped by err.
	End(err error)
}

// newProgress draws bars on a terminal and writes a line now and then elsewhere.
func newProgress(w io.Writer) progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return newBars(w)
	}
	return &lines{w: w, every: 5 * time.Second}
}

// rate is rows per second since start.
func rate(rows int64, start time.Time) float64 {
	if passed := time.Since(start).Seconds(); passed > 0 {
		return float64(rows) / passed
	}
	return 0
}

// left is the time until total, "" where it cannot be told.
func left(rows, total int64, perSecond float64) string {
	if total <= rows || perSecond <= 0 {
		return ""
	}
	return fmt.Sprintf(", about %s left", time.Duration(float64(total-rows)/perSecond*float64(time.Second)).Round(time.Second))
}

// lines is the progress of a log file: a line for each stage, and while rows are
// copied or verified one every few seconds.
type lines struct {
	w     io.Writer
	every time.Duration

	mu          sync.Mutex
	start, last time.Time
	done, total int64
	phase       string // of the verification
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
func (l *lines) Rows(_ string, rows, _ int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done += rows
	if !l.due() {
		return
	}
	r := rate(l.done, l.start)
	l.write("%d rows, %.0f rows/s%s", l.done, r, left(l.done, l.total, r))
}

// Verify writes a line when the last one is old enough.
func (l *lines) Verify(p verify.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Phase != l.phase {
		l.phase, l.start, l.last = p.Phase, time.Now(), time.Now()
	}
	if l.due() {
		l.write("%s", verifyText(p, l.start))
	}
}

// verifyText says how far the verification is.
func verifyText(p verify.Progress, start time.Time) string {
	return fmt.Sprintf("%s: %d of %d tables, %d rows, %.0f rows/s", p.Phase, p.Tables, p.Of, p.Rows, rate(p.Rows, start))
}

func (l *lines) due() bool {
	if time.Since(l.last) < l.every {
		return false
	}
	l.last = time.Now()
	return true
}

// Done writes the table's exact count.
func (l *lines) Done(table string, rows int64) { l.print("%s: %d rows", table, rows) }

// Note writes the line.
func (l *lines) Note(text string) { l.print("%s", text) }

// End does nothing: the command tells the outcome.
func (l *lines) End(error) {}

func (l *lines) print(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(format, args...)
}

func (l *lines) write(format string, args ...any) {
	fmt.Fprintf(l.w, "%s %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}
