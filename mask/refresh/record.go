package refresh

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/fake"
	"github.com/privet-dev/privet/mask/refresh/receipt"
	"github.com/privet-dev/privet/policy"
)

// count moves what the loader counted into the result.
func (r *run) count() {
	for _, j := range r.plan.jobs {
		t := TableResult{Table: j.table.String(), Rows: r.loader.rows[j]}
		for _, m := range j.fields {
			t.Columns = append(t.Columns, ColumnResult{Column: m.column.Name, Rule: ruleText(m),
				Masked: m.masked, Nulled: m.nulled, Unchanged: m.unchanged})
		}
		r.result.Rows += t.Rows
		r.result.Tables = append(r.result.Tables, t)
	}
}

// makeReceipt writes down what the run did, and signs it where there is a key.
func (r *run) makeReceipt(ctx context.Context) error {
	targetVersion, err := versionText(ctx, r.admin)
	if err != nil {
		return err
	}
	sourceVersion, err := versionText(ctx, r.snap.conn)
	if err != nil {
		return err
	}
	rc := &receipt.Receipt{
		RunID: r.id, Privet: r.cfg.Version, Started: r.result.Started, Finished: time.Now().UTC(),
		Keys:     r.cfg.KeyID,
		Policy:   receipt.Policy{File: r.cfg.Policy.File(), SHA256: r.cfg.Policy.Hash()},
		Source:   receipt.Database{Server: r.source.Server(), Database: r.source.Database(), ServerVersion: sourceVersion},
		Target:   receipt.Database{Server: r.target.Server(), Database: r.target.Database(), ServerVersion: targetVersion},
		Snapshot: r.snap.id, Lists: fake.Fingerprint(), Schema: r.schema.fingerprint,
		Undecided: r.plan.Empty, Verification: r.result.Verify,
	}
	jobs := map[string]*tableJob{}
	for _, j := range r.plan.jobs {
		jobs[j.table.String()] = j
	}
	for _, pt := range r.plan.Tables {
		j := jobs[pt.Table]
		t := receipt.Table{Name: pt.Table, Decision: "structure only"}
		if pt.Rows {
			t.Decision = "rows"
		}
		if j != nil {
			t.Rows, t.Bytes = r.loader.rows[j], j.bytes
		}
		rc.Tables = append(rc.Tables, t)
		for _, pc := range pt.Columns {
			c := receipt.Column{Table: pt.Table, Column: pc.Column, Action: pc.Action, Rule: pc.Rule, From: pc.From}
			if pc.Action == policy.Keep.String() {
				c.Rule = pc.Why
			}
			if j != nil {
				if m := fieldOf(j, pc.Column); m != nil {
					c.Rows, c.Nulls, c.Changed = m.masked, t.Rows-m.masked, m.masked-m.unchanged
					c.Rule = ruleText(m)
				}
			}
			rc.Columns = append(rc.Columns, c)
			for _, part := range pc.JSON {
				rc.Columns = append(rc.Columns, receipt.Column{Table: pt.Table, Column: pc.Column, Path: part.Path, Action: part.Action, Rule: part.Rule, From: pc.From})
			}
		}
	}
	r.result.Receipt = rc
	if r.cfg.Sign != nil {
		r.result.Document, err = receipt.Sign(rc, r.cfg.Sign)
	} else {
		r.result.Document, err = json.MarshalIndent(rc, "", "  ")
	}
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	return nil
}

func versionText(ctx context.Context, conn *pgx.Conn) (string, error) {
	var v string
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('server_version')").Scan(&v); err != nil {
		return "", fmt.Errorf("read the server's version: %w", pgconnect.Redacted(err))
	}
	return v, nil
}
