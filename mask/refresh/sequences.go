package refresh

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/policy"
)

// setSequences brings every sequence of the new database to where the source's
// stood. They were read after the snapshot began and do not belong to any
// transaction, so that they are never behind the rows. A sequence whose table is
// copied without rows stays at its start.
func setSequences(ctx context.Context, conn *pgx.Conn, cat *catalog.Catalog, res *policy.Resolution) error {
	for _, s := range cat.Sequences {
		if s.LastValue == nil {
			return fault.New(fault.Config, "source: sequence %s cannot be read", s).
				WithHint("GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO the source's role", quote(s.Schema))
		}
		if s.OwnerTable != nil {
			if d := res.Table(s.OwnerTable); d != nil && !d.Rows && d.Table.Kind == catalog.Ordinary {
				continue
			}
		}
		name := pgx.Identifier{s.Schema, s.Name}.Sanitize()
		if _, err := conn.Exec(ctx, "SELECT pg_catalog.setval($1::regclass, $2, $3)", name, *s.LastValue, s.IsCalled); err != nil {
			return fmt.Errorf("target: set sequence %s: %w", s, pgconnect.Redacted(err))
		}
		if err := passMasked(ctx, conn, s, res, name); err != nil {
			return err
		}
	}
	return nil
}

// numbers are the types of columns whose values can be held against a sequence. A
// text column may own one, too: its default builds the text around the number.
var numbers = []string{"int2", "int4", "int8", "numeric"}

// passMasked moves a sequence past the largest value of the column that it
// feeds, where masking has moved those values.
func passMasked(ctx context.Context, conn *pgx.Conn, s *catalog.Sequence, res *policy.Resolution, name string) error {
	if s.OwnerTable == nil || s.Increment < 0 {
		return nil
	}
	d := res.Table(s.OwnerTable)
	if d == nil {
		return nil
	}
	c := d.Column(s.OwnerColumn)
	if c == nil || c.Action != policy.Mask || !slices.Contains(numbers, c.Column.BaseType) {
		return nil
	}
	_, err := conn.Exec(ctx, fmt.Sprintf(`SELECT pg_catalog.setval($1::regclass, m) FROM (SELECT max(%s)::bigint AS m FROM %s) x
		WHERE m > $2 AND m < (SELECT seqmax FROM pg_catalog.pg_sequence WHERE seqrelid = $1::regclass)`,
		quote(s.OwnerColumn), s.OwnerTable.SQL()), name, *s.LastValue)
	if err != nil {
		return fmt.Errorf("target: move sequence %s past its masked column: %w", s, pgconnect.Redacted(err))
	}
	return nil
}
