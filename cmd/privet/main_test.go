package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/pgtest"
)

// tests runs the tests; the server they started is stopped when they end.
type tests struct{ *testing.M }

// Run runs the tests.
func (m tests) Run() int { return pgtest.Main(m.M) }

func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){"privet": main})
}

// TestCommand runs one script per feature, as a user types it, each with a
// database to copy (SOURCE) and one to replace (TARGET) on a real server.
func TestCommand(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	if os.Getenv("CI") == "true" {
		_, err := exec.LookPath("curl")
		require.NoError(t, err, "a script calls the sidecar by curl, and must not skip in CI")
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txt"), func(t *testing.T) {
			var source, target, reader string
			if strings.HasPrefix(filepath.Base(script), "reencrypt") {
				source = pgtest.Database(t)
			}
			if strings.HasPrefix(filepath.Base(script), "mask") {
				source, target = pgtest.Database(t), pgtest.Database(t)
				schema, err := os.ReadFile("testdata/clinic.sql")
				require.NoError(t, err)
				pgtest.Exec(t, source, string(schema))
				reader = pgtest.Role(t, source, "clinic_reader_"+strings.ReplaceAll(filepath.Base(script), ".txt", ""))
			}
			testscript.Run(t, testscript.Params{
				Files: []string{script},
				Setup: func(e *testscript.Env) error {
					e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
					e.Setenv("SOURCE", source)
					e.Setenv("TARGET", target)
					e.Setenv("READER", reader)
					return nil
				},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "sql": sqlIn(t), "key": keyID},
			})
		})
	}
}

// exits CODE PROGRAM ARGS… runs a program and wants that exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// sql URI STATEMENT runs a statement.
func sqlIn(t *testing.T) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 2 {
			ts.Fatalf("usage: sql URI STATEMENT")
		}
		pgtest.Exec(t, args[0], args[1])
	}
}

// key VARIABLE TENANT PURPOSE VERSION puts the id of one key into a variable.
func keyID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: key VARIABLE TENANT PURPOSE VERSION")
	}
	ts.Check(ts.Exec("privet", "keys", "list", "--keys", "--tenant", args[1], "--purpose", args[2]))
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if id, rest, _ := strings.Cut(strings.TrimSpace(line), "  "); strings.HasPrefix(rest, "version "+args[3]+" ") {
			ts.Setenv(args[0], id)
			return
		}
	}
	ts.Fatalf("no such key")
}

func TestAPanicShowsNoValue(t *testing.T) {
	var out, errs strings.Builder
	code := run(context.Background(), []string{"version"}, streams{in: strings.NewReader(""), out: panicking{}, err: &errs})
	require.Equal(t, 1, code)
	require.Empty(t, out.String())
	require.Contains(t, errs.String(), "privet: internal error (string) at github.com/privet-dev/privet/cmd/privet.")
	require.NotContains(t, errs.String(), "jane@acme.example")
}

// panicking is a writer whose panic holds a personal value.
type panicking struct{}

// Write panics.
func (panicking) Write([]byte) (int, error) { panic("jane@acme.example") }
