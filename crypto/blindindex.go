package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

// MaxIndexBits is the length of an index value that is not cut, and the default.
const MaxIndexBits = 8 * cmac.Size

// minIndexBits: below it an index finds a 256th of the table or more.
const minIndexBits = 8

// ErrNormalize says that a value has no normal form: it is empty, or not what the
// index is about. Store NULL for it.
var ErrNormalize = errors.New("crypto: the value cannot be indexed")

// A BlindIndexConfig says which values an index is over. Tenant and Field must be
// set.
type BlindIndexConfig struct {
	// Tenant is whose values are indexed. Equal values of two tenants have unrelated
	// index values.
	Tenant string
	// Field names what is indexed, as encrypt= does: "customer.email". Index values of
	// two fields are unrelated; columns that are joined over them share one name.
	Field string
	// Domain is the domain keyset that the keys come from, and what is rotated.
	// "" is "blind_index/" and the field: a keyset of its own.
	Domain string
	// Bits is the length of an index value, 8 to [MaxIndexBits]; 0 is the latter.
	Bits int
	// Normalize turns values that mean the same into the same bytes; nil takes them
	// as they are. See [NormalizerFor].
	Normalize Normalizer
}

// A BlindIndex computes index values, by which rows are found whose encrypted value
// equals a given one: a keyed function of the normalized value, to be stored in a
// column beside the ciphertext.
//
//	SELECT … FROM customer WHERE email_index = ANY($1)     -- $1 from Values
//
// # What it leaks
//
// Whoever reads the column, without any key, sees which rows hold equal values, and
// how many rows share each. Where values are frequent in a known way (a first name, a
// country), that can tell what they are; so can an index over a field with few values
// at all, which is worth nothing: do not index genders or dates of birth. Whoever may
// ask for index values can test guesses. Without the key no guess can be tested.
//
// Shredding does not reach it: index values depend on the tenant's domain keyset, not
// on keys of the subject. An erasure clears the column, with the row or by setting it
// to NULL, and what backups hold of it goes on telling equality until the domain's
// keys are destroyed.
//
// # How many bits
//
// With the full 128 bits, different values do not meet (with a billion values the
// odds are 2^-69), the column can be UNIQUE, and it shows equality exactly. With b
// bits a value meets one in 2^b of the others: a look-up in n different values returns
// n/2^b wrong rows besides the right ones, which the caller decrypts and compares, and
// equality in the column is no proof that values are equal. The leak is blurred only
// while b is well below log2(n): 16 bits for a million people mean 15 wrong rows a
// look-up. It is a trade, and no number of bits hides a frequent value. A shorter
// index is the beginning of a longer one of the same Field, Domain and Normalize.
//
// # Rotation
//
// When the domain is rotated, new values are computed with the newest key, and
// [BlindIndex.Values] returns one value for each enabled key, so that rows are found
// before and after they were moved. A process notices a rotation within the client's
// CacheLife; until then it does not find what others have already written with the new
// key.
//
// A BlindIndex is safe for concurrent use. It serves as long as its client does; keep
// it, since making one derives keys.
type BlindIndex struct {
	keys      derived[*cmac.CMAC]
	bits      int
	normalize Normalizer
}

// BlindIndex returns the index of a field. It reads the domain keyset, or makes it.
//
// The index value is the first Bits bits of AES-256-CMAC (RFC 4493) of the normalized
// value; bits of its last byte beyond them are zero. The key is a subkey (see
// [Client.Subkey]) for the purpose "blind_index/1/NORMALIZER/FIELD".
//
// The error matches [ErrContext] for a config that cannot be, or says why keys could
// not be had.
func (c *Client) BlindIndex(ctx context.Context, cfg BlindIndexConfig) (*BlindIndex, error) {
	if cfg.Domain == "" {
		cfg.Domain = "blind_index/" + cfg.Field
	}
	if cfg.Bits == 0 {
		cfg.Bits = MaxIndexBits
	}
	if cfg.Normalize == nil {
		cfg.Normalize = exact{}
	}
	if err := checkIndexed(cfg.Tenant, cfg.Field, cfg.Domain); err != nil {
		return nil, err
	}
	if cfg.Bits < minIndexBits || cfg.Bits > MaxIndexBits {
		return nil, contextError(fmt.Sprintf("an index value of %d bits; %d to %d are possible", cfg.Bits, minIndexBits, MaxIndexBits), "")
	}
	name := cfg.Normalize.Name()
	if classify.CheckName(name) != nil || len(name) > 64 {
		return nil, contextError("the normalizer's name is unusable: "+classify.ErrName.Error()+"; of a normalizer, 64", "")
	}
	x := &BlindIndex{bits: cfg.Bits, normalize: cfg.Normalize, keys: derived[*cmac.CMAC]{
		client: c, tenant: cfg.Tenant, domain: cfg.Domain,
		purpose: "blind_index/1/" + name + "/" + cfg.Field, size: keySize,
		make: func(_ uint32, key []byte) (*cmac.CMAC, error) { return cmac.New(key) },
	}}
	_, err := x.keys.get(ctx)
	return x, err
}

// Size returns the length of an index value in bytes.
func (x *BlindIndex) Size() int { return (x.bits + 7) / 8 }

// Append appends the index value of value, under the newest key, to dst: what is
// stored. It keeps nothing of value and, once warm, does not allocate beyond dst. An
// empty value, and one that the normalizer refuses, is [ErrNormalize]; store NULL for
// it. On error dst is returned as it was.
func (x *BlindIndex) Append(ctx context.Context, dst, value []byte) ([]byte, error) {
	keys, err := x.keys.get(ctx)
	if err != nil {
		return dst, err
	}
	err = x.normal(value, func(normal []byte) { dst = x.append(dst, keys[0], normal) })
	return dst, err
}

// Values returns the index values of value under each enabled key of the domain, the
// newest first: what is looked for. Without a rotation in progress it is one. Errors
// are those of [BlindIndex.Append].
func (x *BlindIndex) Values(ctx context.Context, value []byte) ([][]byte, error) {
	keys, err := x.keys.get(ctx)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(keys))
	err = x.normal(value, func(normal []byte) {
		for i, k := range keys {
			out[i] = x.append(make([]byte, 0, x.Size()), k, normal)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (x *BlindIndex) append(dst []byte, k *cmac.CMAC, normal []byte) []byte {
	tag := k.Sum(normal)
	dst = append(dst, tag[:x.Size()]...)
	if rest := x.bits % 8; rest != 0 {
		dst[len(dst)-1] &= 0xff << (8 - rest)
	}
	return dst
}

// normalBuffers hold normalized values for the time of one computation.
var normalBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 256)
	return &b
}}

// normal calls use with the normal form of value, which it wipes afterwards.
func (x *BlindIndex) normal(value []byte, use func([]byte)) error {
	buf := normalBuffers.Get().(*[]byte)
	normal, err := x.normalize.AppendNormal((*buf)[:0], value)
	switch {
	case err != nil:
		err = &fault.Error{
			Kind: fault.Data,
			Msg:  fmt.Sprintf("%v as %s: %v", ErrNormalize, x.normalize.Name(), err),
			Hint: "store NULL in the index column, or correct the value",
			Err:  errors.Join(ErrNormalize, err),
		}
	case len(normal) == 0:
		err = &fault.Error{Kind: fault.Data, Msg: ErrNormalize.Error() + ": it is empty", Hint: "store NULL in the index column", Err: ErrNormalize}
	default:
		use(normal)
	}
	clear(normal)
	*buf = normal[:0]
	normalBuffers.Put(buf)
	return err
}
