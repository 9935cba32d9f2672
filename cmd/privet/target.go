package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// targetInfo is what `privet mask target … --json` prints.
type targetInfo struct {
	Name   string `json:"name"`
	Mark   string `json:"mark,omitempty"`
	Marked bool   `json:"marked"`
}

func (a *app) targetCommand() *cobra.Command {
	return family("target", "Which databases may be overwritten",
		a.targetVerb("mark", "Mark a database as one that may be overwritten, and print its entry for deployment.yaml",
			func(cmd *cobra.Command, conn string) error {
				t, err := guard.Mark(cmd.Context(), conn)
				if err != nil {
					return err
				}
				return a.printTarget(t)
			}),
		a.targetVerb("unmark", "Take the mark away", func(cmd *cobra.Command, conn string) error {
			was, err := guard.Unmark(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if !was {
				a.note("the database was not marked")
			}
			if a.json {
				t, marked, err := guard.Show(cmd.Context(), conn)
				if err != nil {
					return err
				}
				return a.printJSON(targetInfo{Name: t.Name, Marked: marked})
			}
			return nil
		}),
		a.targetVerb("show", "Print the entry of a marked database", func(cmd *cobra.Command, conn string) error {
			t, marked, err := guard.Show(cmd.Context(), conn)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(targetInfo{Name: t.Name, Mark: t.Mark, Marked: marked})
			}
			if !marked {
				return fault.New(fault.Guard, "database %q is not marked", t.Name).WithHint("privet mask target mark")
			}
			return a.printTarget(t)
		}))
}

func (a *app) targetVerb(use, short string, do func(*cobra.Command, string) error) *cobra.Command {
	var f refreshFlags
	c := &cobra.Command{Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return do(cmd, f.target) }}
	f.addTarget(c)
	return c
}

func (a *app) printTarget(t guard.Target) error {
	if a.json {
		return a.printJSON(targetInfo{Name: t.Name, Mark: t.Mark, Marked: true})
	}
	if _, err := fmt.Fprint(a.out, t.Stanza()); err != nil {
		return err
	}
	a.note("put these lines into deployment.yaml; without them nothing overwrites %s", t.Name)
	return nil
}
