package shop

import (
	"context"
	_ "embed"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
)

//go:embed tables.sql
var tablesSQL string

//go:embed keys.sql
var keysSQL string

// Policy is privet.yaml, which decides every column of the shop.
//
//go:embed privet.yaml
var Policy []byte

// Size says how big the shop is.
type Size struct {
	Customers int // at least 1
	Orders    int // at least 1
}

// Full is the size of the demo: about 1.8 million rows.
var Full = Size{Customers: 200_000, Orders: 600_000}

// Rows is what a table holds after [Create].
type Rows struct {
	Table string
	Count int
}

// Tables returns the tables that a shop of this size has, with their rows,
// partitions under their parent.
func (s Size) Tables() []Rows {
	var rows []Rows
	for _, t := range tables {
		rows = append(rows, Rows{t.name, t.count(s)})
	}
	return rows
}

// Create makes the shop in the empty database of conn. The rows are loaded
// before the keys are built, in about ten seconds for [Full].
func Create(ctx context.Context, conn *pgx.Conn, size Size) error {
	if size.Customers < 1 || size.Orders < 1 {
		return fmt.Errorf("shop: a shop needs at least one customer and one order, not %d and %d", size.Customers, size.Orders)
	}
	if _, err := conn.PgConn().Exec(ctx, tablesSQL).ReadAll(); err != nil {
		return fmt.Errorf("shop: tables: %w", err)
	}
	for _, t := range tables {
		g := newGenerator(size)
		r := &rows{next: func(dst []byte, i int) []byte {
			w := line{buf: dst}
			t.row(g, i, &w)
			return w.end()
		}, n: t.count(size)}
		tag, err := conn.PgConn().CopyFrom(ctx, r, "COPY "+t.name+" ("+t.columns+") FROM STDIN")
		if err != nil {
			return fmt.Errorf("shop: rows of %s: %w", t.name, err)
		}
		if got := tag.RowsAffected(); got != int64(t.count(size)) {
			return fmt.Errorf("shop: %s has %d rows, not %d", t.name, got, t.count(size))
		}
	}
	if _, err := conn.PgConn().Exec(ctx, keysSQL).ReadAll(); err != nil {
		return fmt.Errorf("shop: keys: %w", err)
	}
	return nil
}

// rows reads as the COPY text of rows 1 to n, made as they are asked for.
type rows struct {
	next func(dst []byte, i int) []byte
	n    int

	i    int
	buf  []byte
	rest []byte
}

// Read implements [io.Reader].
func (r *rows) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		r.buf = r.buf[:0]
		for len(r.buf) < 1<<16 && r.i < r.n {
			r.i++
			r.buf = r.next(r.buf, r.i)
		}
		if r.rest = r.buf; len(r.rest) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
