// Package localkms keeps a key-encryption key in a file: for development, for one
// machine, and for tests. Whoever reads the file (and knows its passphrase, where it
// has one) opens everything under it; a key management service gives an audit trail,
// revocation and a key that cannot be copied, and is what production wants.
//
// # The file
//
// JSON, one object, mode 0600, made once and never changed:
//
//	{
//	  "format": "privet local key",
//	  "version": 1,
//	  "id": "5f0c…",                   8 random bytes, in hexadecimal
//	  "purpose": "roots",              or "envelopes"
//	  "created": "2026-01-31T12:00:00Z",
//	  "key": "…"                       32 bytes, base64; or instead of it:
//	  "locked": {
//	    "kdf": "argon2id", "time": 3, "memory_kib": 65536, "threads": 4, "salt": "…",
//	    "sealed": "…"                  the key under AES-256-GCM, nonce first
//	  }
//	}
//
// A locked key is sealed with AES-256-GCM under Argon2id (RFC 9106, its second
// recommended choice of parameters) of the passphrase; all other members but
// "created" are its associated data, so that nobody can weaken a parameter unseen.
//
// # What it wraps
//
//	0x01 ‖ id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// AES-256-GCM with a random nonce; associated data is "privet/localkms/1", the id and
// the canonical form of the encryption context ([kms.AppendContext]). One file wraps
// at most 2^32 times (NIST SP 800-38D, section 8.3); a root is wrapped when it is made
// and when it moves, so that no deployment comes near.
//
// # FIPS 140
//
// All of it runs under GODEBUG=fips140=only but passphrases: Argon2id is not
// approved, and a locked file is then refused.
package localkms
