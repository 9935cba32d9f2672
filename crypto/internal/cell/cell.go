// Package cell is what an encrypted column ([github.com/privet-dev/privet/crypto/column])
// shows to package crypto, and to nobody else: a struct's fields are sealed and opened
// in one batch, whatever they are.
package cell

// A Key is the ticket to a column's inside: only packages below crypto can name it.
type Key struct{}

// A Holder is a column. Its method is exported, but cannot be called from outside.
type Holder interface {
	Cell(Key) Cell
}

// A State is what a cell holds.
type State uint8

// The states.
const (
	Null    State = iota // nothing
	Plain                // a plaintext that has no ciphertext yet
	Sealed               // a ciphertext, as the database gave it
	Open                 // a ciphertext and its plaintext
	Foreign              // what the database gave and is no ciphertext
)

// An At is crypto.Context, which is the same struct.
type At struct{ Tenant, Subject, Field string }

// A Cell is the inside of one column value. It is not safe for concurrent use.
type Cell interface {
	// State returns what the cell holds.
	State() State
	// At returns where an Open cell was sealed or opened; ok is false where a ciphertext
	// was read and not opened.
	At() (at At, ok bool)
	// Encode returns the bytes to encrypt, of a Plain cell.
	Encode() ([]byte, error)
	// Stored returns what the database gave, of a Sealed or Foreign cell. It is the
	// cell's own memory.
	Stored() []byte
	// Seal makes a Plain cell Open: ciphertext, which it keeps, is that of its plaintext
	// at at.
	Seal(ciphertext []byte, at At)
	// Opened decodes a plaintext, which it keeps, and returns what makes a Sealed cell
	// Open with it, and a Foreign one Plain.
	Opened(plaintext []byte, at At) (commit func(), err error)
}
