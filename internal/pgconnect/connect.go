// Package pgconnect opens connections to PostgreSQL for jobs that copy data:
// every session prints and reads values in the same way, waits for as long as
// the job says and nothing else, and fails rather than see fewer rows.
//
// Start with [Parse] (a URI, libpq keywords, libpq environment variables,
// pg_service) and [Target.Open]. [Target.ConnInfo] and [Target.Env] hand the same
// place to PostgreSQL's own programs. No error holds a password.
package pgconnect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/fault"
)

// ErrPooler is in the chain of the error that says that a connection goes
// through a pooler.
var ErrPooler = errors.New("connection goes through a pooler")

// A Target is a parsed connection string: one server, one database, one role.
// It is immutable and safe for concurrent use.
type Target struct {
	config *pgx.ConnConfig
	extra  map[string]string // what libpq programs need besides the place itself
}

// Parse reads a connection string: a URI, libpq keywords, or "" for libpq's
// environment variables, which also fill what the string leaves out. what names
// the connection in errors ("source", "target"). A string that names several
// servers is refused: sessions that share a snapshot must meet on one.
func Parse(what, connString string) (*Target, error) {
	config, err := pgx.ParseConfig(connString)
	if err != nil {
		return nil, parseFault(what, err)
	}
	for _, f := range config.Fallbacks {
		if f.Host != config.Host || f.Port != config.Port {
			return nil, fault.New(fault.Config, "the %s connection names several servers (%s, %s)", what,
				place(config.Host, config.Port), place(f.Host, f.Port)).
				WithHint("name exactly one server: all sessions of a run must meet on the same one")
		}
	}
	if config.Database == "" {
		config.Database = config.User
	}
	return &Target{config: config, extra: passThrough(connString)}, nil
}

// parseFault keeps the text of the connection string, which may hold a
// password, out of the error.
func parseFault(what string, err error) error {
	reason := "it is not a valid connection string"
	if inner := errors.Unwrap(err); inner != nil {
		if _, ok := errors.AsType[*os.PathError](inner); ok || strings.HasPrefix(inner.Error(), "unable to find service") {
			reason = inner.Error()
		}
	}
	return fault.New(fault.Config, "the %s connection: %s", what, reason).
		WithHint("use a URI (postgres://user@host/db, special characters percent-encoded), keywords (host=... dbname=...) or service=NAME")
}

// Database returns the name of the database.
func (t *Target) Database() string { return t.config.Database }

// Server returns host:port, or the socket and its port.
func (t *Target) Server() string { return place(t.config.Host, t.config.Port) }

// User returns the name of the role.
func (t *Target) User() string { return t.config.User }

// String names the place for messages: database, server and role, no password.
func (t *Target) String() string {
	return fmt.Sprintf("database %q on %s as %q", t.config.Database, place(t.config.Host, t.config.Port), t.config.User)
}

// WithDatabase returns the same server and role with another database.
func (t *Target) WithDatabase(name string) *Target {
	config := t.config.Copy()
	config.Database = name
	return &Target{config: config, extra: t.extra}
}

