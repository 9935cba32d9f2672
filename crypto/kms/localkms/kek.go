package localkms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"

	"github.com/privet-dev/privet/crypto/kms"
)

const (
	wrapVersion = 0x01
	idSize      = 8
	keySize     = 32
	nonceSize   = 12
	tagSize     = 16
	headerSize  = 1 + idSize
)

// A KEK is the key of a file. It holds the key in memory and reads the file no
// more. It is safe for concurrent use.
type KEK struct {
	path    string
	id      [idSize]byte
	purpose kms.Purpose
	aead    cipher.AEAD
}

var (
	_ kms.KEK      = (*KEK)(nil)
	_ kms.Purposed = (*KEK)(nil)
)

func newKEK(path string, id [idSize]byte, purpose kms.Purpose, key []byte) (*KEK, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &KEK{path: path, id: id, purpose: purpose, aead: aead}, nil
}

// URI returns "file:" and the absolute path of the file.
func (k *KEK) URI() string { return "file:" + k.path }

// ID returns the id of the key in hexadecimal. It stays when the file moves.
func (k *KEK) ID() string { return hex.EncodeToString(k.id[:]) }

// Purpose returns what the key may wrap.
func (k *KEK) Purpose() kms.Purpose { return k.purpose }

// String returns the URI; %v of a KEK shows no key material.
func (k *KEK) String() string { return k.URI() }

// GoString returns the URI too.
func (k *KEK) GoString() string { return k.URI() }

// Wrap encrypts plaintext, at most [kms.MaxPlaintext] bytes, under the context.
func (k *KEK) Wrap(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := k.purpose.Check(encryptionContext); err != nil {
		return nil, err
	}
	if len(plaintext) == 0 || len(plaintext) > kms.MaxPlaintext {
		return nil, fmt.Errorf("localkms: %d bytes to wrap; 1 to %d are possible: %w", len(plaintext), kms.MaxPlaintext, kms.ErrInvalid)
	}
	out := make([]byte, 0, headerSize+nonceSize+len(plaintext)+tagSize)
	out = append(out, wrapVersion)
	out = append(out, k.id[:]...)
	return k.aead.Seal(out, nil, plaintext, k.associatedData(encryptionContext)), nil
}

// Unwrap opens what Wrap returned under an equal context. Its errors are of the
// family [kms.ErrInvalid].
func (k *KEK) Unwrap(ctx context.Context, wrapped []byte, encryptionContext map[string]string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := k.purpose.Check(encryptionContext); err != nil {
		return nil, err
	}
	if len(wrapped) < headerSize+nonceSize+tagSize || wrapped[0] != wrapVersion {
		return nil, fmt.Errorf("localkms: this was not wrapped by a local key: %w", kms.ErrInvalid)
	}
	if id := wrapped[1:headerSize]; string(id) != string(k.id[:]) {
		return nil, fmt.Errorf("localkms: wrapped by the key %x; the file %s holds the key %x: %w", id, k.path, k.id, kms.ErrInvalid)
	}
	plaintext, err := k.aead.Open(nil, nil, wrapped[headerSize:], k.associatedData(encryptionContext))
	if err != nil {
		return nil, fmt.Errorf("localkms: changed, or wrapped under another encryption context: %w", kms.ErrInvalid)
	}
	return plaintext, nil
}

func (k *KEK) associatedData(encryptionContext map[string]string) []byte {
	ad := append([]byte("privet/localkms/1"), k.id[:]...)
	return kms.AppendContext(ad, encryptionContext)
}
