// Package mask holds the masking rules: what becomes of one value on its way
// from production to a place that must not have it.
//
// A rule is written as policy files write it, `email` or `fpe(keep_last=4)`:
// [ParseSpec] reads it, [Spec.Compile] binds it to a column and a tenant's
// keys and refuses what cannot work there, [Rule.NewMasker] hands out a
// [Masker] for each goroutine. [Rules] lists them all, with their parameters,
// the column types they work on and an example.
//
// # What rules promise
//
//   - A rule is a function of the canonical value: equal values in one tenant
//     and domain become equal results in every table and on every day, so that
//     joins and foreign keys survive. Two columns that must agree have equal
//     [Rule.Identity].
//   - A rule that derives its result from the value is keyed, by AES-256-CMAC
//     or FF1 under a subkey of the tenant's domain keyset that is separate for
//     every domain, rule and version of the rule's algorithm, and for date_shift
//     and number_noise every set of parameters. There is no unkeyed fallback:
//     without keys the rule does not compile.
//   - NULL never reaches a rule; it stays NULL. The empty string stays empty
//     for every rule but null and constant: it names nobody, and applications
//     tell it from a value.
//   - Results are valid UTF-8 without NUL and respect the column's length.
//   - Errors never contain the value.
//
// # Canonical values
//
// Databases hold one value under several spellings: char(n) pads with blanks,
// citext compares without case. Rules see the value with trailing blanks cut
// for bpchar and in lower case for citext, and any other type's text as it is:
// a text column tells "Bob" from "bob", so a rule that made them equal could
// break its unique index, and one that keeps them apart breaks nothing. Rules
// that show parts of a value (partial, redact_text) leave citext's case alone.
package mask
