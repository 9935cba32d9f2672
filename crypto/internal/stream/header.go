// Package stream is the format of encrypted streams: a header that carries the
// stream's wrapped key, then a stream as Tink's AES256-GCM-HKDF-1MB writes it.
//
//	"privet" ‖ version (1) ‖ wrapping (1) ‖ length (u16be) ‖ wrapped key ‖ Tink stream
//
// Version is 1. Wrapping is 1 where the wrapped key is a ciphertext of the tenant's
// value keyring, 2 where it is what stands in an envelope before the nonce. The key
// is 32 random bytes, drawn for this stream, and the main key of the Tink stream.
//
// The Tink stream's associated data is the stream's context and then the whole
// header, from "privet" to the end of the wrapped key:
//
//	"privet/stream/1" ‖ lp(tenant) ‖ lp("") ‖ lp(field) ‖ header
//
// with lp(x) = u32be(len x) ‖ x. The context alone is the associated data of a key
// that a keyring wraps.
package stream

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/privet-dev/privet/internal/fault"
)

const (
	magic       = "privet"
	version     = 1
	fixedSize   = len(magic) + 4
	contextName = "privet/stream/1"
)

// KeySize is how many bytes a stream's key has.
const KeySize = 32

// A Wrapping says how a stream's key is wrapped.
type Wrapping uint8

// The wrappings.
const (
	ByKeyring  Wrapping = 1
	ByEnvelope Wrapping = 2
)

// A Header is what stands before the Tink stream.
type Header struct {
	Wrapping Wrapping
	Wrapped  []byte
	// Raw is the whole header as it is written.
	Raw []byte
}

// NewHeader returns the header for a wrapped key of 1 to 65,535 bytes.
func NewHeader(w Wrapping, wrapped []byte) (*Header, error) {
	if len(wrapped) == 0 || len(wrapped) > 1<<16-1 {
		return nil, errors.New("stream: the wrapped key is empty or too long")
	}
	raw := append(make([]byte, 0, fixedSize+len(wrapped)), magic...)
	raw = append(raw, version, byte(w))
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(wrapped)))
	raw = append(raw, wrapped...)
	return &Header{Wrapping: w, Wrapped: raw[fixedSize:], Raw: raw}, nil
}

// ReadHeader reads the header from r, and no byte more. What the first bytes tell
// without a key, that this is no stream or one of another version, is an error of
// the kind Data that matches refused; errors of r come through as they are.
func ReadHeader(r io.Reader, refused error) (*Header, error) {
	raw := make([]byte, fixedSize)
	if err := readFull(r, raw, refused); err != nil {
		return nil, err
	}
	if string(raw[:len(magic)]) != magic {
		return nil, foreign(refused)
	}
	w := Wrapping(raw[len(magic)+1])
	if raw[len(magic)] != version || w != ByKeyring && w != ByEnvelope {
		return nil, &fault.Error{
			Kind: fault.Data, Msg: "crypto: the stream is of a version that this program does not know",
			Hint: "read it with a newer version of privet", Err: refused,
		}
	}
	n := int(binary.BigEndian.Uint16(raw[fixedSize-2:]))
	if n == 0 {
		return nil, foreign(refused)
	}
	raw = append(raw, make([]byte, n)...)
	if err := readFull(r, raw[fixedSize:], refused); err != nil {
		return nil, err
	}
	return &Header{Wrapping: w, Wrapped: raw[fixedSize:], Raw: raw}, nil
}

func readFull(r io.Reader, p []byte, refused error) error {
	src := &source{r: r}
	if _, err := io.ReadFull(src, p); err != nil {
		return src.or(foreign(refused))
	}
	return nil
}

func foreign(refused error) error {
	return &fault.Error{
		Kind: fault.Data, Msg: "crypto: this does not begin like an encrypted stream of privet",
		Hint: "is it the right file, and neither empty nor compressed?", Err: refused,
	}
}

// Context returns the context of a stream as associated data.
func Context(tenant, field string) []byte {
	ad := []byte(contextName)
	for _, s := range []string{tenant, "", field} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))
		ad = append(ad, s...)
	}
	return ad
}
