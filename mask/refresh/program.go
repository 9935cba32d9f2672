package refresh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// runProgram runs one of PostgreSQL's programs against a place and returns what
// it printed. The password goes through the environment. What the program says
// of its failure is reduced to what quotes no row.
func runProgram(ctx context.Context, name string, serverVersion int, place *pgconnect.Target, app string, args ...string) ([]byte, error) {
	path, err := pgbin.FindFor(ctx, name, serverVersion/10000)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	// Asked to stop, pg_restore also cancels what its parallel workers have
	// started on the server; killed, it would leave them behind.
	cmd.Cancel = func() error {
		if cmd.Process.Signal(syscall.SIGTERM) != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = 5 * time.Second
	if place != nil {
		cmd.Env = place.Env(app, name == "pg_restore")
	}
	var out bytes.Buffer
	stderr := &tail{}
	cmd.Stdout, cmd.Stderr = &out, stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, programFault(name, stderr.String(), err)
	}
	return out.Bytes(), nil
}

// tail keeps the beginning of what is written to it: a program's first error is
// the cause, what follows are consequences.
type tail struct{ buf bytes.Buffer }

const tailLimit = 64 << 10

// Write keeps what still fits and takes the rest without keeping it.
func (t *tail) Write(p []byte) (int, error) {
	if room := tailLimit - t.buf.Len(); room > 0 {
		t.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (t *tail) String() string { return t.buf.String() }

// A programError is what a program said, line by line, without what may quote
// rows.
type programError struct {
	name  string
	lines []string
	err   error
}

// Error joins the lines.
func (e *programError) Error() string {
	if len(e.lines) == 0 {
		return fmt.Sprintf("%s: %v", e.name, e.err)
	}
	return e.name + ": " + strings.Join(e.lines, "; ")
}

// Unwrap returns the error of the process.
func (e *programError) Unwrap() error { return e.err }

// tocEntry is how pg_restore names what it was working on:
// "from TOC entry 3375; 2606 16411 CONSTRAINT customer customer_email_key owner".
var tocEntry = regexp.MustCompile(`from TOC entry \d+; \d+ \d+ (.*) \S+$`)

// speaking are messages of the server that name objects of the schema and never
// values of rows. Of other messages only the fact is told.
var speaking = regexp.MustCompile(`^(could not create unique index|insert or update on table|update or delete on table|` +
	`conflicting key value violates exclusion constraint|could not create exclusion constraint|check constraint|` +
	`permission denied|must be (owner|superuser|able|member)|column .* contains null values|` +
	`(role|schema|relation|type|function|extension|language|collation|tablespace|database|operator|access method|foreign-data wrapper|server|table|view|sequence|text search [a-z]+) .* (does not exist|already exists)|` +
	`extension .* is not available|could not open extension control file|unrecognized configuration parameter|` +
	`could not extend file|could not write|No space left|out of (shared )?memory|canceling statement|terminating connection|` +
	`deadlock detected|the database system is|connection to server|server closed the connection|cannot .*)`)

func programFault(name, stderr string, err error) error {
	e := &programError{name: name, err: err}
	where := ""
	lines := bufio.NewScanner(strings.NewReader(stderr))
	lines.Buffer(nil, tailLimit+1)
	for lines.Scan() && len(e.lines) < 3 {
		line := strings.TrimRight(lines.Text(), "\r")
		if m := tocEntry.FindStringSubmatch(line); m != nil {
			where = m[1]
			continue
		}
		// Only the program's own lines: DETAIL and CONTEXT quote rows, which may
		// hold any text.
		text, found := strings.CutPrefix(line, name+": error: ")
		if !found {
			continue
		}
		message := text
		if _, server, ok := strings.Cut(text, "ERROR:"); ok {
			message = strings.TrimSpace(server)
		} else if _, server, ok := strings.Cut(text, "FATAL:"); ok {
			message = strings.TrimSpace(server)
		}
		if message != text && !speaking.MatchString(message) {
			message = "the server refused a statement (its message may quote rows and is left out)"
		}
		if where != "" {
			message = where + ": " + message
			where = ""
		}
		e.lines = append(e.lines, message)
	}
	f := fault.New(fault.Unexpected, "%s", e.Error())
	f.Err = e
	all := e.Error()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		f.Kind = fault.Config
	case strings.Contains(all, "could not create unique index"), strings.Contains(all, "violates"),
		strings.Contains(all, "contains null values"), strings.Contains(all, "exclusion constraint"):
		f.Kind = fault.Data
		f.Hint = "a rule gave two rows the same value, or a foreign key lost its partner: check the rules of the columns in the constraint"
	case strings.Contains(all, "permission denied"), strings.Contains(all, "must be"), strings.Contains(all, "extension"):
		f.Kind = fault.Config
		f.Hint = "the target's role lacks a right that the source's schema needs, or its server an extension"
	case strings.Contains(all, "connection to server"):
		f.Kind = fault.Config
	}
	return f
}
