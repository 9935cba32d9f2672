package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
)

// shared is the process's one server for tests.
var shared struct {
	sync.Mutex
	server *Server
	err    error
	ended  bool
}

// databases numbers the databases of this process.
var databases atomic.Int64

// Main runs the tests of a package and stops the server after them. It returns
// the exit code: call it from TestMain as os.Exit(pgtest.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	shared.ended = true
	if shared.server == nil {
		return code
	}
	if err := shared.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// Shared returns the process's one server, which it starts where needed. It skips
// the test where no PostgreSQL is installed, and fails it with CI=true, or where
// the server does not start.
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil && !shared.ended {
		// The commands that tests run use the clients of the same installation.
		if dir := os.Getenv("PRIVET_TEST_PG_BIN"); dir != "" && os.Getenv(pgbin.EnvDir) == "" {
			_ = os.Setenv(pgbin.EnvDir, dir)
		}
		shared.server, shared.err = Start(context.Background(), Options{})
	}
	switch err := shared.err; {
	case shared.ended:
		t.Fatal("pgtest: the tests are over, the server is stopped")
	case errors.Is(err, pgbin.ErrNotFound) && !inCI():
		t.Skipf("no PostgreSQL server: %s", fault.HintOf(err))
	case err != nil:
		t.Fatalf("%v\nhint: %s", err, fault.HintOf(err))
	}
	return shared.server
}

// inCI reports whether a missing server is a failure.
func inCI() bool { return os.Getenv("CI") == "true" }

// Database makes an empty database on the process's one server and returns the
// superuser's connection URI. The database is dropped when the test ends, whoever
// is still connected to it. Tests may run in parallel.
func Database(t testing.TB) string {
	t.Helper()
	s := Shared(t)
	name := fmt.Sprintf("t%d", databases.Add(1))
	if err := s.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return s.URI(name)
}

// Exec runs SQL statements, several in one string if need be, and fails the test
// where one of them fails.
func Exec(t testing.TB, uri, sql string) {
	t.Helper()
	if err := exec1(t.Context(), uri, sql); err != nil {
		if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Position > 0 && int(pg.Position) <= len(sql) {
			t.Fatalf("%v\nat: %.80s", err, sql[pg.Position-1:])
		}
		t.Fatal(err)
	}
}

// Connect opens a connection that is closed when the test ends.
func Connect(t testing.TB, uri string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// Role makes a role that may log in, and returns uri for it. The attributes are
// those of CREATE ROLE, such as "CREATEDB" or "IN ROLE pg_read_all_data". A role
// belongs to the whole server: two tests that run in parallel need two names. At
// the end of the test the name is free again.
func Role(t testing.TB, uri, name string, attrs ...string) string {
	t.Helper()
	quoted := pgx.Identifier{name}.Sanitize()
	Exec(t, uri, "CREATE ROLE "+quoted+" LOGIN "+strings.Join(attrs, " "))
	admin := As(t, InDatabase(t, uri, Superuser), Superuser)
	t.Cleanup(func() {
		// A role can be dropped only when nothing in any database is its own or
		// granted to it. Renaming it asks for nothing, and the server goes anyhow.
		gone := pgx.Identifier{fmt.Sprintf("gone%d_%.40s", databases.Add(1), name)}.Sanitize()
		if err := exec1(context.Background(), admin, "ALTER ROLE "+quoted+" RENAME TO "+gone+"; ALTER ROLE "+gone+" NOLOGIN"); err != nil {
			t.Error(err)
		}
	})
	return As(t, uri, name)
}

// As returns uri with another user.
func As(t testing.TB, uri, role string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}

// InDatabase returns uri with another database.
func InDatabase(t testing.TB, uri, database string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return u.String()
}

// databaseOf returns the database of a URI.
func databaseOf(t testing.TB, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}
