package main

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
	"github.com/privet-dev/privet/examples/ent/shopdb"
	"github.com/privet-dev/privet/examples/ent/shopdb/customer"
)

//go:generate go run -mod=mod entgo.io/ent/cmd/ent generate --target shopdb ./schema

// What a caller of customers may act on.
var (
	errTaken    = errors.New("another customer has this e-mail address")
	errNotFound = errors.New("no such customer")
)

// customers adds to the generated client what it does not know: keys.
type customers struct {
	db   *shopdb.Client
	keys *keys
}

// emailOf and cardOf say where a customer's values are encrypted: under the keys of the
// subject, which is the row's id, so that the id must be known before sealing.
func emailOf(id uuid.UUID) crypto.Context {
	return crypto.Context{Tenant: tenant, Subject: id.String(), Field: "customer.email"}
}

func cardOf(id uuid.UUID) crypto.Context {
	return crypto.Context{Tenant: tenant, Subject: id.String(), Field: "customer.card"}
}

// Insert adds a customer and returns their id. errTaken where the address is in use.
func (t *customers) Insert(ctx context.Context, country, email, card string) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	index, err := t.keys.emails.Append(ctx, nil, []byte(email))
	if err != nil {
		return uuid.Nil, err
	}
	sealedEmail, sealedCard := column.Of(email), column.Of(card)
	err = column.SealAll(ctx, t.keys.client, []column.Item{
		{Column: &sealedEmail, At: emailOf(id)},
		{Column: &sealedCard, At: cardOf(id)},
	})
	if err != nil {
		return uuid.Nil, err
	}
	err = t.db.Customer.Create().SetID(id).SetCountry(country).
		SetEmail(sealedEmail).SetEmailIndex(index).SetCard(sealedCard).Exec(ctx)
	return id, taken(err)
}

// ByEmail returns the customer who has an address, however it is written. The predicates
// that ent makes for Email itself compare ciphertexts, and find nothing.
func (t *customers) ByEmail(ctx context.Context, email string) (*shopdb.Customer, error) {
	values, err := t.keys.emails.Values(ctx, []byte(email))
	if err != nil {
		return nil, err
	}
	c, err := t.db.Customer.Query().Where(customer.EmailIndexIn(values...)).Only(ctx)
	if shopdb.IsNotFound(err) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	return c, t.open(ctx, c)
}

// Page returns up to limit customers with ids above after, opened in one batch.
func (t *customers) Page(ctx context.Context, after uuid.UUID, limit int) ([]*shopdb.Customer, error) {
	page, err := t.db.Customer.Query().Where(customer.IDGT(after)).
		Order(shopdb.Asc(customer.FieldID)).Limit(limit).All(ctx)
	if err != nil {
		return nil, err
	}
	return page, t.open(ctx, page...)
}

// ChangeEmail gives a customer another address. errTaken where it is in use.
func (t *customers) ChangeEmail(ctx context.Context, id uuid.UUID, email string) error {
	index, err := t.keys.emails.Append(ctx, nil, []byte(email))
	if err != nil {
		return err
	}
	// A value whose sealing is forgotten is never written: Exec gives column.ErrNotSealed.
	sealed := column.Of(email)
	if err := sealed.Seal(ctx, t.keys.client, emailOf(id)); err != nil {
		return err
	}
	err = t.db.Customer.UpdateOneID(id).SetEmail(sealed).SetEmailIndex(index).Exec(ctx)
	if shopdb.IsNotFound(err) {
		return errNotFound
	}
	return taken(err)
}

// open decrypts the values of customers in one batch. The error names every value that
// could not be opened, by a column.ItemError; the others are open.
func (t *customers) open(ctx context.Context, page ...*shopdb.Customer) error {
	items := make([]column.Item, 0, 2*len(page))
	for _, c := range page {
		items = append(items,
			column.Item{Column: &c.Email, At: emailOf(c.ID)},
			column.Item{Column: &c.Card, At: cardOf(c.ID)})
	}
	return column.OpenAll(ctx, t.keys.client, items)
}

// taken turns a violation of the index's uniqueness, the only one that can happen, into
// errTaken.
func taken(err error) error {
	if shopdb.IsConstraintError(err) {
		return errTaken
	}
	return err
}
