// Package walk goes through the rows of a PostgreSQL table in the order of its primary
// key: in pages, each with a short transaction of its own, throttled, and resumable
// from a cursor that is stored together with what the page changed.
//
// Start with [KeyOf] and [Run]. A page is read without locks and handed to a [Handler]
// outside of any transaction, so that slow work there (a key service that is asked)
// holds up nobody; what it wants to write runs in the page's transaction and must
// itself see whether rows have changed meanwhile.
//
// Each row that is there from the beginning of the walk to its end, under the same
// key, is seen. Rows that are inserted behind the cursor are not.
package walk

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// A Config says what is walked, and how gently.
type Config struct {
	// Key is of the table. Mandatory.
	Key *Key
	// Job names the walk: of one name, one runs at a time in a database, and the next
	// one goes on where the last one was stopped. Mandatory, without personal data.
	Job string
	// Select are SQL expressions over the row t, whose values the handler gets; each of
	// type text or bytea. They and Where are the caller's: names in them are quoted.
	Select []string
	// Where is the condition over t for rows to be handed out; "" for all. It is asked
	// for each row in turn, so a page takes bounded time however few rows meet it.
	Where string
	// Page is how many rows are looked at together, at most; 0 is 500. It is halved for
	// a while after the server gave up on a page.
	Page int
	// PerSecond bounds how many rows a second are handed out on average; 0 is no bound.
	PerSecond float64
	// LockTimeout and StatementTimeout bound what a page waits for a lock, and what one
	// of its statements takes; 0 is 500 ms and 30 s.
	LockTimeout, StatementTimeout time.Duration
	// Retries is how often in a row a page is tried again after a deadlock, a
	// serialization failure or a timeout; 0 is 8.
	Retries int
	// Store keeps the cursor; nil does not, and such a walk starts at the beginning.
	Store Store
	// Restart starts at the beginning though there is a cursor.
	Restart bool
	// Progress, where set, is called after each page.
	Progress func(Progress)
}

// Progress is how far a walk is.
type Progress struct {
	// Rows were looked at, those before the walk was resumed included.
	Rows int64
	// Total is PostgreSQL's estimate of the table's rows, -1 where it has none.
	Total int64
	// PerSecond is the rate of this run.
	PerSecond float64
	// Left is about how long it will take; 0 where that cannot be told.
	Left time.Duration
}

// A Row is one row that is handed out.
type Row struct {
	// Key is the text of the primary key's columns.
	Key []string
	// Values are those of Config.Select; nil is NULL.
	Values [][]byte
}

// A Step is what a handler wants done about a page.
type Step struct {
	// Write, where set, runs in the page's transaction, which is READ COMMITTED. With
	// again it says that rows had changed since they were read: what it wrote stays,
	// and the page is read once more.
	Write func(ctx context.Context, tx pgx.Tx) (again bool, err error)
	// Done, where set, is called after the transaction was committed.
	Done func()
}

// A Handler looks at the rows of one page. A page may be handed out several times
// until it could be written. last says that no further attempt follows if rows have
// changed again.
type Handler func(ctx context.Context, rows []Row, last bool) (Step, error)

// attempts is how often a page is read where others keep changing its rows.
const attempts = 4

// A walker is one run.
type walker struct {
	Config
	conn        *pgx.Conn
	handler     Handler
	fingerprint string
	settings    string
	at          Checkpoint
	limit       int
	due         time.Time // when the next page may be read
	started     time.Time
	before      int64 // rows of earlier runs
}

