package crypto

import (
	"context"
	"errors"
	"reflect"

	"github.com/privet-dev/privet/crypto/internal/cell"
)

// Open decrypts in place what [Client.Seal] encrypted; what is said there of v, of base
// and of empty values holds. A column of package column keeps its ciphertext beside the
// plaintext, so that it can be written back as it is.
//
// It is all or nothing: on an error v is unchanged, and every value that could not be
// opened has a [*FieldError] among those that are joined. Each is what [Client.Decrypt]
// returns, or matches [ErrText] where a plaintext stands in the place of a ciphertext:
// it was never sealed, or opened before. While [Config.Migration] admits the field, the
// plaintext is taken as it is; of bytes, whatever does not begin like a ciphertext.
func (c *Client) Open(ctx context.Context, v any, base Context) error {
	w, err := collect(v, base)
	if err != nil {
		return err
	}
	var t task
	var errs []error
	var finish []func()
	for i := range w.sites {
		s := &w.sites[i]
		in, then, err := c.sealed(s)
		switch {
		case err != nil:
			errs = append(errs, s.fail(err))
		case then != nil:
			finish = append(finish, then)
		case in != nil:
			t.add(s, in)
		}
	}
	results := c.DecryptBatch(ctx, t.items)
	for i, s := range t.sites {
		err := results[i].Err
		if err == nil && s.cell != nil {
			var then func()
			then, err = s.cell.Opened(results[i].Data, cell.At(s.at))
			finish = append(finish, then)
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
		case s.slot.Kind() == reflect.String:
			s.slot.SetString(string(out))
		default:
			s.slot.SetBytes(notNil(out))
		}
	}
	for _, then := range finish {
		then()
	}
	w.commit()
	return nil
}

// sealed returns the ciphertext of a site. Where its plaintext is there already and may
// be, in a column that is open or during a migration, it returns nil, or what is left to
// do once all is well.
func (c *Client) sealed(s *site) (ciphertext []byte, then func(), err error) {
	switch {
	case s.cell != nil:
		switch s.cell.State() {
		case cell.Sealed:
			return s.cell.Stored(), nil, nil
		case cell.Foreign:
			if !c.migration.Admit(s.at.Field) {
				return nil, nil, textError("a plaintext stands in its place")
			}
			then, err = s.cell.Opened(s.cell.Stored(), cell.At(s.at))
		}
		return nil, then, err
	case s.slot.Kind() == reflect.String:
		text := s.slot.String()
		if !IsText(text) && c.migration.Admit(s.at.Field) {
			return nil, nil, nil
		}
		ciphertext, err = DecodeText(text)
		return ciphertext, nil, err
	}
	in := s.slot.Bytes()
	if !looksSealed(in) && c.migration.Admit(s.at.Field) {
		return nil, nil, nil
	}
	return in, nil, nil
}
