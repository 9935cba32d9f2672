package crypto

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"github.com/tink-crypto/tink-go/v2/daead/aessiv"
	siv "github.com/tink-crypto/tink-go/v2/daead/subtle"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/privet-dev/privet/crypto/keystore"
)

// sivPurpose is what subkeys of AES-SIV are for.
const sivPurpose = "aes_siv/1"

// DeterministicOverhead is how many bytes a deterministic ciphertext has above its
// plaintext: the Tink prefix (5) and the synthetic iv (16).
const DeterministicOverhead = prefixSize + sivSize

const sivSize = 16

// A DeterministicConfig says whose values are encrypted deterministically, and which.
// Tenant and Field must be set.
type DeterministicConfig struct {
	// Tenant is whose values they are.
	Tenant string
	// Field names the value as encrypt= does: "order.external_ref". Ciphertexts of two
	// fields are unrelated; columns that are joined over them share one name.
	Field string
	// Domain is the domain keyset that the keys come from, and what is rotated.
	// "" is "deterministic/" and the field: a keyset of its own.
	Domain string
}

// A Deterministic encrypts equal values of one field to equal ciphertexts: AES-SIV
// (RFC 5297) with keys of 512 bits. A column of them can be looked up, joined, made
// UNIQUE and still be decrypted.
//
// # What it leaks
//
// Whoever reads the column, without any key, sees which rows hold equal values, how
// many rows share each, and how long each value is. It never hides that two values are
// equal, as [Client.Encrypt] does. Use it for ids with many values, each of them rare
// (a reference, an account number); where the value itself need not come back, a
// [BlindIndex] beside an ordinary ciphertext tells less: it is of fixed length, may be
// cut, and can be dropped alone.
//
// Shredding does not reach it: the keys are the tenant's, not the subject's, whose
// ciphertexts would equal nobody else's. An erasure deletes the value, or the row.
//
// # Limits
//
// There is no nonce to repeat. Below 2^48 messages a key, two different values of the
// same ciphertext have a probability below 2^-32. A value is held in memory.
//
// AES-SIV is not FIPS 140 approved; where that is enforced every method returns
// [ErrFIPS].
//
// A Deterministic is safe for concurrent use. It serves as long as its client does and
// notices a rotation of its domain within the client's CacheLife.
type Deterministic struct {
	keys derived[sivKey]
	// ad is the associated data of all its ciphertexts.
	ad []byte
}

// A sivKey is the AES-SIV of one version of the domain.
type sivKey struct {
	id  uint32
	siv *siv.AESSIV
}

// Deterministic returns the deterministic encryption of a field. It reads the domain
// keyset, or makes it.
//
// A ciphertext is what Tink's DeterministicAead writes: 0x01 ‖ key id (u32be) ‖
// synthetic iv (16) ‖ encrypted bytes. The key id is that of the domain keyset's key;
// the key is a subkey (see [Client.Subkey]) of 64 bytes for the purpose "aes_siv/1";
// the associated data is that of Context{Tenant, Field} without a subject.
//
// The error matches [ErrContext] for a config that cannot be, and [ErrFIPS], or says
// why keys could not be had.
func (c *Client) Deterministic(ctx context.Context, cfg DeterministicConfig) (*Deterministic, error) {
	if cfg.Domain == "" {
		cfg.Domain = "deterministic/" + cfg.Field
	}
	if err := checkIndexed(cfg.Tenant, cfg.Field, cfg.Domain); err != nil {
		return nil, err
	}
	at := Context{Tenant: cfg.Tenant, Field: cfg.Field}
	d := &Deterministic{ad: at.appendAD(nil), keys: derived[sivKey]{
		client: c, tenant: cfg.Tenant, domain: cfg.Domain, purpose: sivPurpose, size: siv.AESSIVKeySize,
		make: func(id uint32, key []byte) (sivKey, error) {
			// Tink keeps the slice.
			s, err := siv.NewAESSIV(bytes.Clone(key))
			return sivKey{id, s}, err
		},
	}}
	_, err := d.get(ctx)
	return d, err
}

// get returns the keys, the newest first, unless FIPS 140 is enforced.
func (d *Deterministic) get(ctx context.Context) ([]sivKey, error) {
	if err := approved("deterministic ciphertexts (AES-SIV)"); err != nil {
		return nil, err
	}
	return d.keys.get(ctx)
}

