package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
)

func (a *app) keysStatusCommand() *cobra.Command {
	var o crypto.StatusOptions
	var former []string
	var tenants bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Count keyrings, what wraps them, what is stale, and what old backups can still do",
		Long: `Count keyrings, what wraps them and what is stale, and say from which day on copies
of the keystore from before the last rotation of its roots restore nobody. With
--verify every keyring is opened: the test of a keystore that was restored. A keyring
that cannot be opened is exit 6.`,
		Args: noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			for _, uri := range former {
				kek, err := d.Config.OpenKEK(ctx, uri)
				if err != nil {
					return err
				}
				o.Former = append(o.Former, kek)
			}
			list := a.stream("by_tenant")
			if tenants {
				o.Each = func(t crypto.TenantStatus) error {
					if a.json {
						return list.add(t)
					}
					return a.printTenant(t)
				}
			}
			s, err := d.Crypto.Status(ctx, o)
			if err != nil {
				return err
			}
			switch {
			case a.json && tenants:
				err = list.end(s)
			case a.json:
				err = a.printJSON(s)
			default:
				err = a.printStatus(s)
			}
			if n := s.Unreadable(); err == nil && n > 0 {
				err = fault.New(fault.Verify, "%d keyrings cannot be read", n).
					WithHint("privet keys status --verify --tenants shows where")
			}
			return err
		}),
	}
	c.Flags().StringVar(&o.Tenant, "tenant", "", "of this tenant only")
	c.Flags().BoolVar(&tenants, "tenants", false, "show each tenant, and what is under which key of its root")
	c.Flags().BoolVar(&o.Verify, "verify", false, "open every keyring")
	c.Flags().BoolVar(&o.Materials, "materials", false, "ask the key service which key material each root is under; one more call per tenant")
	c.Flags().StringArrayVar(&former, "former", nil, "a key-encryption key that roots were under before, besides those of the deployment; may be repeated")
	return c
}

func (a *app) printTenant(t crypto.TenantStatus) error {
	material := ""
	if t.Material != "" {
		material = ", material " + t.Material
	}
	if _, err := fmt.Fprintf(a.out, "%s: root under %s%s, changed %s\n", t.Tenant, t.KEK, material, t.RootChanged.Format(time.RFC3339)); err != nil {
		return err
	}
	for _, k := range t.RootKeys {
		state := "former"
		if k.Primary {
			state = "newest"
		}
		if !k.Enabled {
			state = "disabled"
		}
		if _, err := fmt.Fprintf(a.out, "  root key %s  %s  %d keyrings\n", k.ID, state, k.Keyrings); err != nil {
			return err
		}
	}
	for _, p := range t.Problems {
		a.note("%s", p)
	}
	return nil
}

func (a *app) printStatus(s crypto.Status) error {
	rows := []string{"keyrings\tactive\tstale\terased\tunreadable"}
	for _, purpose := range slices.Sorted(maps.Keys(s.Keyrings)) {
		n := s.Keyrings[purpose]
		rows = append(rows, fmt.Sprintf("%s\t%d\t%d\t%d\t%d", purpose, n.Active, n.Stale, n.Erased, n.Unreadable))
	}
	if err := a.table(rows...); err != nil {
		return err
	}
	rows = []string{fmt.Sprintf("tenants\t%d", s.Tenants), fmt.Sprintf("former root keys\t%d", s.OldRootKeys)}
	for _, k := range s.KEKs {
		text := fmt.Sprintf("KEK %s\t%d roots", k.URI, k.Roots)
		if k.Current {
			text += ", current"
		}
		if k.State != "" {
			text += ", " + string(k.State)
		}
		if !k.Destruction.IsZero() {
			text += " on " + k.Destruction.Format(time.RFC3339)
		}
		rows = append(rows, text)
		if k.Problem != "" {
			a.note("%s: %s", k.URI, k.Problem)
		}
	}
	switch {
	case !s.Ledger:
		rows = append(rows, "erasure ledger\tnone: nobody notices that a restore brings erased subjects back")
	case s.Behind > 0:
		rows = append(rows, fmt.Sprintf("erasure ledger\t%d tenants have erasures that the keystore lacks: privet keys shred --replay", s.Behind))
	default:
		rows = append(rows, "erasure ledger\tcarried out")
	}
	b := s.OldBackups
	switch {
	case b.Harmless && b.From.IsZero():
		rows = append(rows, "old backups\tharmless: the former keys are gone")
	case b.Harmless:
		rows = append(rows, "old backups\tharmless from "+b.From.Format(time.RFC3339)+" on")
	default:
		rows = append(rows, "old backups\tcan bring back who was erased, or nobody knows:")
		for _, l := range b.Left {
			rows = append(rows, "\t- "+l)
		}
	}
	return a.table(rows...)
}
