package crypto

import (
	"github.com/privet-dev/privet/crypto/keystore"
)

// Keyrings of subjects are opened by the thousand, and Tink's reader costs four times
// what the cryptography does. What follows reads exactly the bytes that Tink writes
// for the keysets that newKeyring accepts: fields in ascending order, each once,
// shortest varints, nothing unknown. Everything else, well formed or not, is left to
// Tink's reader and to newKeyring, which know why it is wrong.

const (
	typeXAES = "type.googleapis.com/google.crypto.tink.XAesGcmKey"
	typeGCM  = "type.googleapis.com/google.crypto.tink.AesGcmKey"
)

// quickRing opens a keyring that root wrapped, or returns nil.
func quickRing(root *keyring, rec *keystore.Record) *keyring {
	c := cursor(rec.Wrapped)
	sealed, ok := c.bytes(2)
	if !ok || len(c) != 0 {
		return nil
	}
	plaintext, err := root.open(nil, sealed, appendKeyringAD(nil, rec.Tenant, rec.Subject, rec.Purpose, rec.Parent))
	if err != nil {
		return nil
	}
	defer clear(plaintext)
	return parseKeyset(plaintext)
}

// parseKeyset reads a Keyset:
//
//	primary_key_id = 1, repeated key = 2
func parseKeyset(b []byte) *keyring {
	c := cursor(b)
	primary, ok := c.varint(1)
	if !ok || primary > 1<<32-1 {
		return nil
	}
	r := &keyring{}
	for len(c) > 0 {
		key, ok := c.bytes(2)
		if !ok || !r.parseKey(key, uint32(primary)) {
			return nil
		}
	}
	if r.primary == nil {
		return nil
	}
	return r
}

// parseKey adds one key of a Keyset:
//
//	key_data = 1 {type_url = 1, value = 2, key_material_type = 3},
//	status = 2, key_id = 3, output_prefix_type = 4
func (r *keyring) parseKey(c cursor, primary uint32) bool {
	const symmetric, enabled, disabled, tinkPrefix = 1, 1, 2, 1
	data, ok := c.bytes(1)
	status, ok2 := c.varint(2)
	number, ok3 := c.varint(3)
	prefix, ok4 := c.varint(4)
	if !ok || !ok2 || !ok3 || !ok4 || len(c) != 0 || prefix != tinkPrefix || number > 1<<32-1 {
		return false
	}
	id := uint32(number)
	k := &r.own
	if id != primary {
		k = &dataKey{}
	}
	if (status != enabled && status != disabled) || r.knows(id) {
		return false
	}
	d := cursor(data)
	kind, ok := d.bytes(1)
	value, ok2 := d.bytes(2)
	material, ok3 := d.varint(3)
	if !ok || !ok2 || !ok3 || len(d) != 0 || material != symmetric || !k.parse(id, string(kind), value) {
		return false
	}
	switch {
	case status == disabled:
		r.disabled = append(r.disabled, id)
		return id != primary
	case id == primary:
		r.primary = k
	}
	r.keys = append(r.keys, k)
	return true
}

// parse makes k of the value of a KeyData:
//
//	AesGcmKey{key_value = 3}
//	XAesGcmKey{params = 2 {salt_size = 1}, key_value = 3}
func (k *dataKey) parse(id uint32, kind string, c cursor) bool {
	switch kind {
	case typeGCM:
		key, ok := c.bytes(3)
		return ok && len(c) == 0 && len(key) == keySize && k.initGCM(id, key) == nil
	case typeXAES:
		params, ok := c.bytes(2)
		p := cursor(params)
		salt, ok2 := p.varint(1)
		key, ok3 := c.bytes(3)
		return ok && ok2 && ok3 && len(p) == 0 && len(c) == 0 && salt >= 8 && salt <= saltSize &&
			len(key) == keySize && k.initXAES(id, key, int(salt)) == nil
	}
	return false
}

// A cursor is what is left of a protobuf message.
type cursor []byte

// varint reads a field of that number, not zero, as no writer writes zeros.
func (c *cursor) varint(field byte) (uint64, bool) {
	if len(*c) == 0 || (*c)[0] != field<<3 {
		return 0, false
	}
	*c = (*c)[1:]
	n, ok := c.number()
	return n, ok && n != 0
}

// bytes reads a field of that number with a length, not empty.
func (c *cursor) bytes(field byte) (cursor, bool) {
	if len(*c) == 0 || (*c)[0] != field<<3|2 {
		return nil, false
	}
	*c = (*c)[1:]
	n, ok := c.number()
	if !ok || n == 0 || n > uint64(len(*c)) {
		return nil, false
	}
	b := (*c)[:n:n]
	*c = (*c)[n:]
	return b, true
}

// number reads a varint of at most 5 bytes in its shortest form.
func (c *cursor) number() (n uint64, ok bool) {
	for i := range min(5, len(*c)) {
		b := (*c)[i]
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			*c = (*c)[i+1:]
			return n, b != 0 || i == 0
		}
	}
	return 0, false
}