// Run walks with conn, which must be a direct connection with the settings of package
// pgconnect and is not to be used by others meanwhile. It returns how many rows were
// looked at, those of earlier runs included.
//
// Errors of the handler end the walk and are returned. When ctx ends, the page at hand
// is rolled back and the cause is returned. Of two walks of one job, the second is
// refused with a [fault.Error] of kind Guard.
func Run(ctx context.Context, conn *pgx.Conn, cfg Config, h Handler) (rows int64, err error) {
	w := &walker{Config: cfg, conn: conn, handler: h}
	if w.Page <= 0 {
		w.Page = 500
	}
	if w.LockTimeout <= 0 {
		w.LockTimeout = 500 * time.Millisecond
	}
	if w.StatementTimeout <= 0 {
		w.StatementTimeout = 30 * time.Second
	}
	if w.Retries <= 0 {
		w.Retries = 8
	}
	w.limit = w.Page
	w.settings = fmt.Sprintf("SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = %d",
		w.LockTimeout.Milliseconds(), w.StatementTimeout.Milliseconds())
	sum := sha256.Sum256([]byte(w.Job + "\x00" + w.Key.identity()))
	w.fingerprint = hex.EncodeToString(sum[:])

	unlock, err := w.lock(ctx)
	if err != nil {
		return 0, w.explain(ctx, err)
	}
	defer unlock()
	if err := w.resume(ctx); err != nil {
		return 0, w.explain(ctx, err)
	}
	w.started, w.due, w.before = time.Now(), time.Now(), w.at.Rows
	for {
		done, err := w.page(ctx)
		if err != nil {
			return w.at.Rows, w.explain(ctx, err)
		}
		if w.Progress != nil {
			w.Progress(w.progress())
		}
		if done {
			return w.at.Rows, nil
		}
	}
}

// lock keeps others from walking the same job at the same time.
func (w *walker) lock(ctx context.Context) (unlock func(), err error) {
	sum := sha256.Sum256([]byte("privet walk\x00" + w.Job))
	id := int64(binary.BigEndian.Uint64(sum[:8]))
	var ours bool
	if err := w.conn.QueryRow(ctx, `SELECT pg_catalog.pg_try_advisory_lock($1)`, id).Scan(&ours); err != nil {
		return nil, err
	}
	if !ours {
		return nil, fault.New(fault.Guard, "another run of the same job is at work on %s", w.Key.table).
			WithHint("wait for it, or stop it; a connection that was cut is noticed by the server within seconds")
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		// A connection that is gone took the lock with it.
		_, _ = w.conn.Exec(ctx, `SELECT pg_catalog.pg_advisory_unlock($1)`, id)
	}, nil
}

// resume finds where to start.
func (w *walker) resume(ctx context.Context) error {
	if w.Store == nil {
		return nil
	}
	if err := w.Store.Prepare(ctx, w.conn); err != nil {
		return err
	}
	if w.Restart {
		return nil
	}
	c, ok, err := w.Store.Load(ctx, w.conn, w.Job)
	if err == nil && ok && c.Fingerprint == w.fingerprint && len(c.Cursor) == w.Key.Len() {
		w.at = c
	}
	return err
}

// page takes the next page to its end: until it is written, or cannot be.
func (w *walker) page(ctx context.Context) (done bool, err error) {
	for failed, changed := 0, 1; ; {
		if err := wait(ctx, time.Until(w.due)); err != nil {
			return false, err
		}
		done, again, err := w.attempt(ctx, changed == attempts)
		switch {
		case err == nil && again:
			changed++
		case err == nil:
			w.limit = min(2*w.limit, w.Page)
			return done, nil
		case failed < w.Retries && ctx.Err() == nil && !w.conn.IsClosed() && passing(err):
			w.limit = max(w.limit/2, 1)
			if err := wait(ctx, backoff(failed)); err != nil {
				return false, err
			}
			failed++
		default:
			return false, err
		}
	}
}

