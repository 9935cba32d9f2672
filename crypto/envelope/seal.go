package envelope

import (
	"context"
	"slices"
	"sync"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

// Associated data goes to the cipher through an interface, which makes it escape;
// the pool keeps that from being an allocation per message.
var adBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 256)
	return &b
}}

// maxPlaintext is AES-GCM's limit, 2^36-32 bytes (NIST SP 800-38D).
const maxPlaintext = 1<<36 - 32

// Encrypt returns the envelope of plaintext, which may be empty. The Context is bound
// to it and not stored in it.
//
// The error matches [crypto.ErrContext], [crypto.ErrTooLarge] (above
// [Config.DataKeyBytes], or above AES-GCM's 64 GiB), [kms.ErrUnavailable], [kms.ErrDenied] or
// [crypto.ErrClosed], or is that of ctx.
func (c *Client) Encrypt(ctx context.Context, plaintext []byte, at crypto.Context) ([]byte, error) {
	return c.AppendEncrypt(ctx, nil, plaintext, at)
}

// AppendEncrypt is [Client.Encrypt] into the caller's memory: it appends the envelope
// to dst and returns the longer slice. With room for it and a data key at hand it does
// not allocate. An envelope is longer than its plaintext by 32 bytes and the wrapped
// key, about 186 bytes of AWS KMS. The room behind dst must not overlap plaintext. On
// error it returns dst as it was.
func (c *Client) AppendEncrypt(ctx context.Context, dst, plaintext []byte, at crypto.Context) ([]byte, error) {
	if err := check(&at); err != nil {
		return dst, err
	}
	if uint64(len(plaintext)) > min(c.cfg.DataKeyBytes, maxPlaintext) {
		return dst, crypto.ErrTooLarge
	}
	k, err := c.obtain(ctx, &c.writing, at.Tenant, nil, uint64(len(plaintext)))
	if err != nil {
		return dst, err
	}
	ad := adBuffers.Get().(*[]byte)
	*ad = appendAD((*ad)[:0], &at, k.header)
	out := slices.Grow(dst, len(k.header)+nonceSize+len(plaintext)+tagSize)
	out = append(out, k.header...)
	out = k.aead.Seal(out, nil, plaintext, *ad)
	adBuffers.Put(ad)
	return out, nil
}

// appendAD appends the associated data of an envelope.
func appendAD(dst []byte, at *crypto.Context, header []byte) []byte {
	dst = at.AppendAssociatedData(dst)
	if several(header) {
		dst = append(dst, header...)
	}
	return dst
}

// check returns an error that matches crypto.ErrContext unless envelopes can be of
// that context.
func check(at *crypto.Context) error {
	if err := at.Check(); err != nil {
		return err
	}
	if at.Subject != "" {
		return &fault.Error{
			Kind: fault.Data,
			Msg:  "envelope: an envelope takes no subject: it carries its own key, and could not be shredded",
			Hint: "encrypt values of persons with crypto.Client, under keys that are destroyed with them",
			Err:  crypto.ErrContext,
		}
	}
	return nil
}
