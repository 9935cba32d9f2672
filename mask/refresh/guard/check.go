package guard

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// The reasons for which [Check] refuses; each is in the chain of its error.
var (
	// ErrNotMarked: the target's comment carries no mark.
	ErrNotMarked = errors.New("target is not marked")
	// ErrNotListed: no entry of the deployment names the target database.
	ErrNotListed = errors.New("target is not listed")
	// ErrMarkDiffers: the target's mark is not the one of its entry.
	ErrMarkDiffers = errors.New("mark differs")
	// ErrSourceMarked: the source carries the target's mark.
	ErrSourceMarked = errors.New("source carries the mark")
	// ErrReplayBehind: the source is a standby that has not replayed past the mark.
	ErrReplayBehind = errors.New("source has not replayed past the mark")
	// ErrSameDatabase: source and target are one database.
	ErrSameDatabase = errors.New("source and target are one database")
)

// replayMargin covers commits whose timestamps are out of order in the WAL by
// the time between taking the timestamp and writing the record.
const replayMargin = 5 * time.Second

// An Approval is what [Check] found.
type Approval struct {
	// Entry is the key of the deployment's entry, and Mark its mark.
	Entry string
	Mark  MarkValue
	// SourceStandby says that the source is in recovery.
	SourceStandby bool
	// Note says what is worth telling although it is allowed; "" for nothing.
	Note string
}

// Check decides whether the database that target is connected to may be
// overwritten with what source holds. It refuses with a [fault.Error] of kind
// Guard, of which errors.Is knows the reason, unless all of these hold:
//
//   - an entry of targets has the target database's name and the mark that
//     stands in its comment;
//   - the source database's comment does not carry that mark, through whatever
//     host, proxy or replica it is seen;
//   - a source in recovery has replayed past the mark's time, so that it would
//     carry the mark if it were a copy of the target;
//   - an advisory lock held in the source can be had in the target.
//
// Neither connection may be inside a transaction. Nothing is changed.
func Check(ctx context.Context, source, target *pgx.Conn, targets map[string]Target) (Approval, error) {
	to, err := readDatabase(ctx, target)
	if err != nil {
		return Approval{}, fmt.Errorf("target: %w", pgconnect.Redacted(err))
	}
	from, err := readDatabase(ctx, source)
	if err != nil {
		return Approval{}, fmt.Errorf("source: %w", pgconnect.Redacted(err))
	}
	a, err := agree(to, targets)
	if err != nil {
		return Approval{}, err
	}
	a.SourceStandby = from.standby
	if err := apart(from, to, a.Mark); err != nil {
		return Approval{}, err
	}
	if err := lockBoth(ctx, source, target, from.name, to.name); err != nil {
		return Approval{}, err
	}
	if from.oid == to.oid && sameSystem(ctx, source, target) {
		a.Note = fmt.Sprintf("source %q and target %q have one system identifier and one database number: one server may be a physical copy of the other", from.name, to.name)
	}
	return a, nil
}

// CheckTarget is the part of [Check] that needs no source: the entry and the
// mark. It is asked again right before a swap.
func CheckTarget(ctx context.Context, target *pgx.Conn, targets map[string]Target) (Approval, error) {
	to, err := readDatabase(ctx, target)
	if err != nil {
		return Approval{}, fmt.Errorf("target: %w", pgconnect.Redacted(err))
	}
	return agree(to, targets)
}

func refuse(reason error, hint, format string, args ...any) error {
	e := fault.New(fault.Guard, format, args...).WithHint("%s", hint)
	e.Err = reason
	return e
}