// attempt reads a page, has it handled, and writes it with its checkpoint.
func (w *walker) attempt(ctx context.Context, last bool) (done, again bool, err error) {
	rows, looked, cursor, err := w.read(ctx)
	if err != nil {
		return false, false, err
	}
	if w.PerSecond > 0 {
		w.due = later(w.due, time.Now()).Add(time.Duration(float64(len(rows)) / w.PerSecond * float64(time.Second)))
	}
	var step Step
	if len(rows) > 0 {
		if step, err = w.handler(ctx, rows, last); err != nil {
			return false, false, err
		}
	}
	done = looked < w.limit
	next := Checkpoint{Fingerprint: w.fingerprint, Cursor: cursor, Rows: w.at.Rows + int64(looked)}
	if step.Write != nil || w.Store != nil {
		err = pgx.BeginTxFunc(ctx, w.conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, w.settings); err != nil {
				return err
			}
			if step.Write != nil {
				var err error
				if again, err = step.Write(ctx, tx); err != nil {
					return err
				}
				again = again && !last
			}
			switch {
			case w.Store == nil || again:
				return nil
			case done:
				return w.Store.Clear(ctx, tx, w.Job)
			}
			return w.Store.Save(ctx, tx, w.Job, next)
		})
		if err != nil {
			return false, false, err
		}
	}
	if step.Done != nil {
		step.Done()
	}
	if !again {
		w.at = next
	}
	return done, again, nil
}

// read returns the rows of the next page that are to be handed out, how many were
// looked at, and the key of the last of these.
func (w *walker) read(ctx context.Context) (out []Row, looked int, cursor []string, err error) {
	wanted := "true"
	if w.Where != "" {
		wanted = "COALESCE((" + w.Where + "), false)"
	}
	// Of rows that are not wanted, only the key is sent.
	var sql strings.Builder
	fmt.Fprintf(&sql, "SELECT %s, %s", wanted, w.Key.list(func(c string) string { return "CAST(" + c + " AS text)" }))
	for _, expression := range w.Select {
		fmt.Fprintf(&sql, ", CASE WHEN %s THEN %s END", wanted, expression)
	}
	fmt.Fprintf(&sql, " FROM %s", w.Key.From())
	var args []any
	if w.at.Cursor != nil {
		fmt.Fprintf(&sql, " WHERE %s", w.Key.after())
		for _, v := range w.at.Cursor {
			args = append(args, v)
		}
	}
	fmt.Fprintf(&sql, " ORDER BY %s LIMIT $%d", w.Key.list(func(c string) string { return c }), len(args)+1)
	args = append(args, w.limit)

	cursor = w.at.Cursor
	err = pgx.BeginTxFunc(ctx, w.conn, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, w.settings); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, sql.String(), args...)
		if err != nil {
			return err
		}
		var want bool
		key, values := make([]string, w.Key.Len()), make([][]byte, len(w.Select))
		dest := []any{&want}
		for i := range key {
			dest = append(dest, &key[i])
		}
		for i := range values {
			dest = append(dest, &values[i])
		}
		_, err = pgx.ForEachRow(rows, dest, func() error {
			looked++
			cursor = slices.Clone(key)
			if want {
				out = append(out, Row{Key: cursor, Values: slices.Clone(values)})
			}
			return nil
		})
		return err
	})
	return out, looked, cursor, err
}

func (w *walker) progress() Progress {
	p := Progress{Rows: w.at.Rows, Total: w.Key.table.Rows}
	if passed := time.Since(w.started).Seconds(); passed > 0 {
		p.PerSecond = float64(w.at.Rows-w.before) / passed
	}
	if p.Total > p.Rows && p.PerSecond > 0 {
		p.Left = time.Duration(float64(p.Total-p.Rows) / p.PerSecond * float64(time.Second))
	}
	return p
}

// explain makes of what went wrong what a person should read.
func (w *walker) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, told := errors.AsType[*fault.Error](err)
	lost := w.conn.IsClosed()
	if told || pgconnect.Code(err) == "" && !lost {
		return err
	}
	e := fault.New(fault.Unexpected, "%s: %s", w.Key.table, pgconnect.SafeText(err))
	e.Err = pgconnect.Redacted(err)
	switch code := pgconnect.Code(err); {
	case code == "42501":
		e.Kind, e.Hint = fault.Config, "the role needs USAGE on the schema, SELECT on the columns that are read, and the rights for what is written"
	case lost:
		e.Kind, e.Hint = fault.Stopped, "the connection was lost: run it again when the server is there"
	case passing(err):
		e.Kind, e.Hint = fault.Stopped, "others hold the rows or the server is busy: run it again later, or with smaller pages"
	case strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23"):
		e.Kind = fault.Data
	}
	return e
}
