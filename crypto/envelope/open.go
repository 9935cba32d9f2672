package envelope

import (
	"context"

	"github.com/privet-dev/privet/crypto"
)

// Decrypt returns the plaintext of an envelope that was encrypted at an equal Context,
// by this package or by Tink.
//
// Whatever is wrong with envelope or Context, the error is [crypto.ErrDecrypt] and says
// no more; [Config.Report] may be told more. Other errors say why the key service could
// not be asked ([kms.ErrUnavailable], [kms.ErrDenied]), and leave open whether the
// envelope is good.
func (c *Client) Decrypt(ctx context.Context, envelope []byte, at crypto.Context) ([]byte, error) {
	return c.AppendDecrypt(ctx, nil, envelope, at)
}

// AppendDecrypt is [Client.Decrypt] into the caller's memory: it appends the plaintext
// to dst and returns the longer slice. With room for it and the data key at hand it
// does not allocate. The room behind dst must not overlap envelope. On error it returns
// dst as it was; the room behind it may have been overwritten, never with
// unauthenticated plaintext.
func (c *Client) AppendDecrypt(ctx context.Context, dst, envelope []byte, at crypto.Context) ([]byte, error) {
	if err := check(&at); err != nil {
		return dst, err
	}
	header, body, err := splitHeader(envelope)
	if err != nil || len(body) < nonceSize+tagSize {
		return dst, crypto.ErrDecrypt
	}
	k, err := c.obtain(ctx, &c.reading, c.reader(at.Tenant), header, 0)
	if err != nil {
		return dst, err
	}
	ad := adBuffers.Get().(*[]byte)
	*ad = appendAD((*ad)[:0], &at, header)
	out, err := k.aead.Open(dst, nil, body, *ad)
	adBuffers.Put(ad)
	if err != nil {
		return dst, crypto.ErrDecrypt
	}
	return out, nil
}
