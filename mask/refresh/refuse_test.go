package refresh_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// refused runs and expects a refusal before anything was made: the kind, words
// in the text, a hint, and a target that is as it was.
func (p *pair) refused(cfg refresh.Config, kind fault.Kind, words ...string) error {
	p.t.Helper()
	check := p.untouched()
	var events []event.Event
	cfg.Recorder = recorder(&events)
	res, err := refresh.Run(ctx(p.t), cfg)
	require.Error(p.t, err)
	require.Nil(p.t, res)
	require.Equal(p.t, kind, fault.KindOf(err), "%v", err)
	for _, w := range words {
		require.Contains(p.t, err.Error(), w)
	}
	require.NotEmpty(p.t, fault.HintOf(err), "%v", err)
	check()
	require.Empty(p.t, p.leftovers())
	if len(events) > 0 {
		require.Equal(p.t, "refused", events[len(events)-1].Outcome)
	}
	return err
}

func TestRunRefuses(t *testing.T) {
	leaks(t)
	p := newPair(t)
	policyText := testdata(t, "privet.yaml")

	t.Run("undecided columns", func(t *testing.T) {
		p.t = t
		text := strings.Replace(policyText, "      mood:       {keep: a label}\n", "", 1)
		text = strings.Replace(text, "      name: {keep: ISO names}\n", "", 1)
		err := p.refused(p.config(text), fault.Policy, "public.customer.mood", "public.country.name")
		require.NotContains(t, err.Error(), "public.customer.id")
	})
	t.Run("foreign key with two rules", func(t *testing.T) {
		p.t = t
		text := strings.Replace(policyText, "customer_email: {class: confidential, type: email, mask: email}",
			`customer_email: {class: confidential, type: email, mask: "email(domain=other)"}`, 1)
		p.refused(p.config(text), fault.Policy, "sales.orders.customer_email", "public.customer.email")
	})
	t.Run("foreign key into a table without rows", func(t *testing.T) {
		p.t = t
		start := strings.Index(policyText, "  public.customer:")
		end := strings.Index(policyText, "  sales.orders:")
		p.refused(p.config(policyText[:start]+"  public.customer: {rows: none}\n"+policyText[end:]), fault.Policy, "public.payment", "without rows")
	})
	t.Run("rule that merges a unique column", func(t *testing.T) {
		p.t = t
		text := strings.ReplaceAll(policyText, "type: email, mask: email}", "type: email, mask: first_name}")
		p.refused(p.config(text), fault.Policy, "public.customer.email", "unique")
	})
	t.Run("null in a NOT NULL column", func(t *testing.T) {
		p.t = t
		text := strings.Replace(policyText, "type: person_name, mask: first_name}", `type: person_name, mask: "null"}`, 1)
		p.refused(p.config(text), fault.Policy, "public.customer.first_name")
	})
	t.Run("protected column", func(t *testing.T) {
		p.t = t
		text := strings.Replace(policyText, `card: {class: restricted, type: card_number, mask: "null"}`,
			`card: {class: restricted, type: card_number, stored: encrypted(payment.card), mask: "fpe(keep_last=4)"}`, 1)
		p.refused(p.config(text), fault.Policy, "public.payment", "card", "stored")
	})
	t.Run("target not marked", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Targets = nil
		require.ErrorIs(t, p.refused(cfg, fault.Guard), guard.ErrNotListed)
	})
	t.Run("target is the source", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Source = p.target
		require.ErrorIs(t, p.refused(cfg, fault.Guard), guard.ErrSourceMarked)
	})
	t.Run("source and target swapped", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Source, cfg.Target = cfg.Target, cfg.Source
		require.ErrorIs(t, p.refused(cfg, fault.Guard), guard.ErrNotMarked)
	})
	t.Run("database that cannot be reached", func(t *testing.T) {
		p.t = t
		for _, uri := range []string{"postgres://someone:s3cret@127.0.0.1:1/prod", "host=/nonexistent dbname=prod password=s3cret",
			pgtest.InDatabase(t, p.source, "no_such_database"), "postgres://a:s3cret@%zz/x", "service=no_such_service"} {
			cfg := p.config(policyText)
			cfg.Source = uri
			err := p.refused(cfg, fault.Config)
			require.NotContains(t, err.Error()+fault.HintOf(err), "s3cret")
			cfg = p.config(policyText)
			cfg.Target = uri
			err = p.refused(cfg, fault.Config)
			require.NotContains(t, err.Error()+fault.HintOf(err), "s3cret")
		}
	})
	t.Run("several servers", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Source = "postgres://a@one.example,two.example/prod"
		p.refused(cfg, fault.Config, "several servers")
	})
	t.Run("source role that cannot read", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Source = pgtest.Role(t, p.source, "refuse_reader")
		pgtest.Exec(t, p.source, "GRANT USAGE ON SCHEMA sales TO refuse_reader; GRANT SELECT ON customer, payment TO refuse_reader")
		err := p.refused(cfg, fault.Config, "public.country", "sales.orders", "Odd Names")
		require.NotContains(t, err.Error(), "public.customer")
		pgtest.Exec(t, p.source, `GRANT USAGE ON SCHEMA "Odd Names" TO refuse_reader; GRANT SELECT ON ALL TABLES IN SCHEMA public, sales, "Odd Names" TO refuse_reader`)
		p.refused(cfg, fault.Config, "sales.orders_id_seq")
		pgtest.Exec(t, p.source, `REVOKE ALL ON ALL TABLES IN SCHEMA public, sales, "Odd Names" FROM refuse_reader;
			REVOKE ALL ON SCHEMA sales, "Odd Names" FROM refuse_reader`)
	})
	t.Run("row security", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Source = pgtest.Role(t, p.source, "refuse_filtered", "IN ROLE pg_read_all_data")
		pgtest.Exec(t, p.source, "ALTER TABLE customer ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON customer USING (id < 10)")
		p.refused(cfg, fault.Config, "row security", "public.customer")
		pgtest.Exec(t, p.source, "DROP POLICY own ON customer; ALTER TABLE customer DISABLE ROW LEVEL SECURITY")
	})
	t.Run("target role without rights", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Target = pgtest.Role(t, p.target, "refuse_loader")
		p.refused(cfg, fault.Config, "may not create databases")
		pgtest.Exec(t, p.target, "ALTER ROLE refuse_loader CREATEDB")
		p.refused(cfg, fault.Config, "may not replace")
	})
	t.Run("large objects", func(t *testing.T) {
		p.t = t
		pgtest.Exec(t, p.source, "SELECT lo_from_bytea(0, 'a scan of a passport')")
		p.refused(p.config(policyText), fault.Policy, "large objects")
		pgtest.Exec(t, p.source, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
	})
	t.Run("programs that are missing", func(t *testing.T) {
		p.t = t
		t.Setenv(pgbin.EnvDir, t.TempDir())
		p.refused(p.config(policyText), fault.Config, "pg_dump")
	})
	t.Run("too few locks", func(t *testing.T) {
		p.t = t
		cfg := p.config(policyText)
		cfg.Jobs = 1000
		require.Contains(t, fault.HintOf(p.refused(cfg, fault.Config, "locks")), "max_locks_per_transaction")
	})
}

