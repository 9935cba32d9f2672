package copytext

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrSource and ErrTarget are in the tree of an error of [Pipe] that began on
// that side. An error of the rewriter is neither, but a [*RowError].
var (
	ErrSource = errors.New("the source did not deliver the rows")
	ErrTarget = errors.New("the target did not take the rows")
)

// stopGrace is how long a target may take to acknowledge that its COPY has
// failed before its connection is cut.
var stopGrace = 5 * time.Second

// Pipe runs copyOut (COPY ... TO STDOUT) on src and copyIn (COPY ... FROM STDIN)
// on dst, both in text format with the same columns in the same order, and sends
// every row through r on its way. A nil r, or one that masks nothing, lets the
// bytes pass unseen.
//
// It returns how many rows arrived, which both servers and r agree on. Any error
// makes the target's COPY fail as a whole: outside a transaction nothing of it
// stays, inside one the transaction is aborted. The error says first what began
// the trouble, and errors.Is finds [ErrSource], [ErrTarget], a [*RowError] or the
// cause of ctx. Errors of the servers are reduced to what quotes no row.
//
// progress, where not nil, is called for each block handed to the target, with
// the rows and bytes of that block (not totals), always from the calling
// goroutine.
//
// Pipe holds at most four blocks of about 128 KiB, or of the largest row, and
// ends every goroutine it started. After an error the connections may be closed:
// a COPY TO cannot be ended otherwise. Cancelling ctx closes both.
func Pipe(ctx context.Context, src *pgconn.PgConn, copyOut string, dst *pgconn.PgConn, copyIn string,
	r *Rewriter, progress func(rows, bytes int64)) (int64, error) {
	if r != nil && r.err != nil {
		return 0, r.err
	}
	b := newBlocks()
	w := &rowWriter{blocks: b, rewriter: r, pass: r.passes(), progress: progress}
	srcCtx, cancelSrc := context.WithCancel(ctx)
	defer cancelSrc()
	dstCtx, cancelDst := context.WithCancel(ctx)
	defer cancelDst()
	defer context.AfterFunc(ctx, b.stop)()

	var causes blame
	var dstTag pgconn.CommandTag
	var dstErr error
	dstDone := make(chan struct{})
	go func() {
		defer close(dstDone)
		dstTag, dstErr = dst.CopyFrom(dstCtx, b, copyIn)
		causes.target(dstCtx, dstErr, b.refused.Load())
		// A source that waits, for a block's place or for its server, is told.
		b.stop()
		if dstErr != nil {
			cancelSrc()
		}
		b.quiet()
	}()
	// Where a masker panics, the target has let go before the panic goes on.
	defer func() {
		b.stop()
		defer time.AfterFunc(stopGrace, cancelDst).Stop()
		<-dstDone
	}()

	srcTag, srcErr := src.CopyTo(srcCtx, w, copyOut)
	if srcErr == nil {
		srcErr = w.finish()
	}
	if srcErr != nil {
		causes.source(srcCtx, srcErr, w.err)
		b.stop()
		defer time.AfterFunc(stopGrace, cancelDst).Stop()
	}
	<-dstDone
	for _, conn := range []*pgconn.PgConn{src, dst} {
		if conn.IsClosed() {
			<-conn.CleanupDone()
		}
	}

	if srcErr != nil || dstErr != nil {
		return 0, causes.verdict(ctx, srcErr, dstErr)
	}
	rows := dstTag.RowsAffected()
	if sent := srcTag.RowsAffected(); sent != rows {
		return rows, fmt.Errorf("copytext: %w: the source sent %d rows and the target counts %d", ErrTarget, sent, rows)
	}
	if w.rows != rows {
		return rows, fmt.Errorf("copytext: %w: %d rows went through and the target counts %d", ErrTarget, w.rows, rows)
	}
	return rows, nil
}
