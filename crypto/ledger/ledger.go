// Package ledger is where erasures are written down before keys are destroyed, in a
// place that is not restored together with the keystore.
//
// A keystore that is restored from a backup brings back keyrings that were shredded
// after the backup was taken, and the key service still unwraps them. The ledger is
// what such a keystore is held against: whatever the ledger says was shredded is
// shredded again before it can be used. Keep it apart: in another database, better on
// another server, with backups of its own.
//
// A [Store] only grows. Entries are numbered from 1 without gaps, tenant by tenant,
// so that one number, kept in the keystore, says up to where the two agree. It holds
// no personal data: a subject is named by the keyed hash that the keystore uses.
//
// memledger keeps a ledger in memory (tests), sqliteledger in a file (one machine),
// pgledger in PostgreSQL (a fleet). All pass the suite in ledgertest, which any other
// implementation may run too.
package ledger

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// An Action is what was decided about a subject.
type Action uint8

// Shred destroys the subject's keyring for ever.
const Shred Action = 1

// String returns "shred".
func (a Action) String() string {
	if a == Shred {
		return "shred"
	}
	return "unknown"
}

// An Entry is one decision. It is never changed and never removed.
type Entry struct {
	// Seq is the entry's number among its tenant's: 1, 2, 3, without gaps. The store
	// sets it.
	Seq int64
	// Tenant is whose subject it is.
	Tenant string
	// Subject is the keyed hash of the subject's id as raw bytes, never the id.
	Subject string
	// Key is the id of the key that Subject was hashed under. An entry of another key
	// belongs to another keystore.
	Key uint32
	// Action is what was decided.
	Action Action
	// Time is when, in UTC, to the microsecond.
	Time time.Time
	// Reason is why, or the number of a ticket: at most [MaxReason] bytes, never
	// personal data, because it stays.
	Reason string
}

// Limits of an entry's parts, in bytes.
const (
	MaxTenant  = 255
	MaxSubject = 64
	MaxReason  = 255
)

// ErrInvalid says that no store accepts an entry; see [Entry.Check].
var ErrInvalid = errors.New("ledger: malformed entry")

// Check returns an error that matches [ErrInvalid] unless every store can hold e:
// tenant and subject present and within their limits, a known action, a time, and a
// reason of at most [MaxReason] bytes of UTF-8 without control characters.
func (e *Entry) Check() error {
	refuse := func(why string) error { return errors.Join(ErrInvalid, errors.New(why)) }
	switch {
	case e.Tenant == "" || len(e.Tenant) > MaxTenant || strings.ContainsRune(e.Tenant, 0) || !utf8.ValidString(e.Tenant):
		return refuse("the tenant must be 1 to 255 bytes of UTF-8 without NUL")
	case e.Subject == "" || len(e.Subject) > MaxSubject:
		return refuse("the subject's hash must be 1 to 64 bytes")
	case e.Action != Shred:
		return refuse("unknown action")
	case e.Time.IsZero():
		return refuse("the time is missing")
	}
	return CheckReason(e.Reason)
}

// CheckReason returns an error that matches [ErrInvalid] unless reason can stand in
// an entry.
func CheckReason(reason string) error {
	switch {
	case len(reason) > MaxReason:
		return errors.Join(ErrInvalid, errors.New("the reason is longer than 255 bytes"))
	case !utf8.ValidString(reason):
		return errors.Join(ErrInvalid, errors.New("the reason is not UTF-8"))
	case strings.ContainsFunc(reason, unicode.IsControl):
		return errors.Join(ErrInvalid, errors.New("the reason holds a control character"))
	}
	return nil
}

// MaxPage is the most entries or tenants that a listing returns at once.
const MaxPage = 1000

// A Store keeps entries. It is safe for concurrent use by any number of goroutines,
// and those of several machines may share the same one behind it. Methods honour the
// context's cancellation. What they acknowledge is as durable as the store is.
type Store interface {
	// Append adds e as its tenant's next entry, and returns it as it is stored, and
	// true. Where an entry of its tenant, subject and action is there, it returns
	// that one, unchanged, and false. e.Seq is ignored. An entry is seen by nobody
	// before all that precede it are.
	Append(ctx context.Context, e Entry) (Entry, bool, error)
	// Last returns the number of the tenant's last entry, 0 where there is none. It
	// sees every Append that was acknowledged before it began.
	Last(ctx context.Context, tenant string) (int64, error)
	// List returns up to limit entries of a tenant that follow the given number, in
	// order. A limit of 0 or above [MaxPage] means MaxPage. Fewer entries than the
	// limit means the end.
	List(ctx context.Context, tenant string, after int64, limit int) ([]Entry, error)
	// Tenants returns up to limit names of tenants that have entries and come after
	// the given one by their bytes; "" begins. What is said of List's limit holds.
	Tenants(ctx context.Context, after string, limit int) ([]string, error)
	// Close releases what the store holds. No other method may be called after it.
	Close() error
}

// PageSize returns how many elements a listing returns for limit.
func PageSize(limit int) int {
	if limit <= 0 || limit > MaxPage {
		return MaxPage
	}
	return limit
}
