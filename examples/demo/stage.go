package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/privet-dev/privet/internal/pgtest"
)

// A stage is where the demo plays: a folder, a PostgreSQL server and, in the last
// act, a sidecar.
type stage struct {
	options
	dir     string
	server  *pgtest.Server
	sidecar *sidecar
	env     []string // of the commands
	began   time.Time
	acts    int
}

// openStage makes the folder and starts the server.
func openStage(ctx context.Context, o options) (*stage, error) {
	s := &stage{options: o, began: time.Now()}
	var err error
	if s.dir, err = os.MkdirTemp("", "privet-demo"); err != nil {
		return nil, err
	}
	s.act("A throwaway PostgreSQL")
	s.server, err = pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{
		"autovacuum":           "on",
		"shared_buffers":       "256MB",
		"maintenance_work_mem": "128MB",
		"max_wal_size":         "4GB",
	}})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	place := []string{"PGHOST=" + s.server.Dir(), "PGPORT=" + strconv.Itoa(s.server.Port()), "PGUSER=" + pgtest.Superuser}
	s.env = append(os.Environ(), place...)
	s.say("It listens on a unix socket in a folder of its own. libpq's variables say where, so that the commands below need not:")
	s.show("cd " + s.dir)
	s.show("export PATH=" + filepath.Dir(s.privet) + ":$PATH")
	s.show("export " + strings.Join(place, " "))
	return s, nil
}

// close stops what runs and removes the folder, unless it is to be kept.
func (s *stage) close(err error) error {
	if s.keep && err == nil {
		return s.leaveRunning()
	}
	if s.sidecar != nil {
		err = errors.Join(err, s.sidecar.stop())
	}
	return errors.Join(err, s.server.Stop(), os.RemoveAll(s.dir))
}

// leaveRunning lets go of the servers and says how to reach and stop them.
func (s *stage) leaveRunning() error {
	pid, err := s.server.Detach()
	if err != nil {
		return err
	}
	s.say("KEEP=1: everything keeps running. To look around:")
	s.show(fmt.Sprintf("psql '%s'", s.server.URI(source)))
	s.show(fmt.Sprintf("psql '%s'", s.server.URI(target)))
	s.say("To stop it all and remove it:")
	s.show(fmt.Sprintf("kill -INT %d %d && rm -r %s", s.sidecar.cmd.Process.Pid, pid, s.dir))
	return nil
}

// act begins an act.
func (s *stage) act(title string) {
	s.acts++
	fmt.Fprintf(s.out, "\n%s\n", bold(fmt.Sprintf("%d. %s", s.acts, title)))
}

// say prints a sentence for the person who watches.
func (s *stage) say(format string, args ...any) { fmt.Fprintf(s.out, "   "+format+"\n", args...) }

// show prints a command as it would be typed.
func (s *stage) show(line string) { fmt.Fprintf(s.out, "%s %s\n", faint("$"), line) }

// path returns the path of a file in the demo's folder.
func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// command returns the privet command with args, in the demo's folder.
func (s *stage) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.privet, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	// privet cleans up behind itself when it is asked to stop.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// privetRun shows a privet command and runs it on this terminal.
func (s *stage) privetRun(ctx context.Context, args ...string) error {
	s.show("privet " + typed(args))
	cmd := s.command(ctx, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.out, s.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("privet %s: %w", typed(args), err)
	}
	return nil
}

// privetInto shows a privet command whose output goes to a file, runs it and
// returns the lines.
func (s *stage) privetInto(ctx context.Context, file string, args ...string) ([]string, error) {
	s.show("privet " + typed(args) + " > " + file)
	var out bytes.Buffer
	cmd := s.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, s.err
	err := cmd.Run()
	if werr := os.WriteFile(s.path(file), out.Bytes(), 0o644); err == nil {
		err = werr
	}
	if err != nil {
		return nil, fmt.Errorf("privet %s: %w\n%s", typed(args), err, &out)
	}
	return strings.Split(strings.TrimRight(out.String(), "\n"), "\n"), nil
}

// print prints what a command printed.
func (s *stage) print(lines []string) {
	for _, l := range lines {
		fmt.Fprintln(s.out, l)
	}
}

// typed joins arguments as a shell would want them.
func typed(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; strings.ContainsAny(a, " '\"$&|;<>*?(){}[]#~\\") {
			quoted[i] = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
