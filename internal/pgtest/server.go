package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/pgbin"
)

// Superuser is the name of the server's superuser. Over the socket nobody needs a
// password.
const Superuser = "postgres"

// startTimeout bounds initdb and the server's start together.
const startTimeout = 2 * time.Minute

// Options configures [Start]. The zero value is a server for tests.
type Options struct {
	// TCP makes the server listen on a free port of 127.0.0.1 as well, where
	// every role needs a password: the superuser's is random and part of
	// [Server.TCPURI].
	TCP bool
	// Durable keeps fsync, synchronous commits and full page writes on, as in
	// production. They are off by default.
	Durable bool
	// Settings are further parameters of postgresql.conf, which win over those
	// of this package.
	Settings map[string]string
	// BinDir is the folder of initdb and postgres. The default is
	// PRIVET_TEST_PG_BIN, else what [pgbin.FindServer] finds.
	BinDir string
}

// A Server is one running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	dir      string // holds the data folder, the socket and the log
	port     int    // of the socket's name, and of TCP
	password string
	binDir   string
	account  *account

	stdin *os.File // the pipe that keeps the server alive
	cmd   *exec.Cmd
	stop  func() error
}

// Start makes a new cluster and starts a server on it, which takes about a
// second. The server runs until [Server.Stop], or until the process ends. It
// holds no goroutine of this process.
func Start(ctx context.Context, opts Options) (*Server, error) {
	return start(ctx, opts, (*Server).initdb)
}

// start makes a server whose data folder is filled by fill.
func start(ctx context.Context, opts Options, fill func(*Server, context.Context) error) (_ *Server, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	s := &Server{port: 5432, password: rand.Text()}
	if s.binDir, err = binDir(opts); err != nil {
		return nil, err
	}
	if s.account, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp(shortTempDir(s.account), "privet-pg"); err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(s.dir))
		}
	}()
	if err := s.account.own(s.dir); err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	if err := fill(s, ctx); err != nil {
		return nil, err
	}
	if opts.TCP {
		if s.port, err = freePort(); err != nil {
			return nil, err
		}
	}
	if err := s.launch(ctx, opts); err != nil {
		return nil, err
	}
	return s, nil
}

// binDir returns the folder of the server's programs.
func binDir(opts Options) (string, error) {
	if opts.BinDir != "" {
		return opts.BinDir, nil
	}
	if dir := os.Getenv("PRIVET_TEST_PG_BIN"); dir != "" {
		return dir, nil
	}
	return pgbin.FindServer()
}

// initdb makes the cluster. The C locale is the one that every machine has and
// that sorts alike everywhere.
func (s *Server) initdb(ctx context.Context) error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	if err := s.account.own(secret); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	err := s.run(ctx, "initdb", "--pgdata="+s.dataDir(), "--username="+Superuser, "--pwfile="+secret,
		"--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	return errors.Join(err, os.Remove(secret))
}

// run runs one of the server's programs as the server's user.
func (s *Server) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.binDir, program), args...)
	s.account.use(cmd, s.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: %s in %s: %w\n%s", program, s.binDir, err, out)
	}
	return nil
}

// freePort asks the system for a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("pgtest: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Stop ends every session, stops the server and removes its folder. Calls after
// the first return the first's result.
func (s *Server) Stop() error { return s.stop() }

// stopOnce makes Stop's function. The script stops the server when the pipe
// closes; it is itself killed only if the server hangs.
func (s *Server) stopOnce() func() error {
	return sync.OnceValue(func() error {
		_ = s.stdin.Close()
		kill := time.AfterFunc(30*time.Second, func() { s.account.kill(s.cmd) })
		err := s.cmd.Wait()
		kill.Stop()
		if err != nil {
			err = fmt.Errorf("pgtest: the server did not stop in order: %w", err)
		}
		return errors.Join(err, os.RemoveAll(s.dir))
	})
}

// Detach lets the server outlive this process and returns the process id to stop
// it by: `kill -INT` ends its sessions, and its folder goes with it. After Detach,
// Stop is not to be called.
func (s *Server) Detach() (pid int, err error) {
	b, err := os.ReadFile(filepath.Join(s.dataDir(), "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("pgtest: %w", err)
	}
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		return 0, fmt.Errorf("pgtest: postmaster.pid: %w", err)
	}
	if _, err := io.WriteString(s.stdin, "keep\n"); err != nil {
		return 0, fmt.Errorf("pgtest: %w", err)
	}
	return pid, s.cmd.Process.Release()
}

// Dir returns the folder that holds the server's socket and its log, server.log.
func (s *Server) Dir() string { return s.dir }

// Port returns the number in the socket's name, which with [Options.TCP] is also
// the TCP port.
func (s *Server) Port() int { return s.port }

func (s *Server) dataDir() string { return filepath.Join(s.dir, "data") }

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// URI returns the connection URI of a database for the superuser, over the unix
// socket. pgx and libpq's programs both take it.
func (s *Server) URI(database string) string {
	query := "host=" + strings.ReplaceAll(url.QueryEscape(s.dir), "%2F", "/") + "&port=" + strconv.Itoa(s.port)
	u := url.URL{Scheme: "postgres", User: url.User(Superuser), Path: "/" + database, RawQuery: query}
	return u.String()
}

// TCPURI returns the connection URI of a database for the superuser over
// 127.0.0.1, with its password. It works with [Options.TCP] only.
func (s *Server) TCPURI(database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(Superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), Path: "/" + database}
	return u.String()
}

// Exec runs SQL statements in a database as the superuser.
func (s *Server) Exec(ctx context.Context, database, sql string) error {
	return exec1(ctx, s.URI(database), sql)
}

// CreateDatabase makes an empty database.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	return s.Exec(ctx, Superuser, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0")
}

// DropDatabase drops a database where it exists, and ends its sessions.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	return s.Exec(ctx, Superuser, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// exec1 runs statements over a connection of their own.
func exec1(ctx context.Context, uri, sql string) error {
	conn, err := pgx.Connect(ctx, uri)
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// tail returns the end of the server's log.
func (s *Server) tail() string {
	f, err := os.Open(s.logFile())
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > 2000 {
		_, _ = f.Seek(-2000, io.SeekEnd)
	}
	b, _ := io.ReadAll(f) // whatever can be read of it is better than nothing
	return string(b)
}
