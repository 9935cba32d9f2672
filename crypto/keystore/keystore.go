// Package keystore is where wrapped keyrings are kept.
//
// A [Store] is a small table: one row a keyring, read in batches, created once,
// changed by compare-and-swap. It holds nothing that opens anything by itself:
// keysets are wrapped by their parents, and a subject is named by a keyed hash.
// Losing it loses the data, so it is backed up like the database it serves.
//
// memstore keeps a store in memory (tests), sqlitestore in a file (one machine),
// pgstore in PostgreSQL (a fleet). All pass the suite in keystoretest, which any
// other implementation may run too.
package keystore

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// A State is where in its life a keyring is.
type State uint8

// The states.
const (
	// Active keyrings hold wrapped keys.
	Active State = 1
	// Erased keyrings are tombstones: they hold no keys, and none is ever stored
	// under their ID again.
	Erased State = 2
)

// String returns "active" or "erased".
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Erased:
		return "erased"
	}
	return "invalid"
}

// An ID names a keyring. It is comparable.
type ID struct {
	// Tenant is whose keyring it is.
	Tenant string
	// Purpose is "root", "value", "subject", or "domain/" and a name.
	Purpose string
	// Subject is the keyed hash of the subject's id as raw bytes, or "" where the
	// keyring belongs to no subject. It is never the id.
	Subject string
}

// String returns the ID for logs, the hash in hexadecimal.
func (id ID) String() string {
	s := id.Tenant + "/" + id.Purpose
	if id.Subject != "" {
		s += "/" + hex.EncodeToString([]byte(id.Subject))
	}
	return s
}

// Compare orders IDs by the bytes of tenant, purpose and subject, as List does.
func (id ID) Compare(other ID) int {
	if c := strings.Compare(id.Tenant, other.Tenant); c != 0 {
		return c
	}
	if c := strings.Compare(id.Purpose, other.Purpose); c != 0 {
		return c
	}
	return strings.Compare(id.Subject, other.Subject)
}

// A Record is one keyring as it is stored.
type Record struct {
	ID
	// State is Active or Erased.
	State State
	// Wrapped is the encrypted Tink keyset; empty in a tombstone.
	Wrapped []byte
	// Parent is the id of the root's key that wrapped it; 0 for roots.
	Parent uint32
	// KEK is the URI of the key that wrapped it; "" for what a root wrapped.
	KEK string
	// Ledger is set on a tenant's keyset of subjects' names alone: up to which entry
	// of the erasure ledger this keystore has the tombstones. It stands here so that
	// a backup of the table holds it as it was.
	Ledger int64
	// Version counts changes: Create makes 1, each Update adds one.
	Version int64
	// Created and Updated are set by the store, in UTC, to the microsecond.
	Created, Updated time.Time
}

// A Filter narrows a listing. The zero Filter takes everything.
type Filter struct {
	// Tenant takes one tenant's keyrings; "" takes all tenants'.
	Tenant string
	// Purpose takes one purpose; "" takes all.
	Purpose string
	// State takes one state; 0 takes all.
	State State
}

// MaxPage is the most records that List returns at once.
const MaxPage = 1000

// A Store keeps records. It is safe for concurrent use by any number of
// goroutines, and those of several machines may share the same one behind it.
// Methods honour the context's cancellation, keep nothing they are handed, and
// return memory that belongs to the caller. What they acknowledge is as durable as
// the store is.
type Store interface {
	// Get returns one element for each id, in their order: the record, or nil where
	// there is none. It sees every Create and Update that was acknowledged before it
	// began. Thousands of ids cost one round trip, or few.
	Get(ctx context.Context, ids []ID) ([]*Record, error)
	// Create stores r as version 1 unless a record of its ID is there, tombstones
	// included: then it changes nothing and returns ErrExists. Of any number of
	// concurrent calls with one ID exactly one succeeds. r.Version and times are
	// ignored.
	Create(ctx context.Context, r Record) error
	// Update replaces the record whose ID and Version are r's, and makes its version
	// r.Version+1. It returns ErrNotFound where there is none, ErrErased where it is
	// a tombstone, and ErrConflict where its version is another. Created stays.
	Update(ctx context.Context, r Record) error
	// List returns up to limit records that pass f and whose IDs come after the given
	// one, in the order of [ID.Compare]; the zero ID begins. A limit of 0 or above
	// [MaxPage] means MaxPage. Fewer records than the limit means the end.
	List(ctx context.Context, f Filter, after ID, limit int) ([]Record, error)
	// Close releases what the store holds. No other method may be called after it.
	Close() error
}

// A BatchCreator is a [Store] that creates many records in one round trip, or few.
type BatchCreator interface {
	// CreateBatch does for each record what Create does, and reports which it created:
	// false stands for ErrExists. Of records with equal IDs it creates one at most. A
	// malformed record is ErrInvalid, and nothing is created; after any other error
	// some may have been.
	CreateBatch(ctx context.Context, records []Record) (created []bool, err error)
}

// What a caller may act on.
var (
	// ErrExists: Create found a record of that ID.
	ErrExists = errors.New("keystore: a keyring of that name exists")
	// ErrNotFound: Update found none.
	ErrNotFound = errors.New("keystore: no keyring of that name")
	// ErrConflict: Update found another version.
	ErrConflict = errors.New("keystore: the keyring was changed by another")
	// ErrErased: Update found a tombstone.
	ErrErased = errors.New("keystore: the keyring was erased")
	// ErrDenied: the store refuses this caller (permission, credentials), as opposed
	// to one that cannot be reached.
	ErrDenied = errors.New("keystore: access denied")
	// ErrInvalid: a record that no store accepts; see [Record.Check].
	ErrInvalid = errors.New("keystore: malformed record")
)

// MaxWrapped is the most bytes a wrapped keyring may have; the largest that
// privet writes stay far below.
const MaxWrapped = 1 << 20

// Check returns an error that matches [ErrInvalid] unless every store can hold r:
// tenant and purpose present and without NUL bytes, a known state, and wrapped
// keys, of at most [MaxWrapped] bytes, exactly when it is active.
func (r *Record) Check() error {
	switch {
	case r.Tenant == "" || r.Purpose == "":
		return errors.Join(ErrInvalid, errors.New("tenant and purpose must be present"))
	case strings.ContainsRune(r.Tenant, 0) || strings.ContainsRune(r.Purpose, 0) || strings.ContainsRune(r.KEK, 0):
		return errors.Join(ErrInvalid, errors.New("a name holds a NUL byte"))
	case r.Ledger < 0:
		return errors.Join(ErrInvalid, errors.New("the ledger's number is negative"))
	case r.State != Active && r.State != Erased:
		return errors.Join(ErrInvalid, errors.New("unknown state"))
	case (r.State == Active) == (len(r.Wrapped) == 0):
		return errors.Join(ErrInvalid, errors.New("active keyrings hold keys, tombstones do not"))
	case len(r.Wrapped) > MaxWrapped:
		return errors.Join(ErrInvalid, errors.New("the wrapped keys are too long"))
	}
	return nil
}

// PageSize returns how many records List returns for limit.
func PageSize(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}
