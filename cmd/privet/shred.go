package main

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

// maxStdinSubject is more than any subject's id may have, in bytes.
const maxStdinSubject = 4096

func (a *app) keysShredCommand() *cobra.Command {
	var tenant, subject, reason string
	var replay bool
	c := &cobra.Command{
		Use:   "shred",
		Short: "Destroy a subject's keys for ever, and list what that does not reach",
		Long: `Destroy a subject's keys for ever: what was encrypted under them is unreadable
from then on, wherever it stands. The subject never gets keys again. There is no
way back.

The erasure is entered into the ledger (keys.ledger) first. Legal holds and minimum
periods are not asked. With --replay, whatever the ledger says was shredded is
shredded again, after the keystore was restored, and tombstones that the ledger
lacks are entered.`,
		Example: `  privet keys shred --tenant acme --subject 4711 --reason DSR-2026-118
  printf 4711 | privet keys shred --tenant acme --subject -
  privet keys shred --replay`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if replay {
				return a.replay(cmd, tenant != "" || subject != "" || reason != "")
			}
			if tenant == "" || subject == "" {
				return fault.New(fault.Config, "%s needs --tenant and --subject", cmd.CommandPath()).WithHint("%s --help", cmd.CommandPath())
			}
			if subject == "-" {
				if subject, err = a.subjectFromInput(); err != nil {
					return err
				}
			}
			d, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer closing(d, &err)
			r, err := d.Crypto.Shred(cmd.Context(), tenant, subject, crypto.ShredOptions{Reason: reason, Actor: "command"})
			if err != nil {
				return err
			}
			return a.printShredding(r)
		},
	}
	c.Flags().StringVar(&tenant, "tenant", "", "whose subject it is")
	c.Flags().StringVar(&subject, "subject", "", "the subject's id, or - to read it from standard input")
	c.Flags().StringVar(&reason, "reason", "", "a ticket's number or a few words without names; it stays in the ledger")
	c.Flags().BoolVar(&replay, "replay", false, "shred again what the ledger says was shredded, after a restore")
	return c
}

// subjectFromInput reads an id that is not to stand in the list of processes. The
// last line break does not count.
func (a *app) subjectFromInput() (string, error) {
	data, err := io.ReadAll(io.LimitReader(a.in, maxStdinSubject+1))
	if err != nil {
		return "", fault.New(fault.Config, "reading the subject's id from standard input: %v", err)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(line) == 0 || len(line) > maxStdinSubject || bytes.ContainsAny(line, "\r\n") {
		return "", fault.New(fault.Config, "standard input must hold one subject's id").
			WithHint("one line; for several subjects, run the command for each")
	}
	return string(line), nil
}

func (a *app) printShredding(r crypto.Receipt) error {
	switch {
	case r.Destroyed:
		a.note("the keys are destroyed")
	case r.Again:
		a.note("the subject was shredded before")
	default:
		a.note("the subject had no keys: it is unknown to tenant %q, or its id was mistyped; it gets none from now on", r.Tenant)
	}
	if r.Ledger == 0 {
		a.note("there is no erasure ledger (keys.ledger): a restored keystore brings the keys back, and nobody will notice")
	}
	if r.Destroyed {
		until := r.CachedUntil.Format(time.RFC3339)
		if r.Told {
			a.note("other processes are told at once, and give the keys up by %s at the latest", until)
		} else {
			a.note("other processes may hold the keys until %s", until)
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.out, "tenant   %s\nsubject  %s\nshredded %s\n", r.Tenant, r.Subject, r.Time.Format(time.RFC3339Nano))
	if r.Ledger > 0 {
		fmt.Fprintf(a.out, "ledger   %d\n", r.Ledger)
	}
	_, err := fmt.Fprintln(a.out, "not reached, where there is any of it:")
	for _, u := range r.Unreached {
		_, err = fmt.Fprintf(a.out, "  %s: %s\n", u.Kind, u.Why)
	}
	return err
}

func (a *app) replay(cmd *cobra.Command, more bool) (err error) {
	if more {
		return fault.New(fault.Config, "%s --replay takes no tenant, subject or reason: it holds the whole ledger against the keystore", cmd.CommandPath()).
			WithHint("%s --help", cmd.CommandPath())
	}
	d, err := a.open(cmd.Context())
	if err != nil {
		return err
	}
	defer closing(d, &err)
	r, err := d.Crypto.Replay(cmd.Context())
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(r)
	}
	_, err = fmt.Fprintf(a.out, "tenants  %d\nentries  %d\nshredded %d\nentered  %d\n", r.Tenants, r.Entries, r.Shredded, r.Entered)
	return err
}
