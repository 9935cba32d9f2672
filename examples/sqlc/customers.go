package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
	"github.com/privet-dev/privet/examples/sqlc/shopdb"
)

//go:generate go run github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1 generate

// What a caller of customers may act on.
var (
	errTaken    = errors.New("another customer has this e-mail address")
	errNotFound = errors.New("no such customer")
)

// customers adds to the generated queries what they do not know: keys. The structs that
// sqlc generates, rows and parameters, carry the tags of sqlc.yaml and are sealed and
// opened as they are.
type customers struct {
	db   *shopdb.Queries
	keys *keys
}

// base is what every value of the table is encrypted under; the subject is the row's id.
var base = crypto.Context{Tenant: tenant}

// Insert adds a customer and returns their id, which names the subject and is therefore
// fetched before sealing. errTaken where the address is in use.
func (c *customers) Insert(ctx context.Context, country, email, card string) (int64, error) {
	id, err := c.db.NextCustomerID(ctx)
	if err != nil {
		return 0, err
	}
	index, err := c.keys.emails.Append(ctx, nil, []byte(email))
	if err != nil {
		return 0, err
	}
	row := shopdb.InsertCustomerParams{
		ID: id, Country: country, Email: column.Of(email), EmailIndex: index, Card: column.Of(card),
	}
	if err := c.keys.client.Seal(ctx, &row, base); err != nil {
		return 0, err
	}
	return id, taken(c.db.InsertCustomer(ctx, row))
}

// ByEmail returns the customer who has an address, however it is written.
func (c *customers) ByEmail(ctx context.Context, email string) (shopdb.Customer, error) {
	values, err := c.keys.emails.Values(ctx, []byte(email))
	if err != nil {
		return shopdb.Customer{}, err
	}
	row, err := c.db.CustomerByEmail(ctx, values)
	if errors.Is(err, pgx.ErrNoRows) {
		return shopdb.Customer{}, errNotFound
	}
	if err != nil {
		return shopdb.Customer{}, err
	}
	err = c.keys.client.Open(ctx, &row, base)
	return row, err
}

// Page returns up to limit customers with ids above after, opened in one batch.
// Open is all or nothing: a row whose subject's keys were destroyed makes it an error, so
// such rows are deleted with the keys, or left out as the example on pgx does.
func (c *customers) Page(ctx context.Context, after int64, limit int32) ([]shopdb.Customer, error) {
	page, err := c.db.CustomersAfter(ctx, shopdb.CustomersAfterParams{After: after, MaxRows: limit})
	if err != nil {
		return nil, err
	}
	return page, c.keys.client.Open(ctx, page, base)
}

// ChangeEmail gives a customer another address. errTaken where it is in use.
func (c *customers) ChangeEmail(ctx context.Context, id int64, email string) error {
	index, err := c.keys.emails.Append(ctx, nil, []byte(email))
	if err != nil {
		return err
	}
	change := shopdb.ChangeEmailParams{ID: id, Email: column.Of(email), EmailIndex: index}
	if err := c.keys.client.Seal(ctx, &change, base); err != nil {
		return err
	}
	n, err := c.db.ChangeEmail(ctx, change)
	if err == nil && n == 0 {
		return errNotFound
	}
	return taken(err)
}

// taken turns a violation of the index's uniqueness into errTaken.
func taken(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.ConstraintName == "customer_email_index_key" {
		return errTaken
	}
	return err
}
