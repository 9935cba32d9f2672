// Package crypto encrypts values under keys of their tenant and subject.
//
// A service opens one [Client] and calls two methods, [Client.Encrypt] and
// [Client.Decrypt]. Both take a [Context], which says whose value it is and which:
// it selects the key, and a ciphertext opens under an equal Context only.
//
// # Keys
//
//	KMS KEK ──wraps──> tenant root ──wraps──┬─> the tenant's value keyring
//	                                        ├─> subject keyrings
//	                                        └─> domain keysets
//
// The KEK stays in the key service ([github.com/privet-dev/privet/crypto/kms]),
// which is called once per tenant and cache life, never per value. Everything below
// it is a Tink keyset, wrapped by its parent, in a keystore
// ([github.com/privet-dev/privet/crypto/keystore]). Keyrings are made on first use:
// of any number of goroutines and processes who need the same one at once, one makes
// it and all use it.
//
// Values with a Subject are encrypted under keys of that subject alone. The
// keystore knows subjects by a keyed hash of their ids. Subkeys of domains
// ([Client.Subkey]) serve tokens, pseudonyms and masks.
//
// # What stays compatible
//
// A ciphertext is what Tink's AEAD writes, so that any Tink opens it with the
// keyset and the associated data (see [Client.InsecureExportKeyring]):
//
//	0x01 ‖ key id (u32be) ‖ salt (12) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// That is XAES-256-GCM (C2SP); keyrings of AES-256-GCM have no salt. The associated
// data of values is "privet/1" ‖ lp(tenant) ‖ lp(subject) ‖ lp(field), of wrapped
// keyrings "privet/keyring/1" ‖ lp(tenant) ‖ lp(HMAC(subject)) ‖ lp(purpose) ‖ parent
// key id (u32be), with lp(x) = u32be(len x) ‖ x. [EncodeText] gives the form for JSON
// and text columns. These formats do not change.
//
// # Limits
//
// A process draws a salt per key and seals at most 2^20 messages under it, with
// random nonces of 96 bits, before it draws another. Two nonces of one salt are equal
// with a probability below 2^-57, so that 2^45 messages a key, in 2^25 salts, stay
// below 2^-32 (the bound of NIST SP 800-38D, section 8). One value is at most 64 GiB,
// and is held in memory; a few kilobytes is what this is made for.
//
// It runs under GODEBUG=fips140=only: sealing and opening use the standard library
// alone. The key derivation of XAES is NIST SP 800-108 over AES-CMAC, built here on
// crypto/aes, outside of the validated module.
package crypto
