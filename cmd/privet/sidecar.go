package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/sidecar"
)

// devInfo is what `privet dev --json` prints once it listens.
type devInfo struct {
	Socket    string `json:"socket,omitempty"`
	URL       string `json:"url"`
	TokenFile string `json:"token_file"`
	StateDir  string `json:"state_dir"`
}

// try is what a person may type into another terminal.
func (i devInfo) try() string {
	connect, socket := i.URL, "none: the state folder's path is too long for one"
	if i.Socket != "" {
		connect, socket = "--unix-socket "+shellWord(i.Socket)+" http://localhost", i.Socket
	}
	return fmt.Sprintf(`privet is listening on %s
  socket      %s
  token file  %s

Try, in another terminal:

  curl -H "Authorization: Bearer $(head -n 1 %s)" \
    -H 'X-Privet: 1' -H 'Content-Type: application/json' %s/v1/encrypt \
    -d '{"tenant":"dev","items":[{"ref":"1","field":"customer.card","value":"4111 1111 1111 1111"}]}'

Ctrl-C ends it.
`, i.URL, socket, i.TokenFile, shellWord(i.TokenFile), connect)
}

// shellWord returns s as one word of a shell: as it is, or in quotes.
func shellWord(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func (a *app) devCommand() *cobra.Command {
	var cfg sidecar.DevConfig
	c := &cobra.Command{
		Use:   "dev",
		Short: "Start a sidecar on embedded defaults and print what to try",
		Long: `Start a sidecar on embedded defaults: a local key file and a SQLite keystore
in the state folder, a unix socket, a loopback address and one bearer token.
It is for one person on one machine; privet serve is for the rest.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.config != "" {
				return fault.New(fault.Config, "privet dev takes no --config: it has embedded defaults").
					WithHint("privet serve --config %s", a.config)
			}
			cfg.Logger, cfg.Version = a.logger(), buildVersion().Version
			dev, err := sidecar.Dev(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			info := devInfo{Socket: dev.Socket(), URL: dev.URL(), TokenFile: dev.TokenFile, StateDir: dev.StateDir}
			if a.json {
				err = a.printJSON(info)
			} else {
				_, err = fmt.Fprint(a.out, info.try())
			}
			if err != nil {
				return err
			}
			return dev.Serve(cmd.Context())
		},
	}
	c.Flags().StringVar(&cfg.TCP, "listen", "", "loopback address (default a free port of 127.0.0.1)")
	c.Flags().StringVar(&cfg.StateDir, "state", "", "folder of key file, keystore, token and socket (default the user's state folder)")
	return c
}

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Start the sidecar by deployment.yaml",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.config == "" && os.Getenv(deployment.EnvConfig) == "" {
				return fault.New(fault.Config, "privet serve needs a deployment.yaml").
					WithHint("name it by --config or %s; privet dev runs without one", deployment.EnvConfig)
			}
			d, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			cfg, err := sidecar.FromDeployment(d)
			if err != nil {
				_ = d.Close() // the error that counts is err
				return err
			}
			cfg.Logger, cfg.Version = a.logger(), buildVersion().Version
			s, err := sidecar.New(cfg)
			if err != nil {
				_ = d.Close() // as above
				return err
			}
			return s.Serve(cmd.Context())
		},
	}
}

// open opens the deployment that --config or the environment names, or the
// embedded one.
func (a *app) open(ctx context.Context) (*deployment.Deployment, error) {
	c, err := deployment.Load(a.config)
	if err != nil {
		return nil, err
	}
	return deployment.Open(ctx, c, deployment.Options{})
}

func (a *app) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(a.err, nil))
}
