package crypto

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// An Algorithm is what the keys of a new keyring are for.
type Algorithm uint8

// The algorithms. Keyrings of both are read whatever is chosen for new ones.
const (
	// XAES256GCM is AES-256-GCM with a nonce of 192 bits: safe for 2^45 messages a
	// key at a risk of 2^-32 as it is used here, however many processes share it.
	XAES256GCM Algorithm = iota
	// AES256GCM is for readers whose Tink does not know XAES. All processes together
	// must stay below 2^32 messages a key (NIST SP 800-38D, section 8.3), and none of
	// them can count what the others do.
	AES256GCM
)

// String returns the algorithm's name.
func (a Algorithm) String() string {
	switch a {
	case XAES256GCM:
		return "XAES-256-GCM"
	case AES256GCM:
		return "AES-256-GCM"
	}
	return fmt.Sprintf("Algorithm(%d)", uint8(a))
}

// parameters returns what Tink makes a new key of.
func (a Algorithm) parameters() (key.Parameters, error) {
	switch a {
	case XAES256GCM:
		return xaesgcm.NewParameters(xaesgcm.VariantTink, saltSize)
	case AES256GCM:
		return aesgcm.NewParameters(aesgcm.ParametersOpts{
			KeySizeInBytes: keySize, IVSizeInBytes: ivSize, TagSizeInBytes: tagSize, Variant: aesgcm.VariantTink,
		})
	}
	return nil, fmt.Errorf("crypto: unknown algorithm %v", a)
}

// A keyring is a Tink keyset made ready to seal and open. It is immutable but for
// the salts inside its keys and what was asked of it in vain, and safe for concurrent
// use.
//
// It is also the tink.AEAD that wraps a root's children: Tink's own cannot run
// under GODEBUG=fips140=only.
type keyring struct {
	keys []*dataKey
	// subject is the keyed hash of the subject whose keyring it is, or "".
	subject string
	// version is that of the record it was read from.
	version int64
	// stored identifies what the record held: its keys need not be made ready again
	// while that stays.
	stored uint64
	// primary is own's address, once it is known to be enabled.
	primary *dataKey
	cached  atomic.Bool // entry is taken
	_       [40]byte    // so that what sealing needs fills two lines of the processor's cache

	// entry is the memory of the keyring's entry in a cache, own that of its primary
	// key. They stand beside each other, as what sealing needs of both does in them.
	entry entry[keyring]
	own   dataKey

	// disabled are the ids of keys that are there and must not be used.
	disabled []uint32
	// absent are the keys that it was lately read again for, in vain. With them it is a
	// multiple of the cache line.
	absent misses
}

// home returns the memory for the keyring's first entry in a cache.
func (r *keyring) home() *entry[keyring] {
	if r.cached.Swap(true) {
		return nil
	}
	return &r.entry
}

var _ tink.AEAD = (*keyring)(nil)

// newKeyring takes the keys out of a Tink keyset. Only TINK-prefixed AES-256-GCM
// and XAES-256-GCM keys are accepted: every ciphertext names its key, and none is
// ever tried under another. Disabled keys are left out.
func newKeyring(h *keyset.Handle) (*keyring, error) {
	r := &keyring{}
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeyring, err)
		}
		k := &r.own
		if !e.IsPrimary() {
			k = &dataKey{}
		}
		if err := k.init(e); err != nil {
			return nil, err
		}
		if e.KeyStatus() != keyset.Enabled {
			r.disabled = append(r.disabled, k.id)
			continue
		}
		if r.lookup(k.id) != nil {
			return nil, fmt.Errorf("%w: two keys have the id %08x", ErrKeyring, k.id)
		}
		r.keys = append(r.keys, k)
		if e.IsPrimary() {
			r.primary = k
		}
	}
	if r.primary == nil {
		return nil, fmt.Errorf("%w: it has no enabled primary key", ErrKeyring)
	}
	return r, nil
}

// init makes k the key of e.
func (k *dataKey) init(e *keyset.Entry) error {
	refuse := func(what string) error {
		return fmt.Errorf("%w: key %08x is %s; only TINK-prefixed AES-256-GCM and XAES-256-GCM keys are accepted", ErrKeyring, e.KeyID(), what)
	}
	switch key := e.Key().(type) {
	case *xaesgcm.Key:
		p, ok := key.Parameters().(*xaesgcm.Parameters)
		if !ok || p.Variant() != xaesgcm.VariantTink {
			return refuse("an XAES-256-GCM key without the TINK prefix")
		}
		return k.initXAES(e.KeyID(), key.KeyBytes().Data(insecuresecretdataaccess.Token{}), p.SaltSizeInBytes())
	case *aesgcm.Key:
		p, ok := key.Parameters().(*aesgcm.Parameters)
		switch {
		case !ok || p.Variant() != aesgcm.VariantTink:
			return refuse("an AES-GCM key without the TINK prefix")
		case p.KeySizeInBytes() != keySize:
			return refuse(fmt.Sprintf("an AES-GCM key of %d bits", 8*p.KeySizeInBytes()))
		case p.IVSizeInBytes() != ivSize || p.TagSizeInBytes() != tagSize:
			return refuse("an AES-GCM key with an unusual nonce or tag")
		}
		return k.initGCM(e.KeyID(), key.KeyBytes().Data(insecuresecretdataaccess.Token{}))
	default:
		return refuse(fmt.Sprintf("of the type %T", key))
	}
}

// lookup returns the key of that id, or nil.
func (r *keyring) lookup(id uint32) *dataKey {
	for _, k := range r.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

// find returns the key that ciphertext names, or nil.
func (r *keyring) find(ciphertext []byte) *dataKey {
	if len(ciphertext) < prefixSize || ciphertext[0] != prefixStart {
		return nil
	}
	return r.lookup(binary.BigEndian.Uint32(ciphertext[1:prefixSize]))
}

// open appends the plaintext of ciphertext to dst.
func (r *keyring) open(dst, ciphertext, ad []byte) ([]byte, error) {
	if aead := r.own.known(ciphertext); aead != nil {
		return openWith(aead, dst, ciphertext[prefixSize+r.own.saltSize:], ad)
	}
	k := r.find(ciphertext)
	if k == nil {
		return dst, ErrDecrypt
	}
	return k.open(dst, ciphertext, ad)
}

// Encrypt seals plaintext under the primary key.
func (r *keyring) Encrypt(plaintext, associatedData []byte) ([]byte, error) {
	return r.primary.seal(nil, plaintext, associatedData)
}

// Decrypt opens ciphertext under the key that it names.
func (r *keyring) Decrypt(ciphertext, associatedData []byte) ([]byte, error) {
	return r.open(nil, ciphertext, associatedData)
}
