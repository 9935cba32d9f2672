package localkms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
	"errors"

	"golang.org/x/crypto/argon2"
)

// ErrPassphrase says that the passphrase is missing, wrong or of no use.
var ErrPassphrase = errors.New("the passphrase is wrong")

// ErrFIPS says that a passphrase cannot be used where FIPS 140 is enforced.
var ErrFIPS = errors.New("Argon2id is not approved, and GODEBUG=fips140=only is set")

const kdfName = "argon2id"

// The parameters of new locks: RFC 9106, section 4, second recommended option.
const (
	lockTime    = 3
	lockMemory  = 64 << 10 // KiB
	lockThreads = 4
	lockSalt    = 16
)

// What a file may ask of this machine. Above it, a forged file is the likelier
// explanation.
const (
	maxLockTime   = 64
	maxLockMemory = 2 << 20 // KiB
	maxLockSalt   = 64
)

// A lock is a key under a passphrase.
type lock struct {
	KDF     string `json:"kdf"`
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory_kib"`
	Threads uint8  `json:"threads"`
	Salt    []byte `json:"salt"`
	Sealed  []byte `json:"sealed"`
}

func (l *lock) check() error {
	switch {
	case l.KDF != kdfName:
		return errors.New(`"locked.kdf" is unknown`)
	case l.Time < 1 || l.Time > maxLockTime:
		return errors.New(`"locked.time" is out of range`)
	case l.Threads < 1 || l.Memory < 8*uint32(l.Threads) || l.Memory > maxLockMemory:
		return errors.New(`"locked.memory_kib" or "locked.threads" is out of range`)
	case len(l.Salt) < lockSalt || len(l.Salt) > maxLockSalt:
		return errors.New(`"locked.salt" is too short or too long`)
	case len(l.Sealed) != nonceSize+keySize+tagSize:
		return errors.New(`"locked.sealed" has the wrong length`)
	}
	return nil
}

// seal locks key with passphrase for the file f.
func seal(f *keyFile, key, passphrase []byte) (*lock, error) {
	l := &lock{KDF: kdfName, Time: lockTime, Memory: lockMemory, Threads: lockThreads, Salt: make([]byte, lockSalt)}
	rand.Read(l.Salt)
	aead, err := l.aead(passphrase)
	if err != nil {
		return nil, err
	}
	l.Sealed = aead.Seal(nil, nil, key, l.header(f))
	return l, nil
}

// open returns the key.
func (l *lock) open(f *keyFile, passphrase []byte) ([]byte, error) {
	aead, err := l.aead(passphrase)
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, nil, l.Sealed, l.header(f))
	if err != nil {
		return nil, ErrPassphrase
	}
	return key, nil
}

func (l *lock) aead(passphrase []byte) (cipher.AEAD, error) {
	if fips140.Enforced() {
		return nil, ErrFIPS
	}
	key := argon2.IDKey(passphrase, l.Salt, l.Time, l.Memory, l.Threads, keySize)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// header is what the sealed key is bound to.
func (l *lock) header(f *keyFile) []byte {
	h := []byte("privet/localkms/lock/1")
	for _, s := range []string{f.ID, string(f.Purpose), l.KDF, string(l.Salt)} {
		h = binary.BigEndian.AppendUint32(h, uint32(len(s)))
		h = append(h, s...)
	}
	h = binary.BigEndian.AppendUint32(h, l.Time)
	h = binary.BigEndian.AppendUint32(h, l.Memory)
	return append(h, l.Threads)
}
