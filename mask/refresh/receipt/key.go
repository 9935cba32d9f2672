package receipt

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

const keyPrefix = "privet-ed25519:"

// KeyID returns the id of a public key: the first eight bytes of its SHA-256, in
// hexadecimal.
func KeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// FormatPublicKey returns the text form of a public key.
func FormatPublicKey(key ed25519.PublicKey) string {
	return keyPrefix + base64.RawURLEncoding.EncodeToString(key)
}

// ParsePublicKey reads the text form of a public key. White space around it is
// fine.
func ParsePublicKey(s string) (ed25519.PublicKey, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(s), keyPrefix)
	if !ok {
		return nil, fmt.Errorf("receipt: a public key starts with %q", keyPrefix)
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("receipt: a public key is %q and 43 characters of base64url", keyPrefix)
	}
	return key, nil
}
