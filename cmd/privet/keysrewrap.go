package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
)

func (a *app) keysRewrapCommand() *cobra.Command {
	var o crypto.RewrapOptions
	var kek string
	var create bool
	c := &cobra.Command{
		Use:   "rewrap",
		Short: "Move keyrings to the newest root keys, and roots under a key-encryption key",
		Long: `Move keyrings to the newest keys of their roots, and roots under the deployment's
key-encryption key or that of --kek. No ciphertext is touched. What is in its place
is skipped: to resume a run that was stopped, run it again.

Before roots move, name both keys in every deployment.yaml: the new one as keys.kek,
the old one under keys.former.`,
		Args: noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			var err error
			if o.KEK, err = targetKEK(ctx, d, kek, create, o.DryRun); err != nil {
				return err
			}
			count := newTally(a.err, "keyrings")
			o.Progress = func(r crypto.RewrapReport) { count.Set(r.Keyrings) }
			report, err := d.Crypto.Rewrap(ctx, o)
			count.Close()
			if perr := a.printRewrap(report); err == nil {
				err = perr
			}
			if o.KEK != nil && report.RootsMoved > 0 && !report.DryRun {
				a.note("roots are under %s now: it takes the place of %s in the deployment", report.KEK, d.Config.Keys.KEK)
			}
			return err
		}),
	}
	c.Flags().StringVar(&o.Tenant, "tenant", "", "of this tenant only")
	c.Flags().StringVar(&kek, "kek", "", "move roots under this key: awskms:alias/NAME, awskms:ARN or file:/path (default the deployment's)")
	c.Flags().BoolVar(&create, "create", false, "with --kek file:/path: make the key file first")
	c.Flags().BoolVar(&o.AllRoots, "all-roots", false, "wrap roots anew that are under the key already, to leave its former key material")
	c.Flags().BoolVar(&o.RemoveOld, "remove-old", false, "take root keys out that wrap nothing any more; final")
	c.Flags().DurationVar(&o.OldFor, "old-for", 24*time.Hour, "with --remove-old: leave roots that were changed within this time, which processes may have in memory as they were")
	c.Flags().Float64Var(&o.PerSecond, "rate", 1000, "change at most this many keyrings a second; negative for no limit")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "count what would be moved, and move nothing")
	return c
}

// targetKEK opens or makes the key that roots move under; nil stands for the
// deployment's own.
func targetKEK(ctx context.Context, d *deployment.Deployment, uri string, create, dry bool) (kms.KEK, error) {
	switch {
	case create && (uri == "" || dry):
		return nil, fault.New(fault.Config, "--create makes the key file of --kek, and nothing in a dry run")
	case create:
		return d.Config.CreateKEK(uri)
	case uri != "":
		return d.Config.OpenKEK(ctx, uri)
	}
	return nil, nil
}

func (a *app) printRewrap(r crypto.RewrapReport) error {
	if a.json {
		return a.printJSON(r)
	}
	done := ""
	if r.DryRun {
		done = " (dry run: nothing was changed)"
	}
	for _, p := range r.Problems {
		a.note("not rewrapped: %s", p)
	}
	return a.table(
		fmt.Sprintf("tenants\t%d%s", r.Tenants, done),
		fmt.Sprintf("keyrings\t%d, %d rewrapped, %d erased, %d failed", r.Keyrings, r.Rewrapped, r.Erased, r.Failed),
		fmt.Sprintf("roots\t%d, %d moved under %s, %d of them inside the key service", r.Roots, r.RootsMoved, r.KEK, r.InsideKMS),
		fmt.Sprintf("old root keys\t%d removed, %d roots too young", r.KeysRemoved, r.TooYoung),
	)
}
