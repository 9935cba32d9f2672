package crypto

import (
	"context"
	"errors"
)

// Decrypt returns the plaintext of a ciphertext that was encrypted at an equal
// Context. The key is the one that the ciphertext names; no other is tried.
//
// Whatever is wrong with ciphertext or Context, the error is [ErrDecrypt] and says
// no more. An erased subject is [ErrErased]. Other errors say why keys could not be
// had, and leave open whether the ciphertext is good. Decrypt makes no keyrings.
func (c *Client) Decrypt(ctx context.Context, ciphertext []byte, at Context) ([]byte, error) {
	return c.AppendDecrypt(ctx, nil, ciphertext, at)
}

// AppendDecrypt is [Client.Decrypt] into the caller's memory: it appends the
// plaintext to dst and returns the longer slice. With room for it, and keyring and
// salt known, it does not allocate. The room behind dst must not overlap ciphertext.
// On error it returns dst as it was; the room behind it may have been overwritten,
// never with unauthenticated plaintext.
func (c *Client) AppendDecrypt(ctx context.Context, dst, ciphertext []byte, at Context) ([]byte, error) {
	w := c.scratches.Get().(*scratch)
	r := c.warm(w, &at)
	if r == nil || r.find(ciphertext) == nil {
		var err error
		if r, err = c.readRingFor(ctx, &at, ciphertext); err != nil {
			return dst, err
		}
		w.cold(&at)
	}
	out, err := r.open(dst, ciphertext, w.ad)
	c.scratches.Put(w)
	return out, err
}

// Stale reports whether a ciphertext, though it can be opened, was encrypted under
// a key that newer ones are not encrypted under: encrypting it again moves it to the
// newest key. It looks at the key's id and authenticates nothing; a ciphertext whose
// key is not there is [ErrDecrypt].
func (c *Client) Stale(ctx context.Context, ciphertext []byte, at Context) (bool, error) {
	r, err := c.readRingFor(ctx, &at, ciphertext)
	if err != nil {
		return false, err
	}
	k := r.find(ciphertext)
	if k == nil || len(ciphertext) < k.overhead() {
		return false, ErrDecrypt
	}
	return k != r.primary, nil
}

// readRing returns the keyring that at selects. That there is none is no news to
// tell: whoever asks with a ciphertext of another tenant or subject learns the same.
func (c *Client) readRing(ctx context.Context, at *Context) (*keyring, error) {
	r, err := c.ring(ctx, at, read)
	if errors.Is(err, errAbsent) {
		return nil, ErrDecrypt
	}
	return r, err
}