// agree holds the target's comment against the entries of its name.
func agree(to database, targets map[string]Target) (Approval, error) {
	if to.standby {
		return Approval{}, refuse(ErrNotMarked, "connect to its primary", "the target %q is on a standby and cannot be overwritten", to.name)
	}
	if to.template {
		return Approval{}, refuse(ErrNotMarked, "ALTER DATABASE ... IS_TEMPLATE false, if it may be overwritten",
			"the target %q is a template, from which databases are made, and is never overwritten", to.name)
	}
	mark, marked := FindMark(to.comment)
	if !marked {
		return Approval{}, refuse(ErrNotMarked,
			"if this database may be overwritten, run `privet mask target mark` on it and put what it prints into deployment.yaml",
			"the target database %q is not marked as one that may be overwritten", to.name)
	}
	listed := false
	for _, key := range slices.Sorted(maps.Keys(targets)) {
		t := targets[key]
		if t.Name != to.name {
			continue
		}
		listed = true
		if want, err := ParseMark(t.Mark); err == nil && want == mark {
			return Approval{Entry: key, Mark: mark}, nil
		}
	}
	if !listed {
		return Approval{}, refuse(ErrNotListed,
			"put what `privet mask target show` prints for it into deployment.yaml",
			"the target database %q is marked, but no entry of targets in deployment.yaml names it", to.name)
	}
	return Approval{}, refuse(ErrMarkDiffers,
		"is this the server you meant? If it is, copy what `privet mask target show` prints into deployment.yaml",
		"the mark of the target database %q is not the one in deployment.yaml", to.name)
}

// apart refuses a source that carries the mark, or might without our seeing it.
func apart(from, to database, mark MarkValue) error {
	// Searched as text: a comment edited by hand still carries the mark.
	if strings.Contains(from.comment, mark.Nonce) {
		return refuse(ErrSourceMarked, "source and target are the same database, or one is a copy of the other: check both connections",
			"the source database %q itself carries the mark of the target %q", from.name, to.name)
	}
	if !from.standby {
		return nil
	}
	if from.replayed == nil || from.replayed.Before(mark.Time.Add(replayMargin)) {
		at := "it has replayed no transaction yet"
		if from.replayed != nil {
			at = "it has replayed up to " + from.replayed.UTC().Format(stamp)
		}
		return refuse(ErrReplayBehind,
			"wait until the standby has replayed a transaction that is newer than the mark (on an idle primary any small one does), then run again",
			"the source is a standby, and cannot show that it is not a copy of the target: the mark is of %s, %s",
			mark.Time.Format(stamp), at)
	}
	return nil
}

// lockBoth takes an advisory lock in the source and tries it in the target.
// Advisory locks are per database, so both succeed exactly if they are two, or
// if one is a standby, whose locks its primary does not see.
func lockBoth(ctx context.Context, source, target *pgx.Conn, from, to string) error {
	var random [8]byte
	rand.Read(random[:])
	key := int64(binary.BigEndian.Uint64(random[:]))
	try := func(conn *pgx.Conn) (ok bool, err error) {
		err = conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock($1)", key).Scan(&ok)
		return ok, pgconnect.Redacted(err)
	}
	release := func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_unlock($1)", key)
		return pgconnect.Redacted(err)
	}
	ok, err := try(source)
	if err != nil {
		return fmt.Errorf("source: take an advisory lock: %w", err)
	}
	if !ok {
		return fmt.Errorf("source: a random advisory lock of database %q is taken", from)
	}
	got, err := try(target)
	if err != nil {
		return fmt.Errorf("target: try an advisory lock: %w", err)
	}
	if got {
		if err := release(target); err != nil {
			return fmt.Errorf("target: release an advisory lock: %w", err)
		}
	}
	if err := release(source); err != nil {
		return fmt.Errorf("source: release an advisory lock: %w", err)
	}
	if !got {
		return refuse(ErrSameDatabase, "check both connections: a proxy or an alias may lead to the same server",
			"source %q and target %q are one database under two names", from, to)
	}
	return nil
}

// sameSystem compares the servers' system identifiers, where the roles may read
// them. A physical copy keeps its original's, so equality proves nothing.
func sameSystem(ctx context.Context, source, target *pgx.Conn) bool {
	var a, b int64
	const q = "SELECT system_identifier FROM pg_catalog.pg_control_system()"
	return source.QueryRow(ctx, q).Scan(&a) == nil && target.QueryRow(ctx, q).Scan(&b) == nil && a == b
}
