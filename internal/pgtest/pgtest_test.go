package pgtest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgtest"
)

// childVar makes this test binary start a server, print its folder and wait.
const childVar = "PRIVET_PGTEST_CHILD"

func TestMain(m *testing.M) {
	if how := os.Getenv(childVar); how != "" {
		child(how)
	}
	os.Exit(pgtest.Main(m))
}

func child(how string) {
	s, err := pgtest.Start(context.Background(), pgtest.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if how == "detaches" {
		if _, err := s.Detach(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	fmt.Println(s.Dir())
	switch how {
	case "detaches":
		os.Exit(0)
	case "panics":
		panic("on purpose")
	case "exits":
		os.Exit(0)
	}
	select {}
}

func TestServerDiesWithItsProcess(t *testing.T) {
	pgtest.Shared(t)
	for _, how := range []string{"killed", "panics", "exits"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"="+how, "TMPDIR="+t.TempDir())
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			dir := strings.TrimSpace(line)
			require.True(t, filepath.IsAbs(dir), "the child said: %s", dir)
			var pid int
			if how == "killed" { // the others may be gone already
				pid = postmaster(t, dir)
				require.NoError(t, cmd.Process.Kill())
			}
			_ = cmd.Wait()
			require.Eventually(t, func() bool {
				_, err := os.Stat(dir)
				return os.IsNotExist(err)
			}, 20*time.Second, 10*time.Millisecond, "the folder stays")
			if pid != 0 {
				require.Eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH },
					20*time.Second, 10*time.Millisecond, "the server stays")
			}
		})
	}
}

func TestDetachedServerOutlivesItsProcess(t *testing.T) {
	pgtest.Shared(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVar+"=detaches", "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	dir := strings.TrimSpace(string(out))

	pid := postmaster(t, dir)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	pgtest.Exec(t, "postgres://postgres@/postgres?host="+dir, `SELECT 1`)
	require.NoError(t, syscall.Kill(pid, syscall.SIGINT))
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 20*time.Second, 10*time.Millisecond, "the folder stays")
	require.Equal(t, syscall.ESRCH, syscall.Kill(pid, 0))
}

// postmaster returns the server's process id, which is alive.
func postmaster(t *testing.T, dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(string(b), &pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0))
	return pid
}

func TestEveryTestHasItsOwnDatabase(t *testing.T) {
	pgtest.Shared(t) // skips where there is no server
	var uris []string
	t.Run("used", func(t *testing.T) {
		for range 2 {
			uri := pgtest.Database(t)
			pgtest.Exec(t, uri, `CREATE TABLE one (id int8); INSERT INTO one VALUES (1)`)
			pgtest.Connect(t, uri) // a session that is open does not keep the database
			uris = append(uris, uri)
		}
	})
	require.NotEqual(t, uris[0], uris[1])
	for _, uri := range uris {
		_, err := pgx.Connect(t.Context(), uri)
		require.ErrorContains(t, err, "does not exist")
	}
}

func TestRoleSeesOnlyWhatItIsGranted(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE seen (id int8); CREATE TABLE hidden (id int8)`)
	for range 2 { // the name is free again after the test that used it
		t.Run("role", func(t *testing.T) {
			reader := pgtest.Role(t, uri, "Pgtest reader", "CONNECTION LIMIT 5")
			pgtest.Exec(t, uri, `GRANT SELECT ON seen TO "Pgtest reader"`)
			conn := pgtest.Connect(t, reader)
			_, err := conn.Exec(t.Context(), `SELECT FROM seen`)
			require.NoError(t, err)
			_, err = conn.Exec(t.Context(), `SELECT FROM hidden`)
			require.ErrorContains(t, err, "permission denied")
		})
	}
}

func TestPostgresProgramsTakeTheURI(t *testing.T) {
	uri := pgtest.Database(t)
	for _, program := range []string{"psql", "pg_dump"} {
		path, err := pgbin.Find(program)
		require.NoError(t, err)
		args := map[string][]string{"psql": {"-Atc", "SELECT 1", uri}, "pg_dump": {"--schema-only", uri}}[program]
		out, err := exec.Command(path, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

func TestTCPNeedsThePassword(t *testing.T) {
	pgtest.Shared(t)
	s, err := pgtest.Start(t.Context(), pgtest.Options{TCP: true, Durable: true, Settings: map[string]string{"application_name": "it's set"}})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Stop()) }()
	require.NoError(t, s.CreateDatabase(t.Context(), "shop"))

	conn := pgtest.Connect(t, s.TCPURI("shop"))
	for setting, want := range map[string]string{"fsync": "on", "application_name": "it's set", "server_encoding": "UTF8"} {
		var got string
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT current_setting($1)`, setting).Scan(&got))
		require.Equal(t, want, got, setting)
	}
	_, err = pgx.Connect(t.Context(), strings.Replace(s.TCPURI("shop"), "postgres:", "postgres:not", 1))
	require.Error(t, err)
}

func TestStartSaysWhyItFailed(t *testing.T) {
	pgtest.Shared(t)
	_, err := pgtest.Start(t.Context(), pgtest.Options{Settings: map[string]string{"shared_buffers": "banana"}})
	require.ErrorContains(t, err, "the server ended while it started")
	require.ErrorContains(t, err, `invalid value for parameter "shared_buffers"`)
}

func TestStopLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	pgtest.Shared(t)
	s, err := pgtest.Start(t.Context(), pgtest.Options{})
	require.NoError(t, err)
	pid := postmaster(t, s.Dir())
	require.NoError(t, s.Stop())
	require.NoError(t, s.Stop(), "a second call")
	require.NoDirExists(t, s.Dir())
	require.Equal(t, syscall.ESRCH, syscall.Kill(pid, 0))
}
