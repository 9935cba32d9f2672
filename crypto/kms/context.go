package kms

import (
	"encoding/binary"
	"maps"
	"slices"
)

// AppendContext appends the canonical form of an encryption context to dst: the
// number of entries, then each key and value in the order of the keys, every
// length a big-endian uint32 before its bytes. Two contexts have one form exactly
// when they are equal, so it serves as associated data.
func AppendContext(dst []byte, encryptionContext map[string]string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(encryptionContext)))
	for _, k := range slices.Sorted(maps.Keys(encryptionContext)) {
		dst = appendPrefixed(dst, k)
		dst = appendPrefixed(dst, encryptionContext[k])
	}
	return dst
}

func appendPrefixed(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
