package main

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
)

// What a caller of customers may act on.
var (
	errTaken    = errors.New("another customer has this e-mail address")
	errNotFound = errors.New("no such customer")
)

// A Customer is a row. GORM is told the type of encrypted columns, bytea, which it would
// otherwise guess from their Go type; the classify tags say whose the row is and what is
// encrypted. The id names the subject and must be known before sealing: the program
// makes it.
type Customer struct {
	ID         uuid.UUID                `gorm:"type:uuid;primaryKey"  classify:"internal,subject"`
	Country    string                   `gorm:"not null"              classify:"internal"`
	Email      column.Encrypted[string] `gorm:"type:bytea;not null"   classify:"confidential,type=email,encrypt=customer.email"`
	EmailIndex []byte                   `gorm:"type:bytea;unique"     classify:"internal"`
	Card       column.Encrypted[Card]   `gorm:"type:bytea"            classify:"restricted,encrypt=customer.card"`
}

// A Card is encrypted as one value, its JSON.
type Card struct {
	Number  string `json:"number"  classify:"restricted,type=card_number"`
	Expires string `json:"expires" classify:"restricted"`
}

// customers is the table. Its db translates errors (gorm.Config.TranslateError).
type customers struct {
	db   *gorm.DB
	keys *keys
}

// base is what every value of the table is encrypted under; the subject is the row's id.
var base = crypto.Context{Tenant: tenant}

// Insert adds a customer and returns their id. errTaken where the address is in use.
func (t *customers) Insert(ctx context.Context, country, email string, card Card) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	c := Customer{ID: id, Country: country, Card: column.Of(card)}
	if err := t.setEmail(ctx, &c, email); err != nil {
		return uuid.Nil, err
	}
	return id, taken(t.db.WithContext(ctx).Create(&c).Error)
}

// ByEmail returns the customer who has an address, however it is written.
func (t *customers) ByEmail(ctx context.Context, email string) (*Customer, error) {
	values, err := t.keys.emails.Values(ctx, []byte(email))
	if err != nil {
		return nil, err
	}
	// Take, which reads by the unique index and sorts nothing.
	var c Customer
	err = t.db.WithContext(ctx).Where("email_index IN ?", values).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	return &c, t.keys.client.Open(ctx, &c, base)
}

// Page returns up to limit customers with ids above after, opened in one batch.
// Open is all or nothing: a row whose subject's keys were destroyed makes it an error, so
// such rows are deleted with the keys, or left out as the example on pgx does.
func (t *customers) Page(ctx context.Context, after uuid.UUID, limit int) ([]Customer, error) {
	var page []Customer
	err := t.db.WithContext(ctx).Where("id > ?", after).Order("id").Limit(limit).Find(&page).Error
	if err != nil {
		return nil, err
	}
	return page, t.keys.client.Open(ctx, page, base)
}

// ChangeEmail gives a customer another address, and leaves all else as it is. errTaken
// where it is in use.
func (t *customers) ChangeEmail(ctx context.Context, id uuid.UUID, email string) error {
	c := Customer{ID: id}
	if err := t.setEmail(ctx, &c, email); err != nil {
		return err
	}
	result := t.db.WithContext(ctx).Select("Email", "EmailIndex").Updates(&c)
	if result.Error == nil && result.RowsAffected == 0 {
		return errNotFound
	}
	return taken(result.Error)
}

// setEmail sets an address and its index value, and seals what is not sealed yet. An
// unsealed value that is forgotten is never written: GORM gets column.ErrNotSealed.
func (t *customers) setEmail(ctx context.Context, c *Customer, email string) (err error) {
	c.Email.Set(email)
	if c.EmailIndex, err = t.keys.emails.Append(ctx, nil, []byte(email)); err != nil {
		return err
	}
	return t.keys.client.Seal(ctx, c, base)
}

// taken turns a violation of the index's uniqueness, the only one that can happen, into
// errTaken.
func taken(err error) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return errTaken
	}
	return err
}
