// Package verify proves, after a refresh, that the copy holds nobody's data:
// it reads source and target once each and says what it found, by table and
// column and count, never by value. Start with [Run]; what it finds is a
// [Report].
//
// # What is checked
//
//   - rows: every table has as many rows as its source.
//   - nulls: a masked column is NULL in as many rows as its original.
//   - identity: rows are joined by their kept primary key, and the masked value
//     compared with the row's own original. A rule whose results cannot be real
//     leaves no row as it was. Names, cities and the like come from lists that
//     real people share, so there the number of values that stand for themselves
//     must be what chance gives.
//   - originals: every original of an identifying column is searched in every
//     column of the target that can hold text or digits, kept ones, JSON, arrays
//     and bytea included: as a whole value, and as one to eight words in the
//     middle of a longer text, whatever the case, the spaces and the punctuation;
//     numbers also with other separators.
//   - distinct: an injective rule has not collapsed its column.
//   - foreign keys: every one of the source exists in the target and is validated.
//
// # How
//
// Values become 64-bit fingerprints under a random key that lives as long as
// the process. With n originals and m pieces of text two different values share
// a fingerprint about n·m/2^64 times: 0.005 times for 10^8 originals against
// 10^9 pieces. Fingerprints are held in memory up to Input.MemoryLimit, above
// that in temporary files that have no name any more while they are open.
//
// # What is not seen
//
// Originals that are too short or too ordinary to identify anybody are left out
// and counted: under five characters, numbers under seven digits, and letters
// only under eight; one word of letters only is looked for as a whole value, not
// inside a text. Phone numbers under +999, a country code nobody has, are left out
// too: a source that is itself a masked copy holds them. Of text under redact_text
// what that rule finds is searched for, IP addresses excepted, which version
// numbers look like. Text is compared in lower case by simple case mapping, without
// Unicode normalisation: an accent written as a combining mark is another text.
// Text that is encoded or compressed is not opened; of bytes that are no text the
// runs of text among them are read. Values of a column are searched, and not what
// the schema holds: comments, defaults, labels of enumerations.
package verify
