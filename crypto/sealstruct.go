package crypto

import (
	"context"
	"errors"
	"reflect"

	"github.com/privet-dev/privet/crypto/internal/cell"
)

// Seal encrypts the fields of a struct that are tagged encrypt=, in place:
//
//	type Customer struct {
//		ID    int64   `classify:"internal,subject"`
//		Email string  `classify:"confidential,type=email,encrypt=customer.email"`
//		Notes []string `classify:"confidential,type=free_text,encrypt=customer.notes"`
//	}
//
//	err := client.Seal(ctx, &customer, crypto.Context{Tenant: "acme"})
//
// v is a pointer to a struct, or a slice or map of structs or of pointers to them: a
// page of rows is sealed in one batch. Nested structs, pointers, slices, arrays, maps
// and what interfaces hold are followed. An encrypted field is
//
//   - a string, which then holds the text form, "pvt1.…" (see [EncodeText]);
//   - a []byte, which then holds the ciphertext itself;
//   - a column of package column, whose state says what it holds;
//   - a pointer to one of them, or a slice, array or map of them. Keys of maps stay in
//     the clear. All values of one field are encrypted at one Context: that two of them
//     changed places is not noticed.
//
// Tenant and subject are those of the struct's fields tagged tenant and subject, and
// else what is around the struct: an outer struct, and outermost base, whose Field is
// empty. Tenants must agree; of subjects the innermost counts. Integers count in
// decimal, types with MarshalText or String by these, other bytes in hexadecimal. Where
// no subject is named, values are encrypted under the tenant's own keys, which an
// erasure does not destroy.
//
// Empty strings and bytes, nil pointers and NULL columns count as absent and stay as
// they are, so that a row of which only some columns were read can be sealed; that a
// value is empty shows. A column of package column can hold an empty value encrypted.
//
// It is all or nothing: on an error v is unchanged. The error matches [ErrStruct] for a
// type that cannot be sealed, [ErrContext] where a tagged tenant or subject is empty,
// [ErrSealed] for a value that is a ciphertext already, or is what [Client.Encrypt]
// returns. Errors of a value are [*FieldError]s. A string that begins "pvt1." counts as
// a ciphertext whatever follows; bytes do where they open at this Context.
//
// Nobody else may use v until Seal returns. A struct that is reached twice is sealed
// once.
func (c *Client) Seal(ctx context.Context, v any, base Context) error {
	w, err := collect(v, base)
	if err != nil {
		return err
	}
	var t task
	var errs []error
	for i := range w.sites {
		s := &w.sites[i]
		in, err := unsealed(s)
		switch {
		case err != nil:
			errs = append(errs, s.fail(err))
		case in != nil:
			t.add(s, in)
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	results := c.EncryptBatch(ctx, t.items)
	for i, s := range t.sites {
		err := results[i].Err
		if err == nil && s.cell == nil && s.slot.Kind() != reflect.String {
			err = c.resealed(ctx, s, t.items[i].Data)
		}
		if err != nil {
			errs = append(errs, s.fail(err))
		}
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	for i, s := range t.sites {
		switch out := results[i].Data; {
		case s.cell != nil:
			s.cell.Seal(out, cell.At(s.at))
		case s.slot.Kind() == reflect.String:
			s.slot.SetString(EncodeText(out))
		default:
			s.slot.SetBytes(out)
		}
	}
	w.commit()
	return nil
}

// unsealed returns the bytes to encrypt at a site, nil where it holds its ciphertext
// already, as columns may.
func unsealed(s *site) ([]byte, error) {
	switch {
	case s.cell != nil:
		switch s.cell.State() {
		case cell.Plain:
			in, err := s.cell.Encode()
			return notNil(in), err
		case cell.Open:
			if at, ok := s.cell.At(); ok && at != cell.At(s.at) {
				return nil, ErrSealed
			}
		case cell.Foreign:
			return nil, ErrText
		}
		return nil, nil
	case s.slot.Kind() == reflect.String:
		text := s.slot.String()
		if IsText(text) {
			return nil, ErrSealed
		}
		return []byte(text), nil
	}
	return s.slot.Bytes(), nil
}

// resealed returns ErrSealed where bytes that were just encrypted are a ciphertext of
// the same context. It comes after the batch, which has read the keyring.
func (c *Client) resealed(ctx context.Context, s *site, in []byte) error {
	if !looksSealed(in) {
		return nil
	}
	r, err := c.ring(ctx, &s.at, read)
	if err != nil {
		return err
	}
	if _, err := r.open(nil, in, s.at.appendAD(nil)); err == nil {
		return ErrSealed
	}
	return nil
}

// looksSealed reports whether bytes begin like a ciphertext and are long enough for one.
func looksSealed(b []byte) bool {
	return len(b) >= prefixSize+ivSize+tagSize && b[0] == prefixStart
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// A task is what a walk hands to a batch: for each item the site it is of.
type task struct {
	items []Item
	sites []*site
}

func (t *task) add(s *site, data []byte) {
	t.items = append(t.items, Item{Data: data, At: s.at})
	t.sites = append(t.sites, s)
}
