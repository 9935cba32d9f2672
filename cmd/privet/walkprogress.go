package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/privet-dev/privet/crypto/reencrypt"
)

// A walkProgress shows how far a walk over one table is: on one line of a terminal, in
// a line now and then elsewhere.
type walkProgress struct {
	w        io.Writer
	terminal bool
	drawn    bool
	last     time.Time
}

func newWalkProgress(w io.Writer) *walkProgress {
	return &walkProgress{w: w, terminal: isTerminal(w) && os.Getenv("TERM") != "dumb", last: time.Now()}
}

// Set says how far the walk is.
func (p *walkProgress) Set(at reencrypt.Progress) {
	every := 5 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := fmt.Sprintf("%d rows", at.Rows)
	if at.Total > 0 {
		text = fmt.Sprintf("%d of about %d rows", at.Rows, max(at.Total, at.Rows))
	}
	text += fmt.Sprintf(", %.0f rows/s", at.PerSecond)
	if at.Left > 0 {
		text += fmt.Sprintf(", about %s left", at.Left.Round(time.Second))
	}
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", text)
		p.drawn = true
		return
	}
	fmt.Fprintf(p.w, "%s %s\n", now.Format(time.TimeOnly), text)
}

// Note writes a line of its own.
func (p *walkProgress) Note(format string, args ...any) {
	p.Close()
	fmt.Fprintf(p.w, format+"\n", args...)
}

// Close ends the line.
func (p *walkProgress) Close() {
	if p.drawn {
		fmt.Fprintln(p.w)
		p.drawn = false
	}
}
