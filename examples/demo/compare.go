package main

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// shown are customers with something in every column that the table shows.
const shown = `
	SELECT c.customer_id FROM customer c
	WHERE c.phone IS NOT NULL AND c.date_of_birth IS NOT NULL
		AND EXISTS (SELECT FROM orders o JOIN payment p USING (order_id) WHERE o.customer_id = c.customer_id AND p.card_number IS NOT NULL)
		AND (SELECT m.body FROM message m WHERE m.customer_id = c.customer_id ORDER BY m.message_id LIMIT 1) ~ '@|\+[0-9]'
	ORDER BY c.customer_id LIMIT 5`

// columns are what the table shows of a customer.
var columns = []struct{ name, sql string }{
	{"customer", `c.customer_id`},
	{"full_name", `c.full_name`},
	{"email", `c.email`},
	{"username", `c.username`},
	{"phone", `c.phone`},
	{"born", `c.date_of_birth`},
	{"profile", `concat_ws(' ', c.profile->>'email', c.profile->>'langs')`},
	{"address", `concat_ws(', ', a.street, a.city)`},
	{"card", `(SELECT p.card_number FROM orders o JOIN payment p USING (order_id)
		WHERE o.customer_id = c.customer_id AND p.card_number IS NOT NULL ORDER BY p.payment_id LIMIT 1)`},
	{"message", `(SELECT m.body FROM message m WHERE m.customer_id = c.customer_id ORDER BY m.message_id LIMIT 1)`},
}

// rowsOf is the query for the columns of some customers, as text.
func rowsOf() string {
	var list []string
	for _, c := range columns {
		list = append(list, "("+c.sql+")::text")
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM customer c LEFT JOIN address a ON a.address_id = c.customer_id" +
		" WHERE c.customer_id = ANY($1) ORDER BY c.customer_id"
}

// compare shows five customers in both databases, side by side.
func (s *stage) compare(ctx context.Context) error {
	s.act("Five customers, before and after")
	ids, err := query(ctx, s.server.URI(source), shown, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	one := func(row pgx.CollectableRow) ([]*string, error) {
		values := make([]*string, len(row.FieldDescriptions()))
		into := make([]any, len(values))
		for i := range values {
			into[i] = &values[i]
		}
		return values, row.Scan(into...)
	}
	before, err := query(ctx, s.server.URI(source), rowsOf(), one, ids)
	if err != nil {
		return err
	}
	after, err := query(ctx, s.server.URI(target), rowsOf(), one, ids)
	if err != nil {
		return err
	}
	if len(before) != len(after) {
		return fmt.Errorf("%s has %d of the customers that %s has %d of", target, len(after), source, len(before))
	}
	const width = 52
	fmt.Fprintf(s.out, "   %-10s %s %s\n", "", bold(cell(source, width)), bold(target))
	for i := range before {
		for j, c := range columns {
			fmt.Fprintf(s.out, "   %-10s %s %s\n", c.name, cell(plain(before[i][j]), width), strings.TrimRight(cell(plain(after[i][j]), width), " "))
		}
		fmt.Fprintln(s.out)
	}
	return nil
}

// query runs one query over a connection of its own.
func query[T any](ctx context.Context, uri, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// plain puts a value on one line.
func plain(v *string) string {
	if v == nil {
		return "NULL"
	}
	return strings.Join(strings.Fields(*v), " ")
}

// cell cuts or fills s to n characters.
func cell(s string, n int) string {
	if have := utf8.RuneCountInString(s); have <= n {
		return s + strings.Repeat(" ", n-have)
	}
	return string([]rune(s)[:n-1]) + "…"
}
