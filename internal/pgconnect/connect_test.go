package pgconnect_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func open(t *testing.T, uri string, o pgconnect.Options) (*pgconnect.Target, func(string) string) {
	t.Helper()
	target, err := pgconnect.Parse("source", uri)
	require.NoError(t, err)
	conn, err := target.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { pgconnect.Close(conn) })
	require.NoError(t, pgconnect.CheckDirect(t.Context(), "source", conn))
	return target, func(sql string) string {
		var s string
		require.NoError(t, conn.QueryRow(t.Context(), sql).Scan(&s))
		return s
	}
}

// Settings of the role and the database do not reach a session of a job.
func TestOpenPinsTheSession(t *testing.T) {
	uri := pgtest.Database(t)
	role := pgtest.Role(t, uri, "pinned_role")
	pgtest.Exec(t, uri, `ALTER ROLE pinned_role SET TimeZone = 'Asia/Tokyo'; ALTER ROLE pinned_role SET DateStyle = 'German';
		ALTER ROLE pinned_role SET statement_timeout = '1ms'; ALTER ROLE pinned_role SET bytea_output = 'escape'; ALTER ROLE pinned_role SET extra_float_digits = -5`)
	_, ask := open(t, role, pgconnect.Options{AppName: "privet test", ReadOnly: true, Load: true})
	for sql, want := range map[string]string{
		"SELECT '2026-11-21 12:00+00'::timestamptz::text": "2026-11-21 12:00:00+00",
		`SELECT '\x00ff'::bytea::text`:                    `\x00ff`,
		"SELECT (0.1::float8 + 0.2)::text":                "0.30000000000000004",
		"SELECT pg_sleep(0.01)::text":                     "",
		"SHOW row_security":                               "off",
		"SHOW application_name":                           "privet test",
		"SHOW transaction_read_only":                      "on",
		"SHOW synchronous_commit":                         "off",
		"SHOW idle_in_transaction_session_timeout":        "0",
		"SHOW client_connection_check_interval":           "10s",
	} {
		require.Equal(t, want, ask(sql), sql)
	}
}

// What a connection string says, PostgreSQL's own programs understand.
func TestProgramsReachTheSamePlace(t *testing.T) {
	uri := pgtest.Database(t)
	psql, err := pgbin.Find("psql")
	require.NoError(t, err)
	target, ask := open(t, uri, pgconnect.Options{AppName: "x"})
	cmd := exec.Command(psql, "-X", "-At", "--dbname="+target.ConnInfo(), "-c", "SELECT current_database() || current_user || current_setting('application_name')")
	cmd.Env = target.Env("from psql", true)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, ask("SELECT current_database() || current_user")+"from psql", strings.TrimSpace(string(out)))
}

func TestPasswordsAreNotInArguments(t *testing.T) {
	for _, s := range []string{
		"postgres://u:s3cr%20et@h:5433/db?sslmode=disable&sslpassword=s3cret",
		`host=h port=5433 user=u password='s3cr et' dbname=db sslmode=disable`,
	} {
		target, err := pgconnect.Parse("source", s)
		require.NoError(t, err)
		info := target.ConnInfo()
		require.NotContains(t, info, "s3cr")
		require.NotContains(t, target.String(), "s3cr")
		require.Equal(t, "host='h' port='5433' user='u' dbname='db' sslmode='disable'", info)
		require.Contains(t, target.Env("a", false), "PGPASSWORD=s3cr et")
	}
}

