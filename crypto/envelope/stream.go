package envelope

import (
	"context"
	"crypto/fips140"
	"crypto/rand"
	"io"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/internal/stream"
	"github.com/privet-dev/privet/internal/fault"
)

// NewEncryptWriter is [crypto.Client.NewEncryptWriter], but for the stream's key: it is
// wrapped by the KEKs. The key service is asked once per stream.
func (c *Client) NewEncryptWriter(ctx context.Context, w io.Writer, at crypto.Context) (io.WriteCloser, error) {
	if err := checkStream(&at); err != nil {
		return nil, err
	}
	ctx, leave, err := c.task(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key := make([]byte, stream.KeySize)
	rand.Read(key)
	defer clear(key)
	wrapped, err := c.wrap(ctx, at.Tenant, key)
	if err != nil {
		return nil, err
	}
	h, err := stream.NewHeader(stream.ByEnvelope, wrapped)
	if err != nil {
		return nil, err
	}
	return stream.NewWriter(w, key, stream.Context(at.Tenant, at.Field), h)
}

// NewDecryptReader is [crypto.Client.NewDecryptReader] for what
// [Client.NewEncryptWriter] wrote. The key service is asked once per stream.
func (c *Client) NewDecryptReader(ctx context.Context, r io.Reader, at crypto.Context) (io.Reader, error) {
	if err := checkStream(&at); err != nil {
		return nil, err
	}
	h, err := stream.ReadHeader(r, crypto.ErrDecrypt)
	if err != nil {
		return nil, err
	}
	if h.Wrapping != stream.ByEnvelope {
		return nil, &fault.Error{
			Kind: fault.Config,
			Msg:  "envelope: the stream's key is wrapped by a tenant's value keyring, and not by a KEK",
			Hint: "open it with crypto.Client and the keystore it was written with",
			Err:  crypto.ErrDecrypt,
		}
	}
	header, rest, err := splitHeader(h.Wrapped)
	if err != nil || len(rest) != 0 {
		return nil, crypto.ErrDecrypt
	}
	ctx, leave, err := c.task(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	key, _, err := c.unwrap(ctx, at.Tenant, header)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if len(key) != stream.KeySize {
		return nil, crypto.ErrDecrypt
	}
	return stream.NewReader(r, key, stream.Context(at.Tenant, at.Field), h, crypto.ErrDecrypt)
}

// task returns a context for one question to the key service. It ends with the
// caller's, with the time for a call, and with the client.
func (c *Client) task(ctx context.Context) (context.Context, func(), error) {
	if err := c.enter(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	stop := context.AfterFunc(c.base, cancel)
	return ctx, func() { stop(); cancel(); c.running.Done() }, nil
}

// checkStream returns an error unless a stream can be read or written at that context
// in this process.
func checkStream(at *crypto.Context) error {
	if err := check(at); err != nil {
		return err
	}
	if fips140.Enforced() {
		return &fault.Error{
			Kind: fault.Config,
			Msg:  "envelope: streams are not FIPS 140 approved, and GODEBUG=fips140=only is set",
			Hint: "encrypt and decrypt streams in a process without fips140=only",
			Err:  crypto.ErrFIPS,
		}
	}
	return nil
}
