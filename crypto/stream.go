package crypto

import (
	"context"
	"crypto/rand"
	"io"

	"github.com/privet-dev/privet/crypto/internal/stream"
	"github.com/privet-dev/privet/internal/fault"
)

// NewEncryptWriter returns a writer that encrypts what it is given into w: a file or
// a backup of any size, in constant memory (about 2 MiB). Close, which leaves w open,
// writes the end of the stream; a stream that was not closed is refused by whoever
// reads it. Call Close when everything was written, and look at its error; where
// what is encrypted could not be read to its end, abandon the writer instead.
//
// The stream is Tink's AES256-GCM-HKDF-1MB behind a header with its own key, wrapped
// by the tenant's value keyring (the package documentation has the format). Of the
// Context, Tenant and Field are bound to it. A Context with a Subject is refused with
// [ErrContext]: a stream would outlive the subject's keys. ctx bounds the reading of
// keys, not the writing.
//
// The error matches [ErrContext], [ErrKeyring] or [ErrFIPS] (Tink's streams are not
// approved), is that of w, or says why keys could not be had. A writer belongs to one
// goroutine, and stops for good at its first error.
func (c *Client) NewEncryptWriter(ctx context.Context, w io.Writer, at Context) (io.WriteCloser, error) {
	if err := checkStream(&at); err != nil {
		return nil, err
	}
	r, err := c.ring(ctx, &at, create)
	if err != nil {
		return nil, err
	}
	key := make([]byte, stream.KeySize)
	rand.Read(key)
	defer clear(key)
	ad := stream.Context(at.Tenant, at.Field)
	wrapped, err := r.Encrypt(key, ad)
	if err != nil {
		return nil, err
	}
	h, err := stream.NewHeader(stream.ByKeyring, wrapped)
	if err != nil {
		return nil, err
	}
	return stream.NewWriter(w, key, ad, h)
}

// NewDecryptReader returns a reader of what [Client.NewEncryptWriter] encrypted at an
// equal Context. It reads r to its end, in constant memory (about 2 MiB).
//
// Read returns nothing that was not authenticated, in order and in place. What is
// cut short, changed, reordered or followed by anything is [ErrDecrypt] and not
// io.EOF; what Read returned before is then a genuine beginning of the stream, and
// no more than that: keep it only when io.EOF came. Errors of r come through as they
// are. r that is no stream at all matches [ErrDecrypt] and says so.
func (c *Client) NewDecryptReader(ctx context.Context, r io.Reader, at Context) (io.Reader, error) {
	if err := checkStream(&at); err != nil {
		return nil, err
	}
	h, err := stream.ReadHeader(r, ErrDecrypt)
	if err != nil {
		return nil, err
	}
	if h.Wrapping != stream.ByKeyring {
		return nil, &fault.Error{
			Kind: fault.Config,
			Msg:  "crypto: the stream's key is wrapped by an envelope KEK, and this client has none",
			Hint: "open it with package crypto/envelope and the KEK it was written with",
			Err:  ErrDecrypt,
		}
	}
	ring, err := c.readRingFor(ctx, &at, h.Wrapped)
	if err != nil {
		return nil, err
	}
	ad := stream.Context(at.Tenant, at.Field)
	key, err := ring.open(nil, h.Wrapped, ad)
	if err != nil || len(key) != stream.KeySize {
		return nil, ErrDecrypt
	}
	defer clear(key)
	return stream.NewReader(r, key, ad, h, ErrDecrypt)
}

// checkStream returns an error unless a stream can be read or written at that
// context in this process.
func checkStream(at *Context) error {
	if err := at.Check(); err != nil {
		return err
	}
	if at.Subject != "" {
		return contextError("a stream takes no subject: it would outlive the subject's keys", "leave Subject out, and let streams expire; or encrypt values of the subject one by one")
	}
	return approved("streams")
}
