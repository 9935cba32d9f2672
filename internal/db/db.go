// Package db opens the databases that stores live in, and brings their tables up
// to date.
//
// A store (keystore, vault, audit log, …) describes its tables as a [Schema]:
// numbered SQL files for goose, one folder for SQLite and one for PostgreSQL. Several
// stores may share a database: in PostgreSQL their tables stand in the schema
// "privet", and each store has a version table of its own.
//
// Migrations only go up. A database that a newer program has migrated is refused
// ([ErrNewer]) and not touched.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pressly/goose/v3"

	"github.com/privet-dev/privet/internal/fault"
)

// PostgresSchema is the schema that all tables stand in.
const PostgresSchema = "privet"

// ErrNewer says that a newer program has migrated the database.
var ErrNewer = errors.New("the database is of a newer version")

// A Schema is the tables of one store.
type Schema struct {
	// Name is the store's name, in lower-case letters and underscores: "keystore".
	// The version table is Name and "_version".
	Name string
	// Files holds the migrations, in the folders "sqlite" and "postgres": files
	// 00001_name.sql, 00002_name.sql, … with goose's annotations. In PostgreSQL, names
	// are qualified with the schema privet.
	Files fs.FS
}

// versionTable returns the unqualified name of the version table.
func (s Schema) versionTable() string { return s.Name + "_version" }

// latest returns the highest version in a folder of migrations.
func (s Schema) latest(folder string) (int64, error) {
	names, err := fs.Glob(s.Files, path.Join(folder, "*.sql"))
	if err != nil {
		return 0, err
	}
	var latest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		latest = max(latest, v)
	}
	if latest == 0 {
		return 0, fmt.Errorf("the schema %s has no migrations in %s", s.Name, folder)
	}
	return latest, nil
}

// up brings the tables up to date through conn.
func (s Schema) up(ctx context.Context, dialect goose.Dialect, conn *sql.DB, folder, table string) error {
	files, err := fs.Sub(s.Files, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, conn, files,
		goose.WithTableName(table),
		goose.WithDisableGlobalRegistry(true),
		goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// checkVersion tells whether a database at version current needs migrating to
// latest.
func (s Schema) checkVersion(where string, current, latest int64) (pending bool, err error) {
	if current > latest {
		return false, openError(where, fmt.Sprintf("%s tables are at version %d, and this program knows %d", s.Name, current, latest),
			"use the program that migrated it, or a newer one", ErrNewer)
	}
	return current < latest, nil
}

// openError is the error of opening where. Msg does not repeat the cause unless
// what does.
func openError(where, what, hint string, cause error) error {
	return &fault.Error{Kind: fault.Config, Msg: strings.TrimSuffix(where+": "+what, ": "), Hint: hint, Err: cause}
}
