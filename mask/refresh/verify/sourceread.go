package verify

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/classify/detect"
)

// A tableState is what is known of one table of the input while it is checked.
// In each phase it belongs to the goroutine that reads the table.
type tableState struct {
	*Table
	columns []columnState
	// rows holds a record for each source row: its key and its values. nil where
	// rows cannot be joined.
	rows *spool
	// identity is the outcome of the join, nil without one.
	identity               *tableIdentity
	sourceRows, targetRows int64
}

// A columnState is one masked column on both sides.
type columnState struct {
	*Column
	source                     *sourceColumn // nil where it does not identify
	sourceNulls, targetNulls   int64
	sourceValues, targetValues *sketch
	sourceShape                shape
}

// A selection is the list of columns to read, each once.
type selection struct{ names []string }

func (s *selection) index(name string) int {
	if i := slices.Index(s.names, name); i >= 0 {
		return i
	}
	s.names = append(s.names, name)
	return len(s.names) - 1
}

// readSource reads one table's originals: fingerprints of those that identify,
// and of every row's masked values.
func (r *run) readSource(ctx context.Context, conn *pgx.Conn, st *tableState) error {
	if st.NoRows || len(st.columns) == 0 {
		if st.sourceRows = st.SourceRows; st.sourceRows >= 0 || st.NoRows {
			return nil
		}
		var err error
		st.sourceRows, err = countRows(ctx, conn, st.Source)
		return err
	}
	var sel selection
	for _, k := range st.Key {
		sel.index(k)
	}
	keys := len(st.Key)
	at := make([]int, len(st.columns))
	prints := make([]valuePrint, len(st.columns))
	extractors := make([]*extractor, len(st.columns))
	tok := &tokenizer{k: r.k}
	out := r.originals.raw.writer()
	var problem error
	var rec []byte
	lately := new(recent)
	for i := range st.columns {
		c := &st.columns[i]
		at[i] = sel.index(c.Name)
		prints[i] = r.valuePrint(c.Column, c.sourceShape.array)
		if c.source == nil {
			continue
		}
		id := c.source.id
		extractors[i] = &extractor{
			t: tok, typ: c.Type, shape: c.sourceShape, path: prints[i].path, known: r.known,
			found: func(fp uint64, cl class, size int) {
				m := mark{fp, newTag(id, cl, size)}
				if lately.seen(m) {
					return
				}
				rec = appendMark(rec[:0], m.fp, m.tag)
				if err := out.add(rec); err != nil {
					problem = err
				}
			},
		}
		if ruleName(c.Rule) == "redact_text" {
			extractors[i].detector = detect.New()
		}
	}
	var rows *spoolWriter
	if st.rows != nil {
		rows = st.rows.writer()
	}
	row := make([]byte, 8*(1+len(st.columns)))
	err := copyRows(ctx, conn, st.Source, sel.names, func(fields [][]byte) error {
		st.sourceRows++
		r.progress.row()
		if rows != nil {
			binary.LittleEndian.PutUint64(row, r.k.rowKey(fields[:keys]))
		}
		for i := range st.columns {
			c, b := &st.columns[i], fields[at[i]]
			if b == nil {
				c.sourceNulls++
			} else {
				if c.sourceValues != nil {
					c.sourceValues.add(r.k.bytes(saltValue, b))
				}
				if extractors[i] != nil {
					extractors[i].value(b)
				}
			}
			binary.LittleEndian.PutUint64(row[8+8*i:], prints[i].of(b))
		}
		if rows != nil {
			return rows.add(row)
		}
		return problem
	})
	if err != nil {
		return err
	}
	for _, e := range extractors {
		if e != nil {
			r.leftOut.Add(e.leftOut)
		}
	}
	if rows != nil {
		if err := rows.flush(); err != nil {
			return err
		}
	}
	if problem != nil {
		return problem
	}
	return out.flush()
}
