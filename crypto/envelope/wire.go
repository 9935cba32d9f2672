package envelope

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
)

const (
	maxWrapped  = 4096 // Tink's limit of a wrapped key
	nonceSize   = 12
	tagSize     = 16
	lengthSize  = 4
	markSize    = 4
	severalMark = "\xffpm\x01"
)

// An entry is a data key as one KEK wrapped it.
type entry struct {
	mark    [markSize]byte // of the KEK; zero under a single one, where none is written
	wrapped []byte
}

func markOf(k kms.KEK) (m [markSize]byte) {
	sum := sha256.Sum256([]byte(k.URI()))
	copy(m[:], sum[:])
	return m
}

// encodeHeader returns what stands before the nonce.
func encodeHeader(entries []entry) []byte {
	var h []byte
	if len(entries) > 1 {
		h = append(h, severalMark...)
		h = append(h, byte(len(entries)))
	}
	for _, e := range entries {
		if len(entries) > 1 {
			h = append(h, e.mark[:]...)
		}
		h = binary.BigEndian.AppendUint32(h, uint32(len(e.wrapped)))
		h = append(h, e.wrapped...)
	}
	return h
}

// several reports whether a header is that of several KEKs.
func several(header []byte) bool { return header[0] == severalMark[0] }

// splitHeader returns what stands before the nonce and what follows. It does not
// allocate, and its error is crypto.ErrDecrypt.
func splitHeader(b []byte) (header, rest []byte, err error) {
	n := 0
	if len(b) > len(severalMark) && string(b[:len(severalMark)]) == severalMark {
		count := int(b[len(severalMark)])
		if count < 2 || count > MaxKEKs {
			return nil, nil, crypto.ErrDecrypt
		}
		n = len(severalMark) + 1
		for range count {
			if n += markSize; n > len(b) {
				return nil, nil, crypto.ErrDecrypt
			}
			size, ok := entrySize(b[n:])
			if !ok {
				return nil, nil, crypto.ErrDecrypt
			}
			n += size
		}
	} else {
		size, ok := entrySize(b)
		if !ok {
			return nil, nil, crypto.ErrDecrypt
		}
		n = size
	}
	return b[:n], b[n:], nil
}

// entrySize returns how many bytes of b a length and its wrapped key take.
func entrySize(b []byte) (int, bool) {
	if len(b) < lengthSize {
		return 0, false
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 || n > maxWrapped || int(n) > len(b)-lengthSize {
		return 0, false
	}
	return lengthSize + int(n), true
}

// decodeHeader returns the entries of what splitHeader returned.
func decodeHeader(header []byte) []entry {
	if !several(header) {
		return []entry{{wrapped: header[lengthSize:]}}
	}
	entries := make([]entry, header[len(severalMark)])
	b := header[len(severalMark)+1:]
	for i := range entries {
		copy(entries[i].mark[:], b)
		b = b[markSize:]
		n := lengthSize + int(binary.BigEndian.Uint32(b))
		entries[i].wrapped = b[lengthSize:n]
		b = b[n:]
	}
	return entries
}