func TestPlanNeedsNoRowsAndNoKeys(t *testing.T) {
	p := newPair(t)
	empty := pgtest.Database(t)
	schemaOnly := testdata(t, "shop.sql")
	schemaOnly = schemaOnly[:strings.Index(schemaOnly, "INSERT INTO")]
	pgtest.Exec(t, empty, schemaOnly)
	cfg := p.config(testdata(t, "privet.yaml"))
	plan, err := refresh.MakePlan(ctx(t), refresh.PlanConfig{Source: empty, Policy: cfg.Policy})
	require.NoError(t, err)
	require.NoError(t, plan.Err())
	require.Contains(t, plan.ByPattern, "public.payment.paid_at")
	require.Empty(t, plan.Undecided)

	full, err := refresh.MakePlan(ctx(t), refresh.PlanConfig{Source: p.source, Policy: cfg.Policy, Keys: keys{}})
	require.NoError(t, err)
	require.Len(t, full.Tables, len(plan.Tables))
	require.Greater(t, full.Rows, int64(2000))
	require.Greater(t, full.LocksMax, full.Locks)
	rows := map[string]int64{}
	for _, table := range full.Tables {
		rows[table.Table] += max(table.EstimatedRows, 0)
		if table.PartitionOf != "" {
			rows["partitions of "+table.PartitionOf] += table.EstimatedRows
		}
	}
	require.Positive(t, rows["public.payment"])
	require.Equal(t, rows["partitions of public.payment"], rows["public.payment"], "a root's rows are its partitions'")
	var text strings.Builder
	require.NoError(t, full.WriteText(&text))
	require.Regexp(t, `(?m)^public\.payment  about \d+ rows.*\n  partition public\.payment_2025  about \d+ rows, \d+ kB\n  partition public\.payment_2026 .*\n  id `, text.String())
	require.NotRegexp(t, `(?m)^public\.payment_`, text.String(), "a partition's columns are its root's")
	for _, table := range full.Tables {
		switch table.Table {
		case "public.visit_a":
			require.Equal(t, "public.visit", table.Into, "a masked partition key loads through the root")
		case "public.payment_2025":
			require.Empty(t, table.Into)
		case "public.customer":
			require.Equal(t, "acme", table.Tenant)
			require.Equal(t, "generated", table.Columns[11].Action)
			require.Contains(t, table.Columns[1].From, "privet.yaml:")
		case "public.audit_log":
			require.False(t, table.Rows)
		}
	}
	require.Contains(t, fmt.Sprint(full.Notes), "visit")
}

func TestPlanNamesEveryProblem(t *testing.T) {
	p := newPair(t)
	pgtest.Exec(t, p.source, "ALTER TABLE customer ADD COLUMN nickname text, ADD COLUMN shoe_size int; CREATE TABLE brand_new (a text, b int)")
	cfg := p.config(testdata(t, "privet.yaml"))
	plan, err := refresh.MakePlan(ctx(t), refresh.PlanConfig{Source: p.source, Policy: cfg.Policy})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"public.customer.nickname", "public.customer.shoe_size", "public.brand_new.a", "public.brand_new.b"}, plan.Undecided)
	require.Equal(t, fault.Policy, fault.KindOf(plan.Err()))
	for _, name := range plan.Undecided {
		require.Contains(t, plan.Err().Error(), name)
	}
}

func TestUndecidedEmpty(t *testing.T) {
	leaks(t)
	p := newPair(t)
	pgtest.Exec(t, p.source, `ALTER TABLE customer ADD COLUMN nickname text DEFAULT 'Bobby';
		CREATE TABLE brand_new (a text); INSERT INTO brand_new VALUES ('a secret')`)
	cfg := p.config(strings.Replace(testdata(t, "privet.yaml"), "tenant: acme\n", "tenant: acme\nundecided: empty\n", 1))
	res, err := refresh.Run(ctx(t), cfg)
	require.NoError(t, err)
	require.Empty(t, query(t, p.target, "SELECT FROM customer WHERE nickname IS NOT NULL"), "not even the default arrives")
	require.Empty(t, query(t, p.target, "SELECT FROM brand_new"))
	require.ElementsMatch(t, []string{"public.customer.nickname", "public.brand_new"}, res.Receipt.Undecided)
}
