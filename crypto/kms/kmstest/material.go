package kmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/privet-dev/privet/crypto/kms"
)

// A material is one version of a key's secret. Its id is 32 bytes, shown as 64
// hexadecimal digits like the service's.
type material struct {
	id   [32]byte
	made time.Time
	aead cipher.AEAD
}

func (m *material) name() string { return hex.EncodeToString(m.id[:]) }

func newMaterial() *material {
	m := &material{made: time.Now()}
	rand.Read(m.id[:])
	secret := make([]byte, 32)
	rand.Read(secret)
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err)
	}
	if m.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		panic(err)
	}
	return m
}

// A line is what all replicas of a multi-Region key share; every other key has one of
// its own. The last material is the current one.
type line struct {
	materials []*material
	primary   string          // the region of the primary key
	members   map[string]*key // by region
}

func (l *line) current() *material { return l.materials[len(l.materials)-1] }

func (l *line) find(id []byte) *material {
	for _, m := range l.materials {
		if string(m.id[:]) == string(id) {
			return m
		}
	}
	return nil
}

// A blob is magic, the id of the key, the id of the material and the sealed plaintext.
const (
	blobMagic  = "kmstest\x02"
	idLen      = 36
	blobHeader = len(blobMagic) + idLen + 32
)

func (k *key) seal(plaintext []byte, encryptionContext map[string]string) []byte {
	m := k.line.current()
	blob := append([]byte(blobMagic), k.id...)
	blob = append(blob, m.id[:]...)
	return m.aead.Seal(blob, nil, plaintext, kms.AppendContext([]byte(k.id), encryptionContext))
}

// keyOf returns the id of the key that a blob names, or "".
func keyOf(blob []byte) string {
	if len(blob) < blobHeader || string(blob[:len(blobMagic)]) != blobMagic {
		return ""
	}
	return string(blob[len(blobMagic) : len(blobMagic)+idLen])
}

// An opened blob: what was in it, and under what.
type opened struct {
	key       *key
	material  *material
	plaintext []byte
}

// open opens a blob under the key that it names, which must be the expected one where
// one is named.
func (s *Server) open(blob []byte, expected string, encryptionContext map[string]string) (*opened, error) {
	invalid := refuse(http.StatusBadRequest, "InvalidCiphertextException", "")
	if n := len(blob); n < 1 || n > maxBlob {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: 'ciphertextBlob' has %d bytes", n)
	}
	id := keyOf(blob)
	k := s.keys[id]
	if expected != "" {
		want, err := s.usable(expected)
		if err != nil {
			return nil, err
		}
		if id != "" && want != k {
			return nil, refuse(http.StatusBadRequest, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if id == "" {
		return nil, invalid
	}
	if k == nil {
		return nil, refuse(http.StatusBadRequest, "AccessDeniedException",
			"The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.")
	}
	if err := k.check(); err != nil {
		return nil, err
	}
	m := k.line.find(blob[len(blobMagic)+idLen : blobHeader])
	if m == nil {
		return nil, invalid
	}
	plaintext, err := m.aead.Open(nil, nil, blob[blobHeader:], kms.AppendContext([]byte(k.id), encryptionContext))
	if err != nil {
		return nil, invalid
	}
	return &opened{k, m, plaintext}, nil
}
