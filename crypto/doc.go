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
// # When a service is away
//
// Keys in use are read again in the background when four fifths of their life are
// over, one call a key and at most Config.KMSCalls at once. Where the key service or
// the keystore does not answer (throttled, timed out, unreachable), what is in memory
// encrypts for WriteGrace and decrypts for ReadGrace past its life, and
// [Client.Degraded] says so. Where the key service says no (key disabled, deleted,
// access denied), everything under the key is dropped at once. Errors are never kept.
//
// # Erasure
//
// [Client.Shred] puts a tombstone in the place of a subject's keyring: everything
// encrypted under it is unreadable from then on, in the database, in its backups, at a
// partner's, and the subject never gets keys again ([ErrErased]). This client knows at
// once. Others hold the keys in memory for CacheLife at most; a keystore in PostgreSQL
// or SQLite tells them within about a second ([keystore.Watcher]).
//
// A keystore restored from a backup brings back keyrings that were shredded since, and
// the key service still opens them. Against that stands the ledger
// ([github.com/privet-dev/privet/crypto/ledger]), kept and backed up apart from the
// keystore. Shred enters the erasure there first. The keyset that names a tenant's
// subjects carries, in its row of the keystore, the number of the last entry that
// this keystore has the tombstones of; a backup holds it as it was. Whenever keyrings
// of subjects are loaded, that row is read in the same statement, and the number is
// compared with the ledger's last:
//
//	equal          the keyrings are used
//	keystore less  it was restored, or a process died between entry and tombstone:
//	               the missing tombstones are set, the number is raised, and the
//	               keyrings are read again before anything is served
//	keystore more  the ledger was lost or exchanged: [ErrLedger], until it is brought
//	               back or [Client.Replay] has entered the tombstones that it lacks
//
// So no call is served from a restored keystore, even where it was restored under a
// running process, and what is in memory costs nothing more. A ledger of another
// keystore, and a keystore restored from before the tenant's first subject, are
// ErrLedger too. A keystore into which rows were copied back singly needs Replay,
// which compares entry by entry.
//
// Shredding reaches what is under the subject's keyring and nothing else:
// [NotShredded] lists the rest.
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
// A stream ([Client.NewEncryptWriter]) is a header and then an exact Tink stream,
// AES256-GCM-HKDF-1MB, under a key of its own (32 random bytes):
//
//	"privet" ‖ version (1) ‖ wrapping (1) ‖ length (u16be) ‖ wrapped key ‖ Tink stream
//
// Version is 1. Wrapping is 1 where the wrapped key is a ciphertext of the tenant's
// value keyring, with the associated data "privet/stream/1" ‖ lp(tenant) ‖ lp("") ‖
// lp(field); it is 2 where a KEK wraps it (package envelope). The associated data of
// the Tink stream is the same and then the whole header, "privet" to wrapped key.
//
// # Limits
//
// A process draws a salt per key and seals at most 2^20 messages under it, with
// random nonces of 96 bits, before it draws another. Two nonces of one salt are equal
// with a probability below 2^-57, so that 2^45 messages a key, in 2^25 salts, stay
// below 2^-32 (the bound of NIST SP 800-38D, section 8). One value is at most 64 GiB,
// and is held in memory; a few kilobytes is what this is made for.
//
// It runs under GODEBUG=fips140=only, streams excepted ([ErrFIPS]): sealing and
// opening use the standard library alone. The key derivation of XAES is NIST SP 800-108 over AES-CMAC, built here on
// crypto/aes, outside of the validated module.
package crypto
