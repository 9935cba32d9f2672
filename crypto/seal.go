package crypto

import "context"

// Overhead is how many bytes a ciphertext of [XAES256GCM] has above its plaintext:
// the Tink prefix (5), the salt (12), the nonce (12) and the tag (16).
const Overhead = prefixSize + saltSize + ivSize + tagSize

// Encrypt returns the ciphertext of plaintext, which may be empty, in the Tink
// format: 0x01, the key's id, a salt and a nonce, the encrypted bytes, a tag. The
// Context is bound to it and not stored in it.
//
// A keyring that does not exist yet is made, and so are its tenant's root and what
// else the first use needs. The error matches [ErrContext], [ErrErased],
// [ErrKeyring] or [ErrTooLarge], or says why keys could not be had.
func (c *Client) Encrypt(ctx context.Context, plaintext []byte, at Context) ([]byte, error) {
	return c.AppendEncrypt(ctx, nil, plaintext, at)
}

// AppendEncrypt is [Client.Encrypt] into the caller's memory: it appends the
// ciphertext to dst and returns the longer slice. With room for
// len(plaintext)+[Overhead] bytes and the keyring in memory it does not allocate.
// The room behind dst must not overlap plaintext. On error it returns dst as it was.
func (c *Client) AppendEncrypt(ctx context.Context, dst, plaintext []byte, at Context) ([]byte, error) {
	w := c.scratches.Get().(*scratch)
	r := c.warm(w, &at)
	if r == nil {
		var err error
		if r, err = c.ring(ctx, &at, create); err != nil {
			return dst, err
		}
		w.cold(&at)
	}
	out, err := r.own.sealWith(w, dst, plaintext)
	c.scratches.Put(w)
	return out, err
}
