// Package envelope encrypts values into envelopes: self-contained ciphertexts that
// carry their own wrapped data key, as Tink's KMS envelope does. An envelope needs a
// key service and no keystore.
//
// A service opens one [Client] and calls [Client.Encrypt] and [Client.Decrypt]. Where
// Tink asks the key service twice per message, the client does so once per tenant in
// five minutes: a data key is private to the process and to one tenant, and serves
// for a bounded time, number of messages and number of bytes; for reading, unwrapped
// data keys are kept in a bounded cache.
//
// An envelope cannot be shredded, since its key is inside it: a Context with a Subject
// is refused. Values of persons belong under the keyrings of package crypto.
//
// # What stays compatible
//
// Under one KEK an envelope is what Tink's KmsEnvelopeAead writes, with AesGcmKey of
// 256 bits (128 bits are read too):
//
//	length (u32be) ‖ wrapped key ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//
// The KEK wraps the serialized AesGcmKey (0x1a 0x20 ‖ key). The associated data is
// that of the Context ([crypto.Context.AppendAssociatedData]). Tink gives the key
// service no encryption context; with [Config.EncryptionContext], Tink cannot open it.
//
// Under several KEKs (two to eight: one for each region) every one wraps the same key:
//
//	0xff "pm" version (1) ‖ count (1) ‖ count × entry ‖ nonce (12) ‖ ciphertext ‖ tag (16)
//	entry = mark (4) ‖ length (u32be) ‖ wrapped key
//
// A mark is the first 4 bytes of SHA-256 of the KEK's URI; it says which KEK to try
// first and no more. Here the associated data is that of the Context and then
// everything before the nonce, so that no entry can be taken out or changed. The
// first byte tells the two forms apart: as a length it is above Tink's limit of 4,096,
// and Tink refuses it. The length, wrapped key and what follows the last entry, put
// together, are an envelope that Tink opens with that associated data and KEK.
//
// Streams ([Client.NewEncryptWriter]) have a header of package crypto, wrapping 2: the
// wrapped key in it is what stands before the nonce above, and holds the stream's key
// as 32 bare bytes.
//
// # When the key service fails
//
// Keys are fetched anew at about 80 % of their life, in the background. While the key
// service does not answer, throttles or fails ([kms.ErrUnavailable]), known keys are
// used beyond their life, for [Config.WriteGrace] and [Config.ReadGrace];
// [Client.Degraded] tells, and [Config.Report] is told. A data key is never used above
// its messages and bytes. Who has such a key waits a second at most for an answer. Where the service says no ([kms.ErrDenied]: disabled,
// deleted, not allowed), all keys that this KEK vouches for are dropped at once and
// nothing is encrypted or decrypted with them. Errors are not remembered.
//
// Encrypting needs every KEK that is configured, decrypting needs one.
//
// # Limits
//
// Data keys are AES-256-GCM with random nonces: 2^20 messages keep the probability
// that two are equal below 2^-57, and the 2^32 that can be configured below 2^-33
// (NIST SP 800-38D, section 8.3). It runs under GODEBUG=fips140=only, streams excepted.
package envelope
