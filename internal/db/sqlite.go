package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go
)

// ErrLoose says that others than the owner may read or change the file.
var ErrLoose = errors.New("others may read the database file")

// A SQLite is a database in a file. Any number of goroutines and of processes on
// one machine may use it; writers wait for one another, readers for nobody.
type SQLite struct {
	// Write has one connection, whose transactions take the write lock as they begin.
	Write *sql.DB
	// Read has several, which cannot write.
	Read *sql.DB
}

// How long a statement waits for another process's lock.
const sqliteBusy = "busy_timeout(10000)"

// OpenSQLite opens the database file at path, made with mode 0600 where there is
// none, and brings the tables of s up to date. Committed transactions survive a power
// failure (WAL, synchronous FULL). A file that others may read is refused with
// [ErrLoose]. The file must be on a local disk.
func OpenSQLite(ctx context.Context, path string, s Schema) (*SQLite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, openError(path, "cannot be named", "", err)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	db := &SQLite{}
	db.Write, err = openSQLite(path, "_txlock=immediate", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)")
	if err == nil {
		db.Write.SetMaxOpenConns(1)
		db.Read, err = openSQLite(path, "", "query_only(1)")
	}
	if err == nil {
		db.Read.SetMaxOpenConns(max(4, runtime.GOMAXPROCS(0)))
		err = migrateSQLite(ctx, path, db.Write, s)
	}
	if err != nil {
		db.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return db, nil
}

func openSQLite(path, extra string, pragmas ...string) (*sql.DB, error) {
	query := "_pragma=" + url.QueryEscape(sqliteBusy)
	for _, p := range pragmas {
		query += "&_pragma=" + url.QueryEscape(p)
	}
	if extra != "" {
		query += "&" + extra
	}
	name := "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + query
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, openError(path, "cannot be opened", "", err)
	}
	return db, nil
}

// prepareFile makes the file where there is none: SQLite itself would make it with
// the mode that the umask leaves. Its journal files take their mode from it.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return openError(path, "its folder does not exist", "make the folder "+filepath.Dir(path), err)
	}
	if err != nil {
		return openError(path, "cannot be opened for writing", "the process must own the file and its folder", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return openError(path, "cannot be examined", "", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return openError(path, fmt.Sprintf("may be read or changed by others (mode %04o)", mode), "chmod 600 "+path, ErrLoose)
	}
	return nil
}

func migrateSQLite(ctx context.Context, path string, db *sql.DB, s Schema) error {
	latest, err := s.latest("sqlite")
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		current, err := sqliteVersion(ctx, db, s)
		if err != nil {
			return openError(path, "cannot be read as a SQLite database", "check that it is the file you mean, and that its disk is well", err)
		}
		pending, err := s.checkVersion(path, current, latest)
		if !pending {
			return err
		}
		err = s.up(ctx, goose.DialectSQLite3, db, "sqlite", s.versionTable())
		if err == nil {
			return nil
		}
		// Another process may have been faster: its migration makes ours fail once.
		if attempt == 3 || ctx.Err() != nil {
			return openError(path, fmt.Sprintf("migrating the %s tables: %v", s.Name, err), "", err)
		}
	}
}

func sqliteVersion(ctx context.Context, db *sql.DB, s Schema) (int64, error) {
	var there bool
	err := db.QueryRowContext(ctx, `SELECT count(*) > 0 FROM sqlite_schema WHERE type = 'table' AND name = ?`, s.versionTable()).Scan(&there)
	if err != nil || !there {
		return 0, err
	}
	var version int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM "`+s.versionTable()+`"`).Scan(&version)
	return version, err
}

// Close closes the database. The last process to close it leaves one file behind.
func (db *SQLite) Close() error {
	var err error
	if db.Read != nil {
		err = db.Read.Close()
	}
	if db.Write != nil {
		err = errors.Join(err, db.Write.Close())
	}
	return err
}
