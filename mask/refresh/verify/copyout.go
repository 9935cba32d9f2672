package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
)

// sessionSettings make both sides print equal values alike, and a row that
// policies would hide an error.
const sessionSettings = `
	SET client_encoding = 'UTF8'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
	SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET extra_float_digits = 1;
	SET row_security = off; SET statement_timeout = 0; SET lock_timeout = 0;
	SET idle_in_transaction_session_timeout = 0`

// prepare puts the settings in force, inside a transaction or not.
func prepare(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.PgConn().Exec(ctx, sessionSettings).ReadAll()
	return err
}

// copyStatement returns the statement that reads columns of t. A partitioned
// table is read through to its partitions, anything else without its children.
func copyStatement(t *catalog.Table, columns []string) string {
	var b strings.Builder
	b.WriteString("COPY (SELECT ")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(pgx.Identifier{c}.Sanitize())
	}
	b.WriteString(" FROM ")
	if t.Kind == catalog.Ordinary {
		b.WriteString("ONLY ")
	}
	b.WriteString(t.SQL())
	b.WriteString(") TO STDOUT")
	return b.String()
}

// countRows counts a table's rows where no column of it is read.
func countRows(ctx context.Context, conn *pgx.Conn, t *catalog.Table) (n int64, err error) {
	only := ""
	if t.Kind == catalog.Ordinary {
		only = "ONLY "
	}
	if err = conn.QueryRow(ctx, "SELECT count(*) FROM "+only+t.SQL()).Scan(&n); err != nil {
		err = readError(t, err)
	}
	return n, err
}

// populated reports whether t can be read: a materialized view that was created
// WITH NO DATA holds nothing, and the server refuses to look.
func populated(ctx context.Context, conn *pgx.Conn, t *catalog.Table) (ok bool, err error) {
	if t.Kind != catalog.MatView {
		return true, nil
	}
	if err = conn.QueryRow(ctx, "SELECT relispopulated FROM pg_class WHERE oid = $1", t.OID).Scan(&ok); err != nil {
		err = readError(t, err)
	}
	return ok, err
}

// copyRows calls row with the fields of every row, nil for NULL. The fields are
// valid until row returns.
func copyRows(ctx context.Context, conn *pgx.Conn, t *catalog.Table, columns []string, row func([][]byte) error) error {
	r := &rowReader{row: row, fields: make([][]byte, len(columns)), scratch: make([][]byte, len(columns))}
	_, err := conn.PgConn().CopyTo(ctx, r, copyStatement(t, columns))
	if err == nil && len(r.rest) > 0 {
		err = errors.New("the last row is cut off")
	}
	if r.err != nil {
		return r.err
	}
	if err != nil {
		return readError(t, err)
	}
	return nil
}

// readError says which table could not be read, and nothing of its rows: the
// server's details may hold values.
func readError(t *catalog.Table, err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		err = fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
		if pg.Code == "42501" {
			return fault.New(fault.Config, "reading %s: %v", t, err).
				WithHint("the role that verifies needs SELECT on every table, and no row security that filters it")
		}
	}
	return fmt.Errorf("reading %s: %w", t, err)
}

// A rowReader is the io.Writer that COPY writes to: lines, split and unescaped.
type rowReader struct {
	row     func([][]byte) error
	fields  [][]byte
	scratch [][]byte
	rest    []byte
	err     error
}

// Write takes one message of COPY data, which is a line in practice and any
// number of bytes by the protocol.
func (r *rowReader) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			r.rest = append(r.rest, b...)
			break
		}
		line := b[:i]
		if len(r.rest) > 0 {
			r.rest = append(r.rest, line...)
			line = r.rest
		}
		b = b[i+1:]
		if r.err = r.line(line); r.err != nil {
			return 0, r.err
		}
		r.rest = r.rest[:0]
	}
	return n, nil
}

func (r *rowReader) line(line []byte) error {
	for i := range r.fields {
		field := line
		if j := bytes.IndexByte(line, '\t'); j >= 0 {
			field, line = line[:j], line[j+1:]
		} else if i < len(r.fields)-1 {
			return errors.New("a row with too few columns")
		}
		switch {
		case len(field) == 2 && field[0] == '\\' && field[1] == 'N':
			r.fields[i] = nil
		case bytes.IndexByte(field, '\\') < 0:
			r.fields[i] = field[:len(field):len(field)]
		default:
			r.scratch[i] = unescape(r.scratch[i][:0], field)
			r.fields[i] = r.scratch[i]
		}
		if r.fields[i] == nil && len(field) == 0 {
			r.fields[i] = []byte{}
		}
	}
	return r.row(r.fields)
}

// unescape appends the value of a field of COPY text format.
func unescape(dst, field []byte) []byte {
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c != '\\' || i+1 == len(field) {
			dst = append(dst, c)
			continue
		}
		i++
		switch c = field[i]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		}
		dst = append(dst, c)
	}
	return dst
}