func place(host string, port uint16) string {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return fmt.Sprintf("socket %s port %d", host, port)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// Options are what differs between the sessions of one job.
type Options struct {
	// AppName becomes application_name, by which a job finds its own sessions.
	// At most 63 bytes.
	AppName string
	// ReadOnly makes every transaction read-only unless it says otherwise.
	ReadOnly bool
	// Load turns synchronous_commit off and raises maintenance_work_mem: for
	// sessions that fill a database which is thrown away when the server dies.
	Load bool
}

// loadMemory is what a loading session sorts index entries in, on the server.
const loadMemory = "256MB"

// settings are the same in every session: they decide how values print
// (TimeZone to client_encoding), that hidden rows are an error (row_security)
// and that no timeout of a role or database ends a long job.
var settings = map[string]string{
	"TimeZone":                            "UTC",
	"DateStyle":                           "ISO, YMD",
	"IntervalStyle":                       "postgres",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"xmloption":                           "content",
	"lc_monetary":                         "C",
	"client_encoding":                     "UTF8",
	"standard_conforming_strings":         "on",
	"row_security":                        "off",
	"search_path":                         "",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	// A machine that is gone without a word must not leave its locks behind for
	// the two hours that TCP waits by itself.
	"tcp_keepalives_idle":     "30",
	"tcp_keepalives_interval": "10",
	"tcp_keepalives_count":    "3",
}

// checkClient makes the server look whether the client of a long statement is
// still there, instead of finishing the statement for nobody.
const checkClient = "SET SESSION client_connection_check_interval = '10s'"

// Open connects and pins the session's settings. The error is a [fault.Error]
// of kind Config. The caller closes the connection.
func (t *Target) Open(ctx context.Context, o Options) (*pgx.Conn, error) {
	config := t.config.Copy()
	if config.RuntimeParams == nil {
		config.RuntimeParams = map[string]string{}
	}
	config.RuntimeParams["application_name"] = o.AppName
	dialer := net.Dialer{Timeout: config.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	config.DialFunc = dialer.DialContext
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, t.connectFault(err)
	}
	if err := pin(ctx, conn, o); err != nil {
		Close(conn)
		return nil, fmt.Errorf("%s: pin the session's settings: %w", t, Redacted(err))
	}
	return conn, nil
}

func pin(ctx context.Context, conn *pgx.Conn, o Options) error {
	want := maps.Clone(settings)
	want["default_transaction_read_only"] = onOff(o.ReadOnly)
	if o.Load {
		want["synchronous_commit"] = "off"
		want["maintenance_work_mem"] = loadMemory
	}
	var sql strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want)) {
		fmt.Fprintf(&sql, "SET SESSION %s = '%s';", name, want[name])
	}
	if conn.PgConn().ParameterStatus("server_version") >= "17" {
		sql.WriteString("SET SESSION transaction_timeout = 0;")
	}
	if err := conn.PgConn().Exec(ctx, sql.String()).Close(); err != nil {
		return err
	}
	// Not every system can look: its server refuses, and works without.
	if err := conn.PgConn().Exec(ctx, checkClient).Close(); err != nil && Code(err) == "" {
		return err
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// CheckDirect refuses a connection that a pooler stands behind: the server
// process that answers must be the one that the connection was given at its
// start, before and after a transaction. Session state (snapshots, locks,
// settings) does not survive a pooler.
func CheckDirect(ctx context.Context, what string, conn *pgx.Conn) error {
	for range 2 {
		var pid uint32
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_backend_pid()").Scan(&pid); err != nil {
			return fmt.Errorf("%s: %w", what, Redacted(err))
		}
		if pid != conn.PgConn().PID() {
			e := fault.New(fault.Config, "the %s connection goes through a pooler, which cannot carry snapshots and locks", what).
				WithHint("connect to PostgreSQL itself (often port 5432 instead of 6432), not to PgBouncer or a proxy")
			e.Err = ErrPooler
			return e
		}
	}
	return nil
}

func (t *Target) connectFault(err error) error {
	e := fault.New(fault.Config, "cannot connect to %s: %s", t, SafeText(err))
	e.Err = Redacted(err)
	pe, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case ok && pe.Code == "3D000":
		return e.WithHint("create the database first, or correct its name")
	case ok && (pe.Code == "28P01" || pe.Code == "28000"):
		return e.WithHint("check the role, its password (PGPASSWORD or ~/.pgpass) and pg_hba.conf")
	case ok && pe.Code == "42501":
		return e.WithHint("GRANT CONNECT ON DATABASE %s TO %s", pgx.Identifier{t.config.Database}.Sanitize(), pgx.Identifier{t.config.User}.Sanitize())
	case ok && pe.Code == "08P01":
		return e.WithHint("a pooler that refuses session settings? Connect to PostgreSQL itself")
	case ok:
		return e
	}
	return e.WithHint("is the server running, and are host and port right?")
}

// Close closes a connection without waiting for the server longer than a
// moment; nil is fine.
func Close(conn *pgx.Conn) {
	if conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx) // nothing can be done about a connection that does not close
	select {
	case <-conn.PgConn().CleanupDone():
	case <-ctx.Done():
	}
}