// Whatever stands in a name, libpq's keywords carry it through.
func TestConnInfoReadsBack(t *testing.T) {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[ -~]{1,12}`)
		user, db, root := name.Draw(t, "user"), name.Draw(t, "db"), name.Draw(t, "service")
		target, err := pgconnect.Parse("source", "host = h user='"+escape.Replace(user)+"'  dbname = '"+escape.Replace(db)+"' application_name='"+escape.Replace(root)+"' sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		back, err := pgconn.ParseConfig(target.ConnInfo())
		if err != nil {
			t.Fatalf("%s: %v", target.ConnInfo(), err)
		}
		if back.User != user || back.Database != db || back.Host != "h" || back.TLSConfig != nil {
			t.Fatalf("%q became %q and %q", target.ConnInfo(), back.User, back.Database)
		}
	})
}

func TestServiceFilesAndEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "service.conf")
	require.NoError(t, os.WriteFile(file, []byte("[prod]\nhost=db.example\nport=6000\ndbname=shop\nuser=reader\n"), 0o600))
	t.Setenv("PGSERVICEFILE", file)
	target, err := pgconnect.Parse("source", "service=prod")
	require.NoError(t, err)
	require.Equal(t, `database "shop" on db.example:6000 as "reader"`, target.String())
	require.Contains(t, target.ConnInfo(), "service='prod'")

	t.Setenv("PGHOST", "env.example")
	t.Setenv("PGDATABASE", "fromenv")
	target, err = pgconnect.Parse("source", "user=me")
	require.NoError(t, err)
	require.Equal(t, `database "fromenv" on env.example:5432 as "me"`, target.String())
}

func TestErrorsHoldNoSecret(t *testing.T) {
	for _, s := range []string{"postgres://u:s3cret@%zz/db", "postgres://u:s3c ret@h:port/db", "password='s3cret host=h", "postgres://u:s3cret@h:1:2/db?sslmode=nonsense"} {
		_, err := pgconnect.Parse("source", s)
		if err == nil {
			continue
		}
		require.Equal(t, fault.Config, fault.KindOf(err))
		require.NotContains(t, err.Error()+fault.HintOf(err), "s3c")
	}
}

func TestSafeTextQuotesNoRow(t *testing.T) {
	unique := &pgconn.PgError{Code: "23505", Message: `duplicate key value violates unique constraint "c"`, Detail: "Key (email)=(bob@x) already exists.", Where: "COPY t, line 1: bob"}
	require.Equal(t, `duplicate key value violates unique constraint "c" (SQLSTATE 23505)`, pgconnect.SafeText(unique))
	syntax := &pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type integer: "bob@x"`, SchemaName: "public", TableName: "t", ColumnName: "a"}
	require.Equal(t, "a value does not fit its type in public.t.a (SQLSTATE 22P02)", pgconnect.SafeText(syntax))
	for _, err := range []error{unique, syntax} {
		r := pgconnect.Redacted(err)
		require.NotContains(t, r.Error(), "bob")
		require.Equal(t, pgconnect.Code(err), pgconnect.Code(r))
		inner := &pgconn.PgError{}
		require.ErrorAs(t, r, &inner)
		require.NotContains(t, inner.Message+inner.Detail+inner.Where, "bob")
	}
	require.NoError(t, pgconnect.Redacted(nil))
}

// An error that was written for a person is not replaced by what lies under it,
// and what was redacted once reads the same the second time.
func TestRedactedLeavesFaultsAlone(t *testing.T) {
	cause := pgconnect.Redacted(&pgconn.PgError{Code: "22023", Message: "invalid snapshot identifier"})
	gone := &fault.Error{Kind: fault.Stopped, Msg: "the snapshot is gone", Err: cause}
	wrapped := fmt.Errorf("verify: %w", gone)
	require.Equal(t, wrapped.Error(), pgconnect.Redacted(wrapped).Error())
	require.Equal(t, fault.Stopped, fault.KindOf(pgconnect.Redacted(wrapped)))
	used := pgconnect.Redacted(&pgconn.PgError{Code: "55006", Message: "the database is in use"})
	require.Equal(t, "the database is in use (SQLSTATE 55006)", pgconnect.SafeText(used))
}

// A pooler gives its own process number to the client: this one is a proxy that
// rewrites the server's, as PgBouncer does.
func TestPoolersAreRecognised(t *testing.T) {
	uri := pgtest.Database(t)
	real, err := pgconn.ParseConfig(uri)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		network, address := pgconn.NetworkAddress(real.Host, real.Port)
		server, err := net.Dial(network, address)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, client) }()
		rewritePID(client, server)
	}()
	target, err := pgconnect.Parse("source", "postgres://"+real.User+"@"+listener.Addr().String()+"/"+real.Database+"?sslmode=disable")
	require.NoError(t, err)
	conn, err := target.Open(context.Background(), pgconnect.Options{})
	require.NoError(t, err)
	defer pgconnect.Close(conn)
	err = pgconnect.CheckDirect(t.Context(), "source", conn)
	require.ErrorIs(t, err, pgconnect.ErrPooler)
	require.Equal(t, fault.Config, fault.KindOf(err))
}

// rewritePID copies the server's messages, with another process in BackendKeyData.
func rewritePID(client io.Writer, server io.Reader) {
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		if head[0] == 'K' {
			binary.BigEndian.PutUint32(body, binary.BigEndian.Uint32(body)+1)
		}
		if _, err := client.Write(append(head, body...)); err != nil {
			return
		}
	}
}

// What a function raises may quote a row under any SQLSTATE.
func TestWhatFunctionsRaiseIsNotRepeated(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	for _, raise := range []string{
		`RAISE 'jane@acme.example'`,
		`RAISE 'jane@acme.example' USING ERRCODE = 'check_violation'`,
	} {
		_, err := conn.Exec(t.Context(), "DO $$ BEGIN "+raise+"; END $$")
		require.ErrorContains(t, err, "jane@acme.example", "the server's own text")
		require.NotContains(t, pgconnect.SafeText(err), "jane")
		require.NotContains(t, pgconnect.Redacted(err).Error(), "jane")
		require.Contains(t, pgconnect.SafeText(err), "a function of the database raised an error (SQLSTATE ")
	}
	_, err := conn.Exec(t.Context(), "SELECT * FROM missing")
	require.Equal(t, `relation "missing" does not exist (SQLSTATE 42P01)`, pgconnect.SafeText(err))
}
