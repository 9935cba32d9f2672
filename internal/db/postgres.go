package db

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// migrationLock is the advisory lock that whoever migrates holds, whichever store
// it is for: the ASCII codes of "privet m".
const migrationLock int64 = 0x707269766574206d

// OpenPostgres opens a pool of connections to the PostgreSQL database that
// connString names (a URI, libpq keywords such as "service=privet", libpq environment
// variables where it is empty) and brings the tables of s in the schema privet up to
// date, under an advisory lock so that of several starting processes one does it.
//
// Where nothing is to be migrated, the role needs no more than USAGE on the schema,
// SELECT on the store's version table and what the store itself does. Otherwise it
// must own the schema, or may create it.
func OpenPostgres(ctx context.Context, connString string, s Schema) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, openError("the connection to PostgreSQL", fmt.Sprintf("cannot be understood: %v", err),
			`give a URI (postgres://…), keywords (host=… dbname=…) or "service=…"`, err)
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "privet " + s.Name
	}
	where := fmt.Sprintf("database %q on %s", cfg.ConnConfig.Database, cfg.ConnConfig.Host)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, postgresError(where, "cannot be opened", err)
	}
	if err := migratePostgres(ctx, where, pool, s); err != nil {
		pool.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return pool, nil
}

func migratePostgres(ctx context.Context, where string, pool *pgxpool.Pool, s Schema) error {
	latest, err := s.latest("postgres")
	if err != nil {
		return err
	}
	current, err := postgresVersion(ctx, pool, s)
	if err != nil {
		return postgresError(where, "cannot be reached", err)
	}
	if pending, err := s.checkVersion(where, current, latest); !pending {
		return err
	}
	// The lock belongs to a transaction: a session's lock would be lost behind a
	// pooler that gives every transaction another session.
	err = pgx.BeginFunc(ctx, pool, func(lock pgx.Tx) error {
		if _, err := lock.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
			return err
		}
		cfg := pool.Config().ConnConfig
		db := stdlib.OpenDB(*cfg)
		defer db.Close()
		db.SetMaxOpenConns(1)
		var there bool
		if err := db.QueryRowContext(ctx, `SELECT count(*) > 0 FROM pg_namespace WHERE nspname = $1`, PostgresSchema).Scan(&there); err != nil {
			return err
		}
		if !there {
			if _, err := db.ExecContext(ctx, `CREATE SCHEMA `+PostgresSchema); err != nil {
				return err
			}
		}
		return s.up(ctx, goose.DialectPostgres, db, "postgres", PostgresSchema+"."+s.versionTable())
	})
	if err != nil {
		return postgresError(where, fmt.Sprintf("the %s tables cannot be migrated", s.Name), err)
	}
	return nil
}

// postgresVersion returns the version of the store's tables, 0 where there are none.
func postgresVersion(ctx context.Context, pool *pgxpool.Pool, s Schema) (int64, error) {
	var there bool
	err := pool.QueryRow(ctx, `SELECT count(*) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2`, PostgresSchema, s.versionTable()).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	var version int64
	err = pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+
		pgx.Identifier{PostgresSchema, s.versionTable()}.Sanitize()).Scan(&version)
	return version, err
}

// postgresError explains what the server or the network said.
func postgresError(where, what string, err error) error {
	hint := "check host, port, database and user, and that the server is up"
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		hint = ""
		switch {
		case pg.Code == "42501": // insufficient_privilege
			hint = "grant the role what the store's documentation names, or migrate once as the schema's owner"
		case strings.HasPrefix(pg.Code, "28"): // invalid authorization
			hint = "check user and password"
		case pg.Code == "3D000": // invalid_catalog_name
			hint = "create the database first"
		}
		return openError(where, what+": "+pg.Message, hint, err)
	}
	return openError(where, what+": "+err.Error(), hint, err)
}
