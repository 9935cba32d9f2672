// Package interop shows a service on privet and one on the former path of Tink,
// github.com/google/tink/go, exchange ciphertexts in both directions. The two paths
// register the same protobuf names and cannot be linked into one program, so this is
// a module of its own with two programs; its test runs them against each other.
//
// What a service on the former path needs to know of privet:
//
//   - Keyrings are Tink keysets. It reads those of AES-256-GCM
//     (crypto.Config.NewKeys = crypto.AES256GCM); XAES-256-GCM is unknown to it.
//   - Envelopes are those of Tink's KMSEnvelopeAEAD.
//   - The associated data of a value is "privet/1" and then tenant, subject and field,
//     each after its length as a big-endian uint32.
package interop
