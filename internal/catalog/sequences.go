package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A sequence is readable where SELECT on it succeeds: the functions that
// return its value say NULL both for "never used" and, since PostgreSQL 18, for
// "not allowed", and so cannot tell a fresh sequence from a hidden one.
func (r *reader) sequences(ctx context.Context) error {
	return r.each(ctx, `
		SELECT n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
			has_schema_privilege(n.oid, 'USAGE') AND has_sequence_privilege(c.oid, 'SELECT')
				AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery()),
			coalesce(d.refobjid, 0), coalesce(d.refobjsubid, 0)::int2, coalesce(d.deptype = 'i', false)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_sequence s ON s.seqrelid = c.oid
			LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
				AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
		WHERE c.relkind = 'S' AND `+ours,
		func(rows pgx.Rows) error {
			s := &Sequence{}
			var table uint32
			var column int16
			var readable bool
			err := rows.Scan(&s.Schema, &s.Name, &s.Type, &s.Start, &s.Increment, &readable,
				&table, &column, &s.Identity)
			if err != nil {
				return err
			}
			s.Unreadable = !readable
			if t, c := r.byOID[table], r.columns[table][column]; t != nil && c != nil {
				s.OwnerTable, s.OwnerColumn = t, c.Name
				s.OwnedBy = t.String() + "." + c.Name
			}
			r.c.Sequences = append(r.c.Sequences, s)
			return nil
		})
}

// sequencesPerQuery bounds the length of one statement.
const sequencesPerQuery = 200

// sequenceValues reads the values of all readable sequences. A sequence is a
// table of one row; many are read by one UNION.
func (r *reader) sequenceValues(ctx context.Context) error {
	var readable []*Sequence
	for _, s := range r.c.Sequences {
		if !s.Unreadable {
			readable = append(readable, s)
		}
	}
	for len(readable) > 0 {
		batch := readable[:min(sequencesPerQuery, len(readable))]
		readable = readable[len(batch):]
		var sql strings.Builder
		for i, s := range batch {
			if i > 0 {
				sql.WriteString(" UNION ALL ")
			}
			fmt.Fprintf(&sql, "SELECT %d, last_value, is_called FROM %s", i,
				pgx.Identifier{s.Schema, s.Name}.Sanitize())
		}
		err := r.each(ctx, sql.String(), func(rows pgx.Rows) error {
			var i int
			var last int64
			var called bool
			if err := rows.Scan(&i, &last, &called); err != nil {
				return err
			}
			batch[i].LastValue, batch[i].IsCalled = &last, called
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
