package pgtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// watchdog runs the server and stops it when its standard input ends.
//
//go:embed watchdog.sh
var watchdog string

// launch starts the server under its watchdog and waits until it takes
// connections.
func (s *Server) launch(ctx context.Context, opts Options) error {
	if err := s.configure(opts); err != nil {
		return err
	}
	// Both pipes are closed on exec in the children of this process, so that no
	// other child can keep the server alive.
	stdin, keep, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	status, stdout, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("pgtest: %w", err), stdin.Close(), keep.Close())
	}
	defer status.Close()

	s.stdin = keep
	s.cmd = exec.Command("/bin/sh", "-c", watchdog, "privet-pgtest", s.dir, filepath.Join(s.binDir, "postgres"), "-D", s.dataDir())
	s.cmd.Stdin, s.cmd.Stdout = stdin, stdout
	s.account.use(s.cmd, s.dir)
	err = s.cmd.Start()
	_ = stdin.Close()
	_ = stdout.Close()
	if err != nil {
		return errors.Join(fmt.Errorf("pgtest: %w", err), keep.Close())
	}
	s.stop = s.stopOnce()
	if err := s.ready(ctx, status); err != nil {
		log := s.tail()
		return errors.Join(fmt.Errorf("%w\n%s", err, log), s.Stop())
	}
	return nil
}

// ready waits for the first connection. The watchdog closes status when the
// server ends: then there is nothing to wait for.
func (s *Server) ready(ctx context.Context, status *os.File) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
		conn, err := pgx.Connect(attempt, s.URI(Superuser))
		if err == nil {
			err = conn.Close(attempt)
			cancel()
			return err
		}
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("pgtest: the server does not take connections: %w", err)
		}
		_ = status.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := status.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
			return errors.New("pgtest: the server ended while it started")
		}
	}
}

// configure appends the server's settings to postgresql.conf.
func (s *Server) configure(opts Options) error {
	settings := map[string]string{
		"unix_socket_directories": s.dir,
		"listen_addresses":        "",
		"port":                    strconv.Itoa(s.port),
		"max_connections":         "100",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"lc_messages":             "C",
		// A test that reads estimates runs ANALYZE; a background worker that
		// does so at some moment of its own makes tests differ from run to run.
		"autovacuum": "off",
	}
	if opts.TCP {
		settings["listen_addresses"] = "127.0.0.1"
	}
	if !opts.Durable {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, opts.Settings)

	var b strings.Builder
	b.WriteString("\n")
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(settings[name], "'", "''"))
	}
	f, err := os.OpenFile(filepath.Join(s.dataDir(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	_, err = f.WriteString(b.String())
	return errors.Join(err, f.Close())
}
