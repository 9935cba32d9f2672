package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/e164"
	"github.com/privet-dev/privet/crypto/reencrypt"
	"github.com/privet-dev/privet/internal/deployment"
	"github.com/privet-dev/privet/internal/fault"
)

// errMaxDuration is why a run ended that took as long as it was given.
var errMaxDuration = errors.New("--max-duration has passed")

func (a *app) reencryptCommand() *cobra.Command {
	var cfg reencrypt.Config
	var database, mode, indexType, region string
	var atMost time.Duration
	var keys bool
	c := &cobra.Command{
		Use:   "reencrypt",
		Short: "Fill, refresh or complete an encrypted column of a live database",
		Long: `Fill an encrypted column and its blind index from a plaintext column (fill), move
them to the newest keys (refresh), or empty the plaintext column wherever the
ciphertext opens to exactly what it holds (clear).

The table is walked by primary key in short transactions. A row that others change
meanwhile is read again, never overwritten. A run that was stopped goes on where it
was; its place is kept in the table privet.walk of the same database. What to grant
to the role stands in the documentation of package crypto/reencrypt.

Exit code 5: rows were left that need a person (--show-keys prints their primary
keys). Exit code 7: stopped with work left, run it again.`,
		Example: `  privet reencrypt --database service=shop --table public.customer --mode fill \
      --plaintext email --encrypted email_enc --index email_idx --index-type email \
      --field customer.email --tenant-column org --subject-column id
  privet reencrypt … --mode refresh --dry-run`,
		Args: noArgs,
		RunE: a.withKeys(func(ctx context.Context, d *deployment.Deployment) error {
			cfg.Client, cfg.Mode = d.Crypto, reencrypt.Mode(mode)
			var err error
			if cfg.IndexConfig.Normalize, err = normalizer(indexType, region); err != nil {
				return err
			}
			if atMost > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, atMost, errMaxDuration)
				defer cancel()
			}
			show := newWalkProgress(a.err)
			cfg.Progress = show.Set
			if keys {
				cfg.Problem = func(key []string, why error) { show.Note("%s: %v", strings.Join(key, ", "), why) }
			}
			report, err := reencrypt.Run(ctx, database, cfg)
			show.Close()
			if report.Rows > 0 || err == nil {
				if perr := a.printReencrypt(report); err == nil {
					err = perr
				}
			}
			if err == nil {
				err = report.Err()
			}
			return err
		}),
	}
	f := c.Flags()
	f.StringVar(&database, "database", "", "URI, libpq keywords or service=NAME, not through a pooler (default libpq's environment variables)")
	f.StringVar(&cfg.Table, "table", "", `schema.table, or "schema"."table"`)
	f.StringVar(&mode, "mode", "", "fill, refresh or clear")
	f.StringVar(&cfg.Plaintext, "plaintext", "", "the column in clear; refresh needs none")
	f.StringVar(&cfg.Encrypted, "encrypted", "", "the column of ciphertexts: bytea, or text for the text form")
	f.StringVar(&cfg.Index, "index", "", "the bytea column of the blind index")
	f.StringVar(&indexType, "index-type", "", "information type whose normal form is indexed: email, phone, … (default the value as it is)")
	f.StringVar(&region, "index-region", "", "with --index-type phone: country of numbers without a country code, such as DE")
	f.IntVar(&cfg.IndexConfig.Bits, "index-bits", crypto.MaxIndexBits, "length of an index value")
	f.StringVar(&cfg.IndexConfig.Domain, "index-domain", "", "domain of the index's keys (default blind_index/FIELD)")
	f.StringVar(&cfg.IndexConfig.Field, "index-field", "", "field of the index, where it is shared with other columns (default --field)")
	f.StringVar(&cfg.Field, "field", "", "field of the values' context, such as customer.email")
	f.StringVar(&cfg.Tenant, "tenant", "", "whose rows all of them are")
	f.StringVar(&cfg.TenantColumn, "tenant-column", "", "or: the column that says whose a row is")
	f.StringVar(&cfg.SubjectColumn, "subject-column", "", "the column with the subject's id")
	f.BoolVar(&cfg.DryRun, "dry-run", false, "count what would be written, and write nothing")
	f.BoolVar(&cfg.Restart, "restart", false, "begin at the first row though an earlier run was stopped")
	f.Float64Var(&cfg.PerSecond, "rate", 5000, "convert at most this many rows a second; 0 for no limit")
	f.IntVar(&cfg.Batch, "batch", 500, "rows in one transaction")
	f.DurationVar(&atMost, "max-duration", 0, "stop after this time with exit code 7 (default no limit)")
	f.BoolVar(&keys, "show-keys", false, "print the primary keys of rows that are left, to standard error")
	return c
}

// normalizer returns the normal form of an information type; nil for "".
func normalizer(of, region string) (crypto.Normalizer, error) {
	switch {
	case of == string(classify.Phone):
		n, err := e164.New(region)
		if err != nil {
			return nil, fault.New(fault.Config, "--index-region: %v", err)
		}
		return n, nil
	case region != "":
		return nil, fault.New(fault.Config, "--index-region is for --index-type phone")
	case of == "":
		return nil, nil
	}
	return crypto.NormalizerFor(classify.Type(of))
}

func (a *app) printReencrypt(r reencrypt.Report) error {
	if a.json {
		return a.printJSON(r)
	}
	written := "written"
	if r.DryRun {
		written = "to write"
	}
	lines := []string{
		fmt.Sprintf("table\t%s", r.Table), fmt.Sprintf("mode\t%s", r.Mode),
		fmt.Sprintf("rows\t%d, of %d tenants", r.Rows, r.Tenants), fmt.Sprintf("%s\t%d", written, r.Written),
	}
	for _, count := range []struct {
		what string
		n    int64
	}{
		{"without index value", r.NoIndex}, {"of erased subjects", r.Erased}, {"unreadable", r.Unreadable}, {"without context", r.NoContext},
		{"different", r.Different}, {"not encrypted", r.Unfilled}, {"kept changing", r.Changed},
	} {
		if count.n > 0 {
			lines = append(lines, fmt.Sprintf("%s\t%d", count.what, count.n))
		}
	}
	return a.table(lines...)
}
