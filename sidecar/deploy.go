package sidecar

import (
	"context"
	"errors"
	"log/slog"

	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
)

// FromDeployment returns the Config of an opened deployment: its keys, roles,
// callers and addresses. The Server's Serve closes the deployment. Logger,
// Version and limits are left for the caller to set. An address that is not
// loopback is an error with its place in the file.
func FromDeployment(d *deployment.Deployment) (Config, error) {
	c := d.Config
	for path, addr := range map[string]string{"listen.tcp": c.Listen.TCP, "listen.diagnostics": c.Listen.Diagnostics} {
		if err := requireLoopback(path, addr); err != nil {
			return Config{}, fault.New(fault.Config, "%s: %v", c.At(path), err).WithHint("%s", fault.HintOf(err))
		}
	}
	cfg := Config{
		Keys: d.Crypto, Access: d.Access, Callers: make(map[string]Caller, len(c.Callers)),
		Unix: c.Listen.Unix, TCP: c.Listen.TCP, Diagnostics: c.Listen.Diagnostics,
		Ready: d.Ready, Closer: d,
	}
	for name, caller := range c.Callers {
		cfg.Callers[name] = Caller{UID: caller.UID, GID: caller.GID, TokenFile: caller.TokenFile, Roles: caller.Roles}
	}
	return cfg, nil
}

// Options are what a deployment does not say.
type Options struct {
	// Logger takes the log; nil discards.
	Logger *slog.Logger
	// Version is the server's version.
	Version string
}

// Deploy opens a deployment and binds a Server to it: what `privet serve` does.
// Serve runs it and closes the deployment. An embedded deployment gets its token
// file (0600) on first use. On error nothing stays open or bound.
func Deploy(ctx context.Context, c *deployment.Config, o Options) (_ *Server, err error) {
	d, err := deployment.Open(ctx, c, deployment.Options{})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if c.StateDir() != "" {
		if err := createTokens(c.Callers["dev"].TokenFile); err != nil {
			return nil, fault.New(fault.Config, "sidecar: token file: %v", err)
		}
	}
	cfg, err := FromDeployment(d)
	if err != nil {
		return nil, err
	}
	cfg.Logger, cfg.Version = o.Logger, o.Version
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Listen(); err != nil {
		return nil, err
	}
	return s, nil
}

// A DevConfig is what Dev may be told. The zero value is useful.
type DevConfig struct {
	// StateDir is the folder of keys, token and socket; "" means the user's state
	// folder (see deployment.Default).
	StateDir string
	// TCP is the loopback address to listen on; "" means a free port of 127.0.0.1.
	TCP string
	Options
}

// A Development is a Server on embedded defaults.
type Development struct {
	*Server
	// StateDir is the folder of keys, token and socket.
	StateDir string
	// TokenFile holds the token of the one caller.
	TokenFile string
}

// Dev opens an embedded deployment, which it makes on first use, and binds a
// Server to it: a unix socket in the state folder and a loopback address. There is
// one caller, dev, known by this process's uid or by the token file, who may do
// everything for every tenant. Serve runs it and closes the deployment. A state
// folder whose path is too long for a socket gets none.
func Dev(ctx context.Context, cfg DevConfig) (*Development, error) {
	c, err := deployment.Default(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	c.Listen.TCP = or(cfg.TCP, "127.0.0.1:0")
	if len(c.Listen.Unix) > maxSocketPath || !servesUnix {
		c.Listen.Unix = ""
	}
	s, err := Deploy(ctx, c, cfg.Options)
	if err != nil {
		return nil, err
	}
	return &Development{Server: s, StateDir: c.StateDir(), TokenFile: c.Callers["dev"].TokenFile}, nil
}
