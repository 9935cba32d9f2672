package kmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/privet-dev/privet/crypto/kms"
)

// The states of a key, as DescribeKey names them.
const (
	stateEnabled         = "Enabled"
	stateDisabled        = "Disabled"
	statePendingDeletion = "PendingDeletion"
)

type key struct {
	id       string
	created  time.Time
	state    string
	deletion time.Time
	aead     cipher.AEAD
}

func (k *key) arn() string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", Region, Account, k.id)
}

func aliasARN(name string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:%s", Region, Account, name)
}

// CreateKey makes a symmetric key and returns its id. Each alias, "alias/name",
// points at it.
func (s *Server) CreateKey(aliases ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.newKey()
	for _, a := range aliases {
		s.aliases[a] = k.id
	}
	return k.id
}

// Disable disables the key of that id, ARN or alias; Enable enables it again.
func (s *Server) Disable(keyID string) { s.setState(keyID, stateDisabled) }

// Enable enables a key.
func (s *Server) Enable(keyID string) { s.setState(keyID, stateEnabled) }

// Destroy deletes a key at once, which the real service takes at least a week for.
func (s *Server) Destroy(keyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.resolve(keyID)
	if k == nil {
		panic("kmstest: no key " + keyID)
	}
	delete(s.keys, k.id)
}

func (s *Server) setState(keyID, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.resolve(keyID)
	if k == nil {
		panic("kmstest: no key " + keyID)
	}
	k.state = state
}

// newKey makes a key. The mutex is held.
func (s *Server) newKey() *key {
	var b [16]byte
	rand.Read(b[:])
	material := make([]byte, 32)
	rand.Read(material)
	block, err := aes.NewCipher(material)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	k := &key{
		id:      fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]),
		created: time.Now(), state: stateEnabled, aead: aead,
	}
	s.keys[k.id] = k
	return k
}

// resolve returns the key of an id, ARN, alias or alias's ARN, or nil. The mutex is
// held.
func (s *Server) resolve(name string) *key {
	name = strings.TrimPrefix(name, aliasARN(""))
	if id, ok := s.aliases[name]; ok {
		return s.keys[id]
	}
	return s.keys[strings.TrimPrefix(name, "key/")]
}

// usable returns the key of that name, or what the service answers in its place.
func (s *Server) usable(name string) (*key, error) {
	k, err := s.known(name)
	if err != nil {
		return nil, err
	}
	return k, k.check()
}

// known is usable for operations that work on keys in any state.
func (s *Server) known(name string) (*key, error) {
	if name == "" {
		return nil, refuse(http.StatusBadRequest, "ValidationException", "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null")
	}
	if strings.HasPrefix(name, "arn:") && !strings.HasPrefix(name, aliasARN("")) {
		return nil, refuse(http.StatusBadRequest, "InvalidArnException", "the ARN is of another region or account, or malformed")
	}
	k := s.resolve(name)
	if k == nil {
		return nil, refuse(http.StatusBadRequest, "NotFoundException", "Key '%s' does not exist", name)
	}
	return k, nil
}

// check returns what the service answers while the key is in this state.
func (k *key) check() error {
	switch k.state {
	case stateDisabled:
		return refuse(http.StatusBadRequest, "DisabledException", "%s is disabled.", k.arn())
	case statePendingDeletion:
		return refuse(http.StatusBadRequest, "KMSInvalidStateException", "%s is pending deletion.", k.arn())
	}
	return nil
}

// A blob is magic, the id of the key, and the sealed plaintext.
const blobMagic = "kmstest\x01"

func (k *key) seal(plaintext []byte, encryptionContext map[string]string) []byte {
	blob := append([]byte(blobMagic), k.id...)
	return k.aead.Seal(blob, nil, plaintext, kms.AppendContext([]byte(k.id), encryptionContext))
}

// open opens a blob under the key that it names, which must be the expected one where
// one is named.
func (s *Server) open(blob []byte, expected string, encryptionContext map[string]string) (*key, []byte, error) {
	invalid := refuse(http.StatusBadRequest, "InvalidCiphertextException", "")
	const idLen = 36
	if len(blob) < len(blobMagic)+idLen || !slices.Equal(blob[:len(blobMagic)], []byte(blobMagic)) {
		return nil, nil, invalid
	}
	blob = blob[len(blobMagic):]
	k := s.keys[string(blob[:idLen])]
	if expected != "" {
		want, err := s.usable(expected)
		if err != nil {
			return nil, nil, err
		}
		if want != k {
			return nil, nil, refuse(http.StatusBadRequest, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		}
	}
	if k == nil {
		return nil, nil, invalid
	}
	if err := k.check(); err != nil {
		return nil, nil, err
	}
	plaintext, err := k.aead.Open(nil, nil, blob[idLen:], kms.AppendContext([]byte(k.id), encryptionContext))
	if err != nil {
		return nil, nil, invalid
	}
	return k, plaintext, nil
}
