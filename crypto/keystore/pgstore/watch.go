package pgstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/internal/tables"
)

// channel is where the triggers tell of changes.
const channel = "privet_keystore"

const (
	// quiet is how long a listener hears nothing before it proves itself again.
	quiet = 30 * time.Second
	// echo is how long a proof may take.
	echo = 2 * time.Second
	// pollFor is how long a process polls before it tries to listen again.
	pollFor = 10 * time.Minute
)

// errDeaf: the proof did not arrive although the connection stands.
var errDeaf = errors.New("notifications do not arrive")

// Watch reads the number of the last change, and listens from there on.
func (s *Store) Watch(ctx context.Context, changed func(keystore.ID)) (stop func(), err error) {
	w := &watch{store: s, changed: changed}
	w.poll = tables.Poll{Last: s.lastChange, After: s.changesAfter}
	if w.poll.Seen, err = s.lastChange(ctx); err != nil {
		return nil, wrap("watching", err)
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { w.run(own) })
	return func() {
		cancel()
		group.Wait()
	}, nil
}

func (s *Store) lastChange(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT n FROM privet.keystore_change`).Scan(&n)
	return n, err
}

func (s *Store) changesAfter(ctx context.Context, seen int64) ([]keystore.ID, error) {
	rows, err := s.pool.Query(ctx, `SELECT tenant, purpose, subject FROM privet.keyring
		WHERE change > 0 AND change > $1 ORDER BY change LIMIT $2`, seen, tables.ChangesPage)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (id keystore.ID, err error) {
		var subject []byte
		err = row.Scan(&id.Tenant, &id.Purpose, &subject)
		id.Subject = string(subject)
		return id, err
	})
}

// A watch is one goroutine that listens, or polls where listening is in vain.
type watch struct {
	store   *Store
	changed func(keystore.ID)
	poll    tables.Poll
}

// run listens until ctx ends. A listener that is lost after it proved itself costs
// everything that was kept; one that never did is replaced by polling.
func (w *watch) run(ctx context.Context) {
	for lost := false; ctx.Err() == nil; {
		proved, err := w.listen(ctx, lost)
		if ctx.Err() != nil {
			return
		}
		if proved {
			lost = true
			w.changed(keystore.ID{})
			pause(ctx, 250*time.Millisecond)
			continue
		}
		// What changed since the last look is found by its number, so nothing is
		// missed between listening and polling.
		few, cancel := context.WithTimeout(ctx, patience(err))
		w.poll.Run(few, w.changed)
		cancel()
	}
}

// pause keeps a server that breaks every connection from being asked in a loop.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// patience is how long to poll: a connection that failed is tried again soon, one
// that stands and hears nothing would do so again.
func patience(err error) time.Duration {
	if errors.Is(err, errDeaf) {
		return pollFor
	}
	return tables.PollEvery + tables.PollEvery/2
}

// listen listens on a connection of its own until it breaks, and reports whether it
// had proved itself.
func (w *watch) listen(ctx context.Context, lost bool) (proved bool, err error) {
	connecting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, w.store.pool.Config().ConnConfig)
	if err != nil {
		return false, err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), echo)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(connecting, `LISTEN `+channel); err != nil {
		return false, err
	}
	if err := w.prove(ctx, conn); err != nil {
		return false, err
	}
	if lost {
		// It was told when the last one broke; what was kept since then may be old.
		w.changed(keystore.ID{})
	}
	// What changed before the LISTEN was not notified here.
	if err := w.poll.Look(ctx, w.changed); err != nil {
		return true, err
	}
	for {
		n, err := wait(ctx, conn, quiet)
		if err != nil {
			return true, err
		}
		if n != nil {
			w.tell(n.Payload)
			continue
		}
		if err := w.prove(ctx, conn); err != nil {
			return true, err
		}
		// So that a process that must poll later begins here.
		if err := w.poll.Look(ctx, w.changed); err != nil {
			return true, err
		}
	}
}

// prove sends a notification through the pool and waits for it on conn. Others that
// come before it are told.
func (w *watch) prove(ctx context.Context, conn *pgx.Conn) error {
	token := "ping " + rand.Text()
	until := time.Now().Add(echo)
	sending, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if _, err := w.store.pool.Exec(sending, `SELECT pg_notify($1, $2)`, channel, token); err != nil {
		return err
	}
	for {
		n, err := wait(ctx, conn, time.Until(until))
		switch {
		case err != nil:
			return err
		case n == nil:
			return errDeaf
		case n.Payload == token:
			return nil
		}
		w.tell(n.Payload)
	}
}

// wait returns the next notification, or nil where none comes within d.
func wait(ctx context.Context, conn *pgx.Conn, d time.Duration) (*pgconn.Notification, error) {
	some, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	n, err := conn.WaitForNotification(some)
	if err != nil && some.Err() != nil && ctx.Err() == nil && !conn.IsClosed() {
		return nil, nil
	}
	return n, err
}

// tell passes on what a trigger said. What cannot be read may be anything.
func (w *watch) tell(payload string) {
	if strings.HasPrefix(payload, "ping ") {
		return
	}
	var part []string
	var subject []byte
	err := json.Unmarshal([]byte(payload), &part)
	if err == nil && len(part) == 3 {
		if subject, err = hex.DecodeString(part[2]); err == nil {
			w.changed(keystore.ID{Tenant: part[0], Purpose: part[1], Subject: string(subject)})
			return
		}
	}
	w.changed(keystore.ID{})
}
