package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// A sidecar is a running `privet dev`.
type sidecar struct {
	cmd       *exec.Cmd
	exited    chan error // one value, when it has ended
	URL       string     `json:"url"`        // http://127.0.0.1:port
	TokenFile string     `json:"token_file"` // holds the bearer token
}

// startSidecar runs `privet dev` on a free port and reads where it listens from
// the one object that --json prints.
func (s *stage) startSidecar(ctx context.Context) error {
	args := []string{"dev", "--listen", "127.0.0.1:0", "--state", s.path("state"), "--json"}
	s.show("privet " + typed(args) + " > sidecar.json 2> sidecar.log &")
	stdout, err := os.Create(s.path("sidecar.json"))
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := os.Create(s.path("sidecar.log"))
	if err != nil {
		return err
	}
	defer stderr.Close()

	// Files and not pipes, and a session of its own: it may outlive the demo.
	cmd := s.command(context.WithoutCancel(ctx), args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.sidecar = &sidecar{cmd: cmd, exited: make(chan error, 1)}
	go func() { s.sidecar.exited <- cmd.Wait() }()
	return s.awaitSidecar(ctx)
}

// awaitSidecar waits until the sidecar has said where it listens.
func (s *stage) awaitSidecar(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		b, err := os.ReadFile(s.path("sidecar.json"))
		if err != nil {
			return err
		}
		if json.NewDecoder(bytes.NewReader(b)).Decode(s.sidecar) == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-s.sidecar.exited:
			s.sidecar.exited <- err
			log, _ := os.ReadFile(s.path("sidecar.log"))
			return fmt.Errorf("the sidecar ended: %w\n%s", err, log)
		case <-ctx.Done():
			return fmt.Errorf("the sidecar does not say where it listens: %w", ctx.Err())
		}
	}
}

// stop asks the sidecar to finish, and waits for it.
func (c *sidecar) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-c.exited:
		return err
	case <-time.After(15 * time.Second):
		_ = c.cmd.Process.Kill()
		return fmt.Errorf("the sidecar did not stop: %w", <-c.exited)
	}
}
