package discover

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// lockNotAvailable is the SQLSTATE of a lock that was waited for too long.
const lockNotAvailable = "55P03"

// ProposeFrom is [Propose] for the database that a connection string names: a
// URI, libpq keywords, or "" for libpq's environment variables. It reads the
// catalog in one read-only transaction and needs no rights but to connect. A
// connection that fails is a *fault.Error of kind Config.
func ProposeFrom(ctx context.Context, connString string) ([]byte, error) {
	target, err := pgconnect.Parse("source", connString)
	if err != nil {
		return nil, err
	}
	conn, err := target.Open(ctx, pgconnect.Options{AppName: "privet mask init", ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer pgconnect.Close(conn)
	var cat *catalog.Catalog
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '10s'`); err != nil {
			return fmt.Errorf("discover: bound the wait for locks: %w", err)
		}
		cat, err = catalog.Read(ctx, conn)
		return err
	})
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == lockNotAvailable {
		return nil, fault.New(fault.Config, "%s: a table was locked for more than 10 s while the catalog was read", target).
			WithHint("try again when the migration or the VACUUM FULL that holds the lock has ended")
	}
	if err != nil {
		return nil, err
	}
	return Propose(cat)
}
