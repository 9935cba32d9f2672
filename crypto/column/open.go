package column

import (
	"context"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/internal/cell"
	"github.com/privet-dev/privet/internal/fault"
)

// A Column is a pointer to an [Encrypted] or [EncryptedText] of any type.
type Column interface {
	// Cell is for package crypto.
	Cell(cell.Key) cell.Cell
}

// An Item is one value of a page of rows, and where it was encrypted.
type Item struct {
	Column Column
	At     crypto.Context
}

// Seal encrypts the plaintext at a context; the value then has both. A value that has
// its ciphertext already stays as it is, unless it is known to be of another context:
// that is [crypto.ErrSealed]. NULL stays NULL. Other errors are those of
// [crypto.Client.Encrypt]; the value is then unchanged.
func (e *value[T]) Seal(ctx context.Context, c *crypto.Client, at crypto.Context) error {
	return single(SealAll(ctx, c, []Item{{e, at}}))
}

// Open decrypts the ciphertext at the context of its encryption; the value then has
// both. A value that is open, or NULL, stays as it is. The error is that of
// [crypto.Client.Decrypt], or [ErrValue], or [crypto.ErrText] for a plaintext in the
// place of a ciphertext that no migration admits; the value is then unchanged.
func (e *value[T]) Open(ctx context.Context, c *crypto.Client, at crypto.Context) error {
	return single(OpenAll(ctx, c, []Item{{e, at}}))
}

// single takes off what says which of one item it was.
func single(err error) error {
	if e, ok := errors.AsType[*ItemError](err); ok {
		return e.Err
	}
	return err
}

// An ItemError says which item of a page could not be sealed or opened.
type ItemError struct {
	Index int
	Err   error
}

// Error returns the index, the cause, and no value.
func (e *ItemError) Error() string { return fmt.Sprintf("item %d: %v", e.Index, e.Err) }

// Unwrap returns Err.
func (e *ItemError) Unwrap() error { return e.Err }

// SealAll seals the values of a page in one batch, each as its Seal would. What cannot
// be sealed stays as it was and has an [*ItemError] among those that are joined; the
// others are sealed.
func SealAll(ctx context.Context, c *crypto.Client, items []Item) error {
	p := page{items: items}
	for i, item := range items {
		switch in := item.Column.Cell(cell.Key{}); in.State() {
		case cell.Plain:
			plaintext, err := in.Encode()
			p.add(i, plaintext, err)
		case cell.Open:
			if was, ok := in.At(); ok && was != cell.At(item.At) {
				p.fail(i, crypto.ErrSealed)
			}
		case cell.Foreign:
			p.fail(i, errForeign())
		}
	}
	p.take(c.EncryptBatch(ctx, p.batch), func(in cell.Cell, ciphertext []byte, at cell.At) error {
		in.Seal(ciphertext, at)
		return nil
	})
	return errors.Join(p.errs...)
}

// OpenAll opens the values of a page in one batch, each as its Open would. What cannot
// be opened stays as it was and has an [*ItemError] among those that are joined, such as
// [crypto.ErrErased] for the row of an erased subject; the others are opened.
func OpenAll(ctx context.Context, c *crypto.Client, items []Item) error {
	p := page{items: items}
	open := func(in cell.Cell, plaintext []byte, at cell.At) error {
		commit, err := in.Opened(plaintext, at)
		if err == nil {
			commit()
		}
		return err
	}
	for i, item := range items {
		switch in := item.Column.Cell(cell.Key{}); in.State() {
		case cell.Sealed:
			p.add(i, in.Stored(), nil)
		case cell.Foreign:
			err := errForeign()
			if c.Migration().Admit(item.At.Field) {
				err = open(in, in.Stored(), cell.At(item.At))
			}
			p.fail(i, err)
		}
	}
	p.take(c.DecryptBatch(ctx, p.batch), open)
	return errors.Join(p.errs...)
}

// A page is the items of one call, and those of them that go through a batch.
type page struct {
	items   []Item
	batch   []crypto.Item
	indexes []int // of the batch's items in items
	errs    []error
}

func (p *page) add(i int, data []byte, err error) {
	if err != nil {
		p.fail(i, err)
		return
	}
	p.batch = append(p.batch, crypto.Item{Data: data, At: p.items[i].At})
	p.indexes = append(p.indexes, i)
}

func (p *page) fail(i int, err error) {
	if err != nil {
		p.errs = append(p.errs, &ItemError{Index: i, Err: err})
	}
}

func (p *page) take(results []crypto.Result, use func(cell.Cell, []byte, cell.At) error) {
	for n, r := range results {
		i := p.indexes[n]
		if r.Err == nil {
			r.Err = use(p.items[i].Column.Cell(cell.Key{}), r.Data, cell.At(p.items[i].At))
		}
		p.fail(i, r.Err)
	}
}

// errForeign is the error for a plaintext in the place of a ciphertext.
func errForeign() error {
	return &fault.Error{
		Kind: fault.Data,
		Msg:  crypto.ErrText.Error() + ": a plaintext stands in its place",
		Hint: "fill the column, or list its field in crypto.Config.Migration until it is filled",
		Err:  crypto.ErrText,
	}
}
