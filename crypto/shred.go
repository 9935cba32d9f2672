package crypto

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
)

// ShredOptions say why a subject is shredded. The zero value says nothing.
type ShredOptions struct {
	// Reason is why, or the number of a ticket: at most 255 bytes without control
	// characters, never personal data. It stays in the ledger for ever.
	Reason string
	// Actor is who asked for it, for the recorder.
	Actor string
}

// A Receipt says what a shredding did, and what it could not reach.
type Receipt struct {
	Tenant string `json:"tenant"`
	// Subject is the keyed hash of the subject's id in hexadecimal, as keystore,
	// ledger and recorder know it.
	Subject string `json:"subject"`
	Reason  string `json:"reason,omitempty"`
	// Time is when the subject was first shredded.
	Time time.Time `json:"time"`
	// Again says that the subject was shredded before this call.
	Again bool `json:"again"`
	// Destroyed says that this call destroyed keys. Where it is false and Again too,
	// the subject had none: it is unknown to this tenant, or its id was mistyped. A
	// tombstone keeps it from getting any.
	Destroyed bool `json:"destroyed"`
	// Ledger is the number of the entry in the erasure ledger; 0 where the client has
	// none, and a restored keystore brings the keys back unnoticed.
	Ledger int64 `json:"ledger,omitempty"`
	// CachedUntil is when the last copy of the keys in another process's memory is
	// given up, where that process has this client's CacheLife and reaches the
	// keystore. Told says that the keystore tells the others at once.
	CachedUntil time.Time `json:"cached_until"`
	Told        bool      `json:"told"`
	// Unreached lists what is not under the destroyed keys.
	Unreached []Unreached `json:"unreached"`
}

// Unreached is one kind of data about a subject that shredding leaves as it is.
type Unreached struct {
	Kind string `json:"kind"`
	Why  string `json:"why"`
}

// NotShredded returns what shredding a subject does not reach. What of it exists for
// a subject only its application knows.
func NotShredded() []Unreached {
	return []Unreached{
		{"values encrypted without a subject", "they are under the tenant's value keyring, which others' values need"},
		{"envelopes", "each carries its own wrapped data key, which the key service still opens"},
		{"vaultless tokens", "they turn back into the value under a key of their domain"},
		{"pseudonyms and masks", "they still link what they stand for, under a key of their domain"},
		{"blind indexes and deterministic ciphertexts", "they are under keys of the tenant, and equal values still show as equal"},
		{"exported keyrings", "InsecureExportKeyring handed out a copy of the keys"},
		{"keystore backups", "they hold the wrapped keys until the KEK that wrapped their roots is destroyed"},
		{"plaintext", "copies that were decrypted before, in logs, caches, search indexes and exports"},
	}
}

// Shred destroys the keyring of a subject for ever: what was encrypted under it can
// no longer be read by anyone, whether it stands in the database, in its backups or
// at a partner's. From the moment Shred returns, this client answers [ErrErased] for
// the subject, reading and writing, and so does every other client once it has heard
// of it ([Receipt]). The subject never gets keys again.
//
// The erasure is entered into the ledger first, where the client has one, and then
// the keyring gives way to a tombstone. If Shred fails between the two, the entry
// stands, and is carried out by whichever client next uses the tenant's subjects, or
// by calling Shred again. A subject without keys gets a tombstone too, and a tenant
// without keys the ones that name its subjects. Shredding twice is fine: the receipt
// says when it was first done.
//
// Whether the subject's data may go (legal holds, minimum periods) is for the caller
// to decide: Shred asks nobody.
func (c *Client) Shred(ctx context.Context, tenant, subject string, o ShredOptions) (Receipt, error) {
	if err := checkShred(tenant, subject, o); err != nil {
		return Receipt{}, err
	}
	names, err := c.domain(ctx, tenant, domainSubjects, create)
	if err != nil {
		return Receipt{}, err
	}
	hash, err := names.subjectHash(tenant, subject)
	if err != nil {
		return Receipt{}, err
	}
	id := keystore.ID{Tenant: tenant, Purpose: purposeSubject, Subject: hash}
	r := Receipt{
		Tenant: tenant, Subject: hex.EncodeToString([]byte(hash)), Reason: o.Reason,
		Unreached: NotShredded(),
	}
	// A ledger that does not fit is refused before anything is entered, and a
	// keystore that is behind is brought up to it.
	before, err := c.get(ctx, []keystore.ID{id})
	if err != nil {
		return Receipt{}, fmt.Errorf("crypto: reading keyring %s: %w", id, err)
	}
	r.Again = before[0] != nil && before[0].State == keystore.Erased
	if err := c.recordShred(ctx, event.Event{Actor: o.Actor, Tenant: tenant, Object: "subject", Purpose: o.Reason}, id); err != nil {
		return Receipt{}, err
	}
	if c.ledger != nil {
		e, added, err := c.ledger.Append(ctx, ledger.Entry{
			Tenant: tenant, Subject: hash, Key: names.versions[0].id,
			Action: ledger.Shred, Time: time.Now(), Reason: o.Reason,
		})
		if err != nil {
			return Receipt{}, fmt.Errorf("crypto: the erasure could not be entered into the ledger, and was not done: %w", err)
		}
		r.Ledger, r.Time, r.Again = e.Seq, e.Time, r.Again || !added
	}
	g, err := c.bury(ctx, id)
	c.drop(tenant, subject)
	if err != nil {
		return Receipt{}, unfinished(r.Ledger, err)
	}
	// Another client may have met the ledger's entry and been faster.
	r.Destroyed = g.destroyed || before[0] != nil && before[0].State == keystore.Active
	if r.Time.IsZero() || g.rec.Updated.Before(r.Time) {
		r.Time = g.rec.Updated
	}
	if c.ledger != nil {
		// What fails here is made up for by whoever next reads a subject.
		_ = c.catchUp(ctx, tenant)
	}
	r.CachedUntil = time.Now().Add(c.rings.terms.life).UTC().Truncate(time.Microsecond)
	r.Told = c.watching()
	return r, nil
}

func checkShred(tenant, subject string, o ShredOptions) error {
	if err := checkName("tenant", tenant); err != nil {
		return err
	}
	switch {
	case subject == "":
		return contextError("no subject is named", "say whose keys are to be destroyed, by the id that values are encrypted with")
	case len(subject) > maxSubject:
		return contextError("the subject's id is longer than 1024 bytes", "use a surrogate id, such as a primary key")
	}
	if err := ledger.CheckReason(o.Reason); err != nil {
		return &fault.Error{Kind: fault.Config, Msg: fmt.Sprintf("crypto: the reason for shredding cannot be kept: %v", err),
			Hint: "give a ticket's number, or a few words without names", Err: err}
	}
	return nil
}

// unfinished is the error of a shredding whose tombstone could not be set.
func unfinished(entry int64, err error) error {
	f := &fault.Error{
		Kind: fault.Stopped,
		Msg:  fmt.Sprintf("crypto: the subject's keys are not destroyed yet: %v", err),
		Hint: "run it again",
		Err:  err,
	}
	if entry > 0 {
		f.Hint = fmt.Sprintf("entry %d of the ledger says that they must be, and the next use of the tenant's subjects does it; or run it again", entry)
	}
	return f
}
