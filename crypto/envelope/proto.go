package envelope

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// A data key travels as the serialized protobuf message google.crypto.tink.AesGcmKey:
// field 1, version, a uint32 that is 0; field 3, key_value, the key's bytes.
const (
	tagVersion = 0x08 // field 1, varint
	tagKey     = 0x1a // field 3, length and bytes
)

var errKeyProto = errors.New("envelope: what was unwrapped is not an AesGcmKey of 128 or 256 bits and version 0")

// encodeKey returns the message of a key; 0 is the version's default and left out.
func encodeKey(key []byte) []byte {
	return append([]byte{tagKey, byte(len(key))}, key...)
}

// decodeKey returns the key of a message. It takes what protobuf libraries write for
// this message, in any order of the fields, and nothing else: each field once at
// most, no unknown fields, no wasteful encodings.
func decodeKey(b []byte) ([]byte, error) {
	var key []byte
	version := false
	for len(b) > 0 {
		switch {
		case len(b) < 2:
			return nil, errKeyProto
		case b[0] == tagVersion && b[1] == 0 && !version:
			version = true
			b = b[2:]
		case b[0] == tagKey && (b[1] == 16 || b[1] == 32) && len(b)-2 >= int(b[1]) && key == nil:
			n := 2 + int(b[1])
			key, b = b[2:n], b[n:]
		default:
			return nil, errKeyProto
		}
	}
	if key == nil {
		return nil, errKeyProto
	}
	return key, nil
}

// newGCM returns AES-GCM under key. Its Seal and Open take no nonce: it is drawn
// anew for each message and stands before the ciphertext.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
