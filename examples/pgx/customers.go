package main

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
)

//go:embed schema.sql
var schema string

// What a caller of customers may act on.
var (
	errTaken    = errors.New("another customer has this e-mail address")
	errNotFound = errors.New("no such customer")
)

// A Customer is a row. The tags say whose it is and what is encrypted.
type Customer struct {
	ID         int64                    `db:"id"          classify:"internal,subject"`
	Country    string                   `db:"country"     classify:"internal"`
	CreatedAt  time.Time                `db:"created_at"  classify:"internal"`
	Email      column.Encrypted[string] `db:"email"       classify:"confidential,type=email,encrypt=customer.email"`
	EmailIndex []byte                   `db:"email_index" classify:"internal"`
	Card       column.Encrypted[Card]   `db:"card"        classify:"restricted,encrypt=customer.card"`
}

// A Card is encrypted as one value, its JSON.
type Card struct {
	Number  string `json:"number"  classify:"restricted,type=card_number"`
	Expires string `json:"expires" classify:"restricted"`
}

// customers is the table.
type customers struct {
	db   *pgxpool.Pool
	keys *keys
}

// base is what every value of the table is encrypted under; the subject is the row's id.
var base = crypto.Context{Tenant: tenant}

// Insert adds a customer and returns their id. The values are encrypted under the
// subject's own keys and the subject is the row's id, so the database is asked for the
// id first. errTaken where the address is in use.
func (t *customers) Insert(ctx context.Context, country, email string, card Card) (int64, error) {
	c := Customer{Country: country, Email: column.Of(email), Card: column.Of(card)}
	err := t.db.QueryRow(ctx, `SELECT nextval(pg_get_serial_sequence('customer', 'id'))`).Scan(&c.ID)
	if err != nil {
		return 0, err
	}
	if c.EmailIndex, err = t.keys.emails.Append(ctx, nil, []byte(email)); err != nil {
		return 0, err
	}
	if err := t.keys.client.Seal(ctx, &c, base); err != nil {
		return 0, err
	}
	_, err = t.db.Exec(ctx, `INSERT INTO customer (id, country, email, email_index, card) VALUES ($1, $2, $3, $4, $5)`,
		c.ID, c.Country, c.Email, c.EmailIndex, c.Card)
	return c.ID, taken(err)
}

// ByEmail returns the customer who has an address, however it is written. The database
// compares index values and sees no address.
func (t *customers) ByEmail(ctx context.Context, email string) (*Customer, error) {
	values, err := t.keys.emails.Values(ctx, []byte(email))
	if err != nil {
		return nil, err
	}
	rows, err := t.db.Query(ctx, `SELECT * FROM customer WHERE email_index = ANY($1)`, values)
	if err != nil {
		return nil, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[Customer])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	return c, t.keys.client.Open(ctx, c, base)
}

// Page returns up to limit (at least 1) customers with ids above after. Their addresses are opened in
// one batch, whose keys are read at once; cards, which a list does not show, stay
// closed. Customers whose keys were destroyed are left out. The next page is after next,
// which is 0 where there is none.
func (t *customers) Page(ctx context.Context, after int64, limit int) (page []Customer, next int64, err error) {
	rows, err := t.db.Query(ctx, `SELECT * FROM customer WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, 0, err
	}
	page, err = pgx.CollectRows(rows, pgx.RowToStructByName[Customer])
	if err != nil {
		return nil, 0, err
	}
	if len(page) == limit {
		next = page[limit-1].ID
	}
	page, err = openEmails(ctx, t.keys.client, page)
	return page, next, err
}

// ChangeEmail gives a customer another address. errTaken where it is in use.
func (t *customers) ChangeEmail(ctx context.Context, id int64, email string) error {
	c := Customer{ID: id, Email: column.Of(email)}
	var err error
	if c.EmailIndex, err = t.keys.emails.Append(ctx, nil, []byte(email)); err != nil {
		return err
	}
	// Card is NULL here, which Seal leaves alone.
	if err := t.keys.client.Seal(ctx, &c, base); err != nil {
		return err
	}
	tag, err := t.db.Exec(ctx, `UPDATE customer SET email = $2, email_index = $3 WHERE id = $1`, c.ID, c.Email, c.EmailIndex)
	if err == nil && tag.RowsAffected() == 0 {
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
