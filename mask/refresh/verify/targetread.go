package verify

import (
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/catalog"
)

// A targetTable is one table of the target that is read.
type targetTable struct {
	table    *catalog.Table
	state    *tableState // nil for a table that the input does not name
	searched []*targetColumn
	rows     int64
}

// readTarget reads one table of the target: searches every piece of every
// searched column, and joins the rows with their originals.
func (r *run) readTarget(ctx context.Context, conn *pgx.Conn, tt *targetTable) error {
	if ok, err := populated(ctx, conn, tt.table); err != nil || !ok {
		return err
	}
	st := tt.state
	var sel selection
	keys := 0
	if st != nil && st.rows != nil {
		for _, k := range st.Key {
			sel.index(k)
		}
		keys = len(st.Key)
	}
	searched := tt.searched
	if r.originals.count == 0 {
		searched = nil
	}
	at := make([]int, len(searched))
	for i, c := range searched {
		at[i] = sel.index(c.column.Name)
	}
	var maskedAt []int
	var prints []valuePrint
	if st != nil {
		for i := range st.columns {
			c := &st.columns[i]
			maskedAt = append(maskedAt, sel.index(c.Name))
			prints = append(prints, r.valuePrint(c.Column, c.sourceShape.array))
		}
	}
	if len(sel.names) == 0 {
		n, err := countRows(ctx, conn, tt.table)
		tt.rows = n
		return err
	}

	found := r.found.writer()
	var problem error
	var rec []byte
	var current *targetColumn
	tok := &tokenizer{k: r.k, phrase: r.originals.phrase, digits: r.originals.digits, codes: r.originals.codes}
	tok.yield = func(fp uint64, c class, size int) {
		if c == classDigits {
			current.number(fp, size)
		}
		if !r.originals.filter.has(fp) {
			return
		}
		rec = appendMark(rec[:0], fp, tag(current.id))
		if err := found.add(rec); err != nil {
			problem = err
		}
	}

	var rowSpool *spool
	var rows *spoolWriter
	if keys > 0 {
		rowSpool = newSpool(st.rows.width, st.rows.bits, r.budget, r.in.TempDir)
		defer rowSpool.close()
		rows = rowSpool.writer()
	}
	var row []byte
	if st != nil {
		row = make([]byte, 8*(1+len(st.columns)))
	}
	err := copyRows(ctx, conn, tt.table, sel.names, func(fields [][]byte) error {
		tt.rows++
		r.progress.row()
		for i, c := range searched {
			b := fields[at[i]]
			if c.values != nil && b != nil {
				c.values.add(r.k.bytes(saltValue, b))
			}
			if len(b) < minText {
				continue
			}
			current = c
			tok.whole = c.wholeOnly()
			tok.value(b, c.shape)
		}
		if st == nil {
			return problem
		}
		for i := range st.columns {
			c, b := &st.columns[i], fields[maskedAt[i]]
			if b == nil {
				c.targetNulls++
			} else if c.targetValues != nil {
				c.targetValues.add(r.k.bytes(saltValue, b))
			}
			binary.LittleEndian.PutUint64(row[8+8*i:], prints[i].of(b))
		}
		if rows != nil {
			binary.LittleEndian.PutUint64(row, r.k.rowKey(fields[:keys]))
			if err := rows.add(row); err != nil {
				return err
			}
		}
		return problem
	})
	if err != nil {
		return err
	}
	if err := found.flush(); err != nil {
		return err
	}
	if rows == nil {
		return nil
	}
	if err := rows.flush(); err != nil {
		return err
	}
	st.identity, err = joinRows(st.rows, rowSpool, st.Columns)
	st.rows.close()
	return err
}
