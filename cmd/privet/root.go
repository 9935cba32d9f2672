package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/internal/fault"
)

// streams are the three of a process, replaced in tests.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what every command shares: the streams and the global flags.
type app struct {
	streams
	config string
	json   bool
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, s streams) (code int) {
	defer func() {
		if p := recover(); p != nil {
			// A panic's value may hold a personal value: only its type and its place are shown.
			fmt.Fprintf(s.err, "privet: internal error (%T) at %s\n", p, panicPlace())
			fmt.Fprintln(s.err, "hint: this is a bug; report the line above, it holds no data")
			code = int(fault.Unexpected)
		}
	}()
	a := &app{streams: s}
	root := a.rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(s.err, "privet: %s\n", err)
	if h := fault.HintOf(err); h != "" {
		fmt.Fprintf(s.err, "hint: %s\n", h)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil && fault.KindOf(err) == fault.Unexpected {
		return int(fault.Stopped)
	}
	return int(fault.KindOf(err))
}

func (a *app) rootCommand() *cobra.Command {
	root := family("privet", "Protect personal data: encrypt, tokenize, mask, delete, prove",
		a.encryptCommand(), a.decryptCommand(),
		a.devCommand(), a.serveCommand(), a.maskCommand(), a.keysCommand(), a.reencryptCommand(), a.versionCommand())
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().StringVar(&a.config, "config", "", "deployment.yaml (default $PRIVET_CONFIG; without either, embedded defaults)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print one JSON object")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fault.New(fault.Config, "%s: %v", cmd.CommandPath(), err).WithHint("%s --help", cmd.CommandPath())
	})
	return root
}

// family returns a command that only holds others. Called alone it shows its
// help; an unknown verb is a usage error.
func family(use, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			msg := fmt.Sprintf("unknown verb %q for %q", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				msg += fmt.Sprintf(", did you mean %q?", near[0])
			}
			return fault.New(fault.Config, "%s", msg).WithHint("%s --help", cmd.CommandPath())
		},
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
	}
	c.AddCommand(verbs...)
	return c
}

// noArgs refuses positional arguments as a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fault.New(fault.Config, "%s takes no arguments, got %q", cmd.CommandPath(), args[0]).
			WithHint("%s --help", cmd.CommandPath())
	}
	return nil
}

// printJSON writes v as the one documented object of --json.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// note writes a line for the person who watches.
func (a *app) note(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// panicPlace returns the innermost frame of our own code above a recovered panic.
func panicPlace() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		if panicking && strings.Contains(f.Function, "privet-dev/privet/") {
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		panicking = panicking || f.Function == "runtime.gopanic"
		if !more {
			return "unknown place"
		}
	}
}
