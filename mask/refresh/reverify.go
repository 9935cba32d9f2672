package refresh

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/verify"
	"github.com/privet-dev/privet/policy"
)

// A VerifyConfig is what [Verify] needs. Source, Target and Policy are mandatory.
type VerifyConfig struct {
	// Source and Target are connection strings, as in [Config].
	Source, Target string
	// Policy is the policy that the target was made under.
	Policy *policy.Policy
	// Jobs is how many tables are read at once; 0 means 2.
	Jobs int
	// Progress is told how the verification advances; nil for nobody.
	Progress VerifyProgress
	// TempDir is where keyed fingerprints go that do not fit into memory; "" means
	// the system's folder.
	TempDir string
}

// Verify reads a source and a target that was refreshed from it earlier and
// searches the target for originals, as [Run] does before a swap. It needs no
// keys and writes to neither side. The source may have moved on since: rows on
// one side only are then information, originals in the target are not. Where a
// check fails, the error is of kind Verify and the report is there too.
func Verify(ctx context.Context, cfg VerifyConfig) (*verify.Report, error) {
	if cfg.Policy == nil {
		return nil, fault.New(fault.Config, "no policy")
	}
	source, err := pgconnect.Parse("source", cfg.Source)
	if err != nil {
		return nil, err
	}
	target, err := pgconnect.Parse("target", cfg.Target)
	if err != nil {
		return nil, err
	}
	open := func(place *pgconnect.Target) func(context.Context) (*pgx.Conn, error) {
		return func(ctx context.Context) (*pgx.Conn, error) {
			return place.Open(ctx, pgconnect.Options{AppName: "privet mask verify", ReadOnly: true})
		}
	}
	in := verify.Input{Source: open(source), Target: open(target), Moving: true, Jobs: jobsOf(cfg.Jobs), TempDir: cfg.TempDir}
	if cfg.Progress != nil {
		cfg.Progress.Stage("verify")
		in.Progress = cfg.Progress.Verify
	}
	if in.Tables, err = tablesToVerify(ctx, in, cfg); err != nil {
		return nil, err
	}
	report, err := verify.Run(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", pgconnect.Redacted(err))
	}
	if report.OK {
		return report, nil
	}
	return report, verifyFault(report, fmt.Sprintf("the target %q", target.Database()))
}

// tablesToVerify holds the policy against the source's catalog and finds each
// table in the target.
func tablesToVerify(ctx context.Context, in verify.Input, cfg VerifyConfig) ([]verify.Table, error) {
	src, err := in.Source(ctx)
	if err != nil {
		return nil, err
	}
	defer pgconnect.Close(src)
	tgt, err := in.Target(ctx)
	if err != nil {
		return nil, err
	}
	defer pgconnect.Close(tgt)
	from, err := catalog.Read(ctx, src)
	if err != nil {
		return nil, err
	}
	to, err := catalog.Read(ctx, tgt)
	if err != nil {
		return nil, err
	}
	p, err := makePlan(ctx, src, from, PlanConfig{Policy: cfg.Policy, Jobs: cfg.Jobs})
	if err != nil {
		return nil, err
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	tables, err := verifyTables(p, from, to, nil)
	for i := range tables {
		tables[i].SourceRows = -1 // nobody has counted
	}
	return tables, err
}
