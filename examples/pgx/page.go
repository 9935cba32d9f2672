package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
)

// openEmails opens the addresses of a page and returns the customers who still have
// keys. client.Open(ctx, page, base) would open every column, and fail as a whole where
// one customer is erased.
func openEmails(ctx context.Context, client *crypto.Client, page []Customer) ([]Customer, error) {
	items := make([]column.Item, len(page))
	for i := range page {
		items[i] = column.Item{Column: &page[i].Email, At: crypto.Context{
			Tenant: tenant, Subject: strconv.FormatInt(page[i].ID, 10), Field: "customer.email",
		}}
	}
	err := column.OpenAll(ctx, client, items)
	if err != nil && !onlyErased(err) {
		return nil, err
	}
	kept := page[:0]
	for _, c := range page {
		if c.Email.IsOpen() {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// onlyErased reports whether every error of a batch is that of an erased subject.
func onlyErased(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return errors.Is(err, crypto.ErrErased)
	}
	for _, err := range joined.Unwrap() {
		if !errors.Is(err, crypto.ErrErased) {
			return false
		}
	}
	return true
}
