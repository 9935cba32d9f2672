package crypto

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/privet-dev/privet/internal/cmac"
)

// The Tink prefix: a byte 1 and the id of the key as a big-endian uint32.
const (
	prefixSize  = 5
	prefixStart = 0x01
)

// maxPlaintext is AES-GCM's limit, 2^36-32 bytes (NIST SP 800-38D).
const maxPlaintext = 1<<36 - 32

// maxMessagesPerSalt is how many messages are sealed under one derived key before
// a new salt is drawn. After it 2^20 random nonces of 96 bits collide with a
// probability below 2^-57.
const maxMessagesPerSalt = 1 << 20

// recentSalts is how many derived keys of other processes' salts a key remembers
// for reading.
const recentSalts = 4

// A dataKey seals and opens under one key of a keyring. It is safe for concurrent
// use. Exactly one of kdf and gcm is set: XAES-256-GCM has a kdf.
type dataKey struct {
	id       uint32
	saltSize int
	kdf      *cmac.CMAC
	gcm      cipher.AEAD

	// current seals under this process's salt. For AES-256-GCM it is set once.
	current atomic.Pointer[sealer]
	// recent holds the derived keys of salts that were read and proved genuine, each
	// at the place that its first byte says.
	recent [recentSalts]atomic.Pointer[opener]
}

// A sealer is one derived key and what stands before everything it seals.
type sealer struct {
	header   [prefixSize + saltSize]byte
	size     int // of the header: shorter where there is no salt
	aead     cipher.AEAD
	messages atomic.Uint64
}

type opener struct {
	salt [saltSize]byte
	aead cipher.AEAD
}

func newXAESKey(id uint32, key []byte, size int) (*dataKey, error) {
	kdf, err := cmac.New(key)
	if err != nil {
		return nil, err
	}
	return &dataKey{id: id, saltSize: size, kdf: kdf}, nil
}

func newGCMKey(id uint32, key []byte) (*dataKey, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return &dataKey{id: id, gcm: gcm}, nil
}

// overhead is how many bytes a ciphertext has above its plaintext.
func (k *dataKey) overhead() int { return prefixSize + k.saltSize + ivSize + tagSize }

// seal appends the ciphertext of plaintext to dst.
func (k *dataKey) seal(dst, plaintext, ad []byte) ([]byte, error) {
	if uint64(len(plaintext)) > maxPlaintext {
		return dst, ErrTooLarge
	}
	s := k.current.Load()
	if s == nil || (k.kdf != nil && s.messages.Add(1) > maxMessagesPerSalt) {
		var err error
		if s, err = k.nextSealer(); err != nil {
			return dst, err
		}
	}
	out := slices.Grow(dst, k.overhead()+len(plaintext))
	out = append(out, s.header[:s.size]...)
	return s.aead.Seal(out, nil, plaintext, ad), nil
}

// nextSealer returns a sealer with room for one message, which it has counted.
func (k *dataKey) nextSealer() (*sealer, error) {
	for {
		old := k.current.Load()
		if old != nil && (k.kdf == nil || old.messages.Add(1) <= maxMessagesPerSalt) {
			return old, nil
		}
		fresh := &sealer{size: prefixSize + k.saltSize, aead: k.gcm}
		fresh.header[0] = prefixStart
		binary.BigEndian.PutUint32(fresh.header[1:], k.id)
		if k.kdf != nil {
			salt := fresh.header[prefixSize:fresh.size]
			rand.Read(salt)
			var err error
			if fresh.aead, err = deriveXAES(k.kdf, salt); err != nil {
				return nil, err
			}
		}
		fresh.messages.Store(1)
		if k.current.CompareAndSwap(old, fresh) {
			return fresh, nil
		}
	}
}

// open appends the plaintext of ciphertext, whose prefix names this key, to dst.
// On any error it returns dst as it was, and ErrDecrypt.
func (k *dataKey) open(dst, ciphertext, ad []byte) ([]byte, error) {
	if len(ciphertext) < k.overhead() {
		return dst, ErrDecrypt
	}
	if k.kdf == nil {
		return openWith(k.gcm, dst, ciphertext[prefixSize:], ad)
	}
	salt, body := ciphertext[prefixSize:prefixSize+k.saltSize], ciphertext[prefixSize+k.saltSize:]
	if s := k.current.Load(); s != nil && bytes.Equal(s.header[prefixSize:s.size], salt) {
		return openWith(s.aead, dst, body, ad)
	}
	place := &k.recent[salt[0]%recentSalts]
	if o := place.Load(); o != nil && bytes.Equal(o.salt[:k.saltSize], salt) {
		return openWith(o.aead, dst, body, ad)
	}
	aead, err := deriveXAES(k.kdf, salt)
	if err != nil {
		return dst, ErrDecrypt
	}
	out, err := openWith(aead, dst, body, ad)
	if err == nil {
		// Only what proved genuine is remembered: forged salts push nothing out.
		o := &opener{aead: aead}
		copy(o.salt[:], salt)
		place.Store(o)
	}
	return out, err
}

func openWith(aead cipher.AEAD, dst, body, ad []byte) ([]byte, error) {
	out, err := aead.Open(dst, nil, body, ad)
	if err != nil {
		return dst, ErrDecrypt
	}
	return out, nil
}