// Encrypt returns the ciphertext of plaintext, which may be empty, under the newest
// key: the same bytes at every call, in every process, until the domain is rotated.
func (d *Deterministic) Encrypt(ctx context.Context, plaintext []byte) ([]byte, error) {
	keys, err := d.get(ctx)
	if err != nil {
		return nil, err
	}
	return d.encrypt(keys[0], plaintext)
}

// Values returns the ciphertexts of plaintext under each enabled key of the domain,
// the newest first: what is looked for while a rotation is in progress.
func (d *Deterministic) Values(ctx context.Context, plaintext []byte) ([][]byte, error) {
	keys, err := d.get(ctx)
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(keys))
	for i, k := range keys {
		if out[i], err = d.encrypt(k, plaintext); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *Deterministic) encrypt(k sivKey, plaintext []byte) ([]byte, error) {
	sealed, err := k.siv.EncryptDeterministically(plaintext, d.ad)
	if err != nil {
		return nil, ErrTooLarge
	}
	out := make([]byte, 0, prefixSize+len(sealed))
	out = binary.BigEndian.AppendUint32(append(out, prefixStart), k.id)
	return append(out, sealed...), nil
}

// Decrypt returns the plaintext of a ciphertext of this tenant and field. The key is
// the one that the ciphertext names. Whatever is wrong with the ciphertext, the error
// is [ErrDecrypt] and says no more.
func (d *Deterministic) Decrypt(ctx context.Context, ciphertext []byte) ([]byte, error) {
	keys, err := d.get(ctx)
	if err != nil {
		return nil, err
	}
	i := find(keys, ciphertext)
	if i < 0 && isDeterministic(ciphertext) {
		// Another process may have rotated the domain since it was read.
		if keys, err = d.keys.renew(ctx, binary.BigEndian.Uint32(ciphertext[1:prefixSize])); err != nil {
			return nil, err
		}
		i = find(keys, ciphertext)
	}
	if i < 0 {
		return nil, ErrDecrypt
	}
	out, err := keys[i].siv.DecryptDeterministically(ciphertext[prefixSize:], d.ad)
	if err != nil {
		return nil, ErrDecrypt
	}
	return out, nil
}

// Stale reports whether a ciphertext is of another key than the newest, so that equal
// values that are encrypted now differ from it. It authenticates nothing; a ciphertext
// whose key is not there is [ErrDecrypt].
func (d *Deterministic) Stale(ctx context.Context, ciphertext []byte) (bool, error) {
	keys, err := d.get(ctx)
	if err != nil {
		return false, err
	}
	i := find(keys, ciphertext)
	if i < 0 {
		return false, ErrDecrypt
	}
	return i > 0, nil
}

// isDeterministic reports whether ciphertext has the shape of one.
func isDeterministic(ciphertext []byte) bool {
	return len(ciphertext) >= DeterministicOverhead && ciphertext[0] == prefixStart
}

// find returns the index of the key that ciphertext names, or -1.
func find(keys []sivKey, ciphertext []byte) int {
	if !isDeterministic(ciphertext) {
		return -1
	}
	id := binary.BigEndian.Uint32(ciphertext[1:prefixSize])
	return slices.IndexFunc(keys, func(k sivKey) bool { return k.id == id })
}

// InsecureExport returns the keys as a Tink keyset, secrets included; the primitive is
// DeterministicAead. What is said of [Client.InsecureExportKeyring] holds.
func (d *Deterministic) InsecureExport(ctx context.Context) (*keyset.Handle, error) {
	k := &d.keys
	from, err := k.client.domain(ctx, k.tenant, k.domain, read)
	if err != nil {
		return nil, exportError(err)
	}
	p, err := aessiv.NewParameters(siv.AESSIVKeySize, aessiv.VariantTink)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	for _, v := range slices.Backward(from.versions) {
		material, err := v.compute(subkeyInput(k.tenant, k.domain, k.purpose), siv.AESSIVKeySize)
		if err != nil {
			return nil, err
		}
		key, err := aessiv.NewKey(secretdata.NewBytesFromData(material, insecuresecretdataaccess.Token{}), v.id, p)
		if err != nil {
			return nil, err
		}
		if _, err := m.AddKey(key); err != nil {
			return nil, err
		}
	}
	if err := m.SetPrimary(from.versions[0].id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	id := keystore.ID{Tenant: k.tenant, Purpose: purposeDomain + k.domain}
	if err := k.client.record(ctx, "crypto.keyring.export", id, h); err != nil {
		return nil, err
	}
	return h, nil
}
