package crypto

import (
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
	// current seals under this process's salt. For AES-256-GCM it is set once.
	current atomic.Pointer[sealer]
	// first is the memory of the first sealer: a key that is one of many thousands
	// is rarely in the processor's caches, and has what sealing needs in one place.
	first    sealer
	used     atomic.Bool // first is taken
	id       uint32
	saltSize int
	kdf      *cmac.CMAC
	gcm      cipher.AEAD
	// recent holds the derived keys of salts that were read and proved genuine, each
	// at the place that its first byte says.
	recent [recentSalts]atomic.Pointer[opener]
}

// A sealer is one derived key and what stands before everything it seals.
type sealer struct {
	aead     cipher.AEAD
	messages atomic.Uint64
	counted  bool // its messages are limited
	size     uint8
	header   [prefixSize + saltSize]byte // size bytes of it: shorter where there is no salt
}

// An opener is a derived key of another's salt, with the header that names it.
type opener struct {
	aead   cipher.AEAD
	size   uint8
	header [prefixSize + saltSize]byte
}

func newXAESKey(id uint32, key []byte, size int) (*dataKey, error) {
	k := &dataKey{}
	return k, k.initXAES(id, key, size)
}

func newGCMKey(id uint32, key []byte) (*dataKey, error) {
	k := &dataKey{}
	return k, k.initGCM(id, key)
}

func (k *dataKey) initXAES(id uint32, key []byte, size int) (err error) {
	k.id, k.saltSize = id, size
	k.kdf, err = cmac.New(key)
	return err
}

func (k *dataKey) initGCM(id uint32, key []byte) (err error) {
	k.id = id
	k.gcm, err = newGCM(key)
	return err
}

// overhead is how many bytes a ciphertext has above its plaintext.
func (k *dataKey) overhead() int { return prefixSize + k.saltSize + ivSize + tagSize }

// seal appends the ciphertext of plaintext to dst.
func (k *dataKey) seal(dst, plaintext, ad []byte) ([]byte, error) {
	return k.sealWith(&scratch{ad: ad}, dst, plaintext)
}

// sealWith is seal with the associated data in w.
func (k *dataKey) sealWith(w *scratch, dst, plaintext []byte) ([]byte, error) {
	if uint64(len(plaintext)) > maxPlaintext {
		return dst, ErrTooLarge
	}
	s := k.current.Load()
	if s == nil || s.counted && !w.count(s) {
		var err error
		if s, err = k.nextSealer(); err != nil {
			return dst, err
		}
	}
	out := dst
	if need := int(s.size) + ivSize + tagSize + len(plaintext); cap(out)-len(out) < need {
		out = slices.Grow(out, need)
	}
	out = append(out, s.header[:s.size]...)
	return s.aead.Seal(out, nil, plaintext, w.ad), nil
}

// nextSealer returns a sealer with room for one message, which it has counted.
func (k *dataKey) nextSealer() (*sealer, error) {
	for {
		old := k.current.Load()
		if old != nil && (!old.counted || old.messages.Add(1) <= maxMessagesPerSalt) {
			return old, nil
		}
		fresh := &k.first
		if k.used.Swap(true) {
			fresh = &sealer{}
		}
		fresh.size, fresh.counted, fresh.aead = uint8(prefixSize+k.saltSize), k.kdf != nil, k.gcm
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

// open appends the plaintext of ciphertext to dst. On any error it returns dst as it
// was, and ErrDecrypt. The prefix must name this key.
func (k *dataKey) open(dst, ciphertext, ad []byte) ([]byte, error) {
	if aead := k.known(ciphertext); aead != nil {
		return openWith(aead, dst, ciphertext[prefixSize+k.saltSize:], ad)
	}
	if len(ciphertext) < k.overhead() {
		return dst, ErrDecrypt
	}
	if k.kdf == nil {
		return openWith(k.gcm, dst, ciphertext[prefixSize:], ad)
	}
	salt, body := ciphertext[prefixSize:prefixSize+k.saltSize], ciphertext[prefixSize+k.saltSize:]
	aead, err := deriveXAES(k.kdf, salt)
	if err != nil {
		return dst, ErrDecrypt
	}
	out, err := openWith(aead, dst, body, ad)
	if err == nil {
		// Only what proved genuine is remembered: forged salts push nothing out.
		o := &opener{aead: aead, size: uint8(prefixSize + k.saltSize)}
		copy(o.header[:o.size], ciphertext)
		k.recent[salt[0]%recentSalts].Store(o)
	}
	return out, err
}

// known returns the derived key that ciphertext names by key id and salt, or nil.
// That it names this key is settled with it.
func (k *dataKey) known(ciphertext []byte) cipher.AEAD {
	if len(ciphertext) <= prefixSize+saltSize {
		return nil
	}
	if s := k.current.Load(); s != nil && string(ciphertext[:s.size]) == string(s.header[:s.size]) {
		return s.aead
	}
	if o := k.recent[ciphertext[prefixSize]%recentSalts].Load(); o != nil && string(ciphertext[:o.size]) == string(o.header[:o.size]) {
		return o.aead
	}
	return nil
}

func openWith(aead cipher.AEAD, dst, body, ad []byte) ([]byte, error) {
	out, err := aead.Open(dst, nil, body, ad)
	if err != nil {
		return dst, ErrDecrypt
	}
	return out, nil
}
