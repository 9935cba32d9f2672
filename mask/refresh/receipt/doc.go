// Package receipt is the signed record of a refresh: what was copied by which
// policy, what became of every column, and what verification found.
//
// [Sign] turns a [Receipt] into its document, [Verify] checks a document against
// a public key, without a network or a database, and [WriteFile] puts it on disk.
//
// # The document
//
// A receipt is one JSON object whose last member is "signature":
//
//	{"format": "privet/receipt/1", ..., "signature": {"algorithm": "Ed25519",
//	 "key_id": "0123456789abcdef", "value": "<base64>"}}
//
// The value is the Ed25519 signature (RFC 8032) of the canonical bytes: the UTF-8
// text of the object without its signature member and without insignificant
// white space, numbers and string escapes exactly as written. White space may
// therefore be changed, and nothing else. The value is standard base64 with
// padding. A key's id is the first eight bytes of the SHA-256 of its 32 bytes, in
// hexadecimal.
//
// The format's number changes only when a reader of the old one would
// misunderstand the new one; members are added without.
//
// # Public keys
//
// In text a public key is "privet-ed25519:" and its 32 bytes in unpadded
// base64url (RFC 4648 section 5): see [FormatPublicKey].
package receipt
