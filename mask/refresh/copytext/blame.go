package copytext

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

// A blame collects what went wrong on either side, in the order in which it
// happened, and leaves out what merely followed from it.
type blame struct {
	mu     sync.Mutex
	causes []error
}

func (b *blame) add(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.causes = append(b.causes, err)
}

// queryCanceled is the SQLSTATE of a COPY that the client made fail.
const queryCanceled = "57014"

// follows reports whether err is only what cancelling ctx made of a connection: a
// timeout, a closed socket, or a command that the server was asked to cancel.
func follows(ctx context.Context, err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ctx.Err() != nil && (!ok || e.Code == queryCanceled)
}

// target notes how COPY FROM under ctx ended. refused says that its reader was
// told to fail, so that the COPY's failing too is no news.
func (b *blame) target(ctx context.Context, err error, refused bool) {
	if follows(ctx, err) {
		return
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && refused && e.Code == queryCanceled {
		return
	}
	b.add(fmt.Errorf("copytext: %w: %w", ErrTarget, withoutRows(err)))
}

// source notes how COPY TO under ctx ended, and what its writer said of a row.
func (b *blame) source(ctx context.Context, err, rowErr error) {
	switch {
	case rowErr != nil:
		b.add(rowErr)
	case errors.Is(err, errStopped), follows(ctx, err):
	default:
		b.add(fmt.Errorf("copytext: %w: %w", ErrSource, withoutRows(err)))
	}
}

// verdict returns the first cause, joined with a second one of its own where
// there is one. Where nothing but consequences is known, ctx was the cause.
func (b *blame) verdict(ctx context.Context, srcErr, dstErr error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.causes) == 1:
		return b.causes[0]
	case len(b.causes) > 1:
		return errors.Join(b.causes...)
	case ctx.Err() != nil:
		return fmt.Errorf("copytext: stopped: %w", context.Cause(ctx))
	}
	return fmt.Errorf("copytext: stopped: %w", errors.Join(srcErr, dstErr))
}

// plainClasses are the classes of SQLSTATE whose messages name objects and
// never quote a value: connections, constraints, transactions, rights, missing
// objects, resources, an operator's intervention, the system. Data exceptions
// (22) quote the value that did not fit, and what a function raises (P0) may say
// anything.
const plainClasses = "08 23 25 28 3D 40 42 53 54 55 57 58"

// withoutRows returns err without what a server's error may quote of rows:
// detail, hint, internal queries, the context after the column's name, and the
// message where it is not of a plain class. Code, table, column and constraint
// stay.
func withoutRows(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	safe := &pgconn.PgError{
		Severity: e.Severity, SeverityUnlocalized: e.SeverityUnlocalized, Code: e.Code, Message: e.Message,
		SchemaName: e.SchemaName, TableName: e.TableName, ColumnName: e.ColumnName,
		DataTypeName: e.DataTypeName, ConstraintName: e.ConstraintName,
		File: e.File, Line: e.Line, Routine: e.Routine,
	}
	// COPY's context reads: COPY table, line 7, column name: "value".
	if where, _, _ := strings.Cut(e.Where, ": "); strings.HasPrefix(where, "COPY ") {
		safe.Where, _, _ = strings.Cut(where, "\n")
	}
	// A function that a constraint calls raises what it likes under any code; its
	// name then stands before COPY in the context.
	raised := e.Where != "" && !strings.HasPrefix(e.Where, "COPY ")
	if raised || len(e.Code) != 5 || !strings.Contains(plainClasses, e.Code[:2]) {
		safe.Message = "a row was refused"
		if strings.HasPrefix(e.Code, "22") {
			safe.Message = "a value does not fit its column"
		}
	}
	if safe.Where != "" {
		safe.Message += " (" + safe.Where + ")"
	}
	return safe
}
