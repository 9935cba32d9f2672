package crypto

import (
	"crypto/aes"
	"crypto/cipher"

	"github.com/privet-dev/privet/internal/cmac"
)

// XAES-256-GCM (C2SP, c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of 24
// bytes. The first 12 (the salt) and the key give a derived AES-256-GCM key by the
// KDF of NIST SP 800-108 in counter mode over AES-CMAC; the last 12 are its nonce.
const (
	keySize  = 32
	saltSize = 12
	ivSize   = 12
	tagSize  = 16
)

// deriveXAES returns the AES-256-GCM of salt under the key of kdf. Its Seal and
// Open take no nonce: it is drawn anew for each message and stands before the
// ciphertext.
func deriveXAES(kdf *cmac.CMAC, salt []byte) (cipher.AEAD, error) {
	key := deriveXAESKey(kdf, salt)
	defer clear(key[:])
	return newGCM(key[:])
}

// deriveXAESKey is XAES's KDF. A salt shorter than 12 bytes is padded with zeros, as
// Tink does.
func deriveXAESKey(kdf *cmac.CMAC, salt []byte) (key [keySize]byte) {
	// Counter (16 bits), label 'X', separator 0, salt: one block, so that the CMAC
	// is one AES call.
	block := [16]byte{0, 1, 'X', 0}
	copy(block[4:], salt)
	half := kdf.Sum(block[:])
	copy(key[:16], half[:])
	block[1] = 2
	half = kdf.Sum(block[:])
	copy(key[16:], half[:])
	return key
}

// newGCM returns AES-GCM under key with nonces that it draws and writes itself.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
