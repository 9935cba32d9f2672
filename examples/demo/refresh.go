package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/examples/shop"
)

// The two databases, on one server here and on two in life.
const (
	source = "shop_prod"
	target = "shop_staging"
)

// makeShop creates production.
func (s *stage) makeShop(ctx context.Context) error {
	s.act("Production: " + source)
	began := time.Now()
	if err := s.server.CreateDatabase(ctx, source); err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, s.server.URI(source))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := shop.Create(ctx, conn, s.size); err != nil {
		return err
	}
	total := 0
	for _, t := range s.size.Tables() {
		s.say("%-16s %9s rows", t.Table, thousands(t.Count))
		total += t.Count
	}
	s.say("%-16s %9s rows, generated and indexed in %s", "in all", thousands(total), took(began))
	return nil
}

// markStaging creates staging and says, in the database and in the operator's
// file, that it may be overwritten.
func (s *stage) markStaging(ctx context.Context) error {
	s.act("Staging: " + target + ", marked as a database that may be overwritten")
	if err := s.server.CreateDatabase(ctx, target); err != nil {
		return err
	}
	args := []string{"mask", "target", "mark", "--target", "dbname=" + target}
	s.show("privet " + typed(args))
	cmd := s.command(ctx, args...)
	var stanza bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stanza, s.err
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("privet %s: %w", typed(args), err)
	}

	// A local key file stands in for a KMS, and SQLite for a PostgreSQL keystore.
	if _, err := localkms.Create(s.path("key.json"), nil); err != nil {
		return err
	}
	deployment := fmt.Sprintf("version: 1\nkeys: {kek: \"file:%s\", keystore: \"sqlite:%s\"}\n%s", s.path("key.json"), s.path("keystore.db"), stanza.Bytes())
	if err := os.WriteFile(s.path("deployment.yaml"), []byte(deployment), 0o600); err != nil {
		return err
	}
	s.say("The operator puts what it printed into deployment.yaml, under a local key file in place of a KMS:")
	s.show("cat deployment.yaml")
	fmt.Fprint(s.out, deployment)
	return nil
}

// refresh plans, runs and verifies.
func (s *stage) refresh(ctx context.Context) error {
	if err := os.WriteFile(s.path("privet.yaml"), shop.Policy, 0o644); err != nil {
		return err
	}
	both := []string{"--source", "dbname=" + source, "--target", "dbname=" + target, "--policy", "privet.yaml", "--config", "deployment.yaml"}

	s.act("The plan: what becomes of every column")
	s.say("privet.yaml (examples/shop/privet.yaml) decides all of them; one that it left out would stop here.")
	plan, err := s.privetInto(ctx, "plan.txt", "mask", "plan", "--source", "dbname="+source, "--policy", "privet.yaml", "--config", "deployment.yaml")
	if err != nil {
		return err
	}
	s.show("sed -n '/^public.customer /,/^$/p' plan.txt")
	s.print(section(plan, "public.customer "))

	s.act("The refresh")
	if err := s.privetRun(ctx, append([]string{"mask", "run", "--receipt", "receipt.json"}, both...)...); err != nil {
		return err
	}
	receipt, err := os.ReadFile(s.path("receipt.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.receipt, receipt, 0o644); err != nil {
		return err
	}

	s.act("The proof: staging is searched for the originals")
	proof, err := s.privetInto(ctx, "proof.txt", append([]string{"mask", "verify"}, both...)...)
	if err != nil {
		return err
	}
	s.show("grep -E ' originals |^verified' proof.txt")
	s.print(slices.DeleteFunc(proof, func(line string) bool {
		return !strings.Contains(line, " originals ") && !strings.HasPrefix(line, "verified")
	}))
	return nil
}

// section returns the lines from the one with a prefix to the next empty one.
func section(lines []string, prefix string) []string {
	start := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) })
	if start < 0 {
		return nil
	}
	lines = lines[start:]
	if end := slices.Index(lines, ""); end >= 0 {
		lines = lines[:end]
	}
	return lines
}

// finale says what is left.
func (s *stage) finale() {
	s.act("Done in " + took(s.began))
	s.say("The signed receipt of the refresh is %s", s.receipt)
}

// took is the time since began, as people say it.
func took(began time.Time) string { return time.Since(began).Round(100 * time.Millisecond).String() }

// thousands writes 200000 as 200,000.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
