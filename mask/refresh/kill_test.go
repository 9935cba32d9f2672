package refresh_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/guard"
	"github.com/privet-dev/privet/policy"
)

// victim is what a process that is to be killed is told.
type victim struct {
	Source, Target, Policy, Stage, TempDir string
	Entry                                  guard.Target
}

const victimEnv = "PRIVET_TEST_VICTIM"

// TestVictim is the process that TestKilled kills: it runs until the stage it was
// told, and kills itself there.
func TestVictim(t *testing.T) {
	text := os.Getenv(victimEnv)
	if text == "" {
		t.Skip("runs only as a child of TestKilled")
	}
	var v victim
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	pol, err := policy.Parse("privet.yaml", []byte(v.Policy))
	require.NoError(t, err)
	die := func(stage string) {
		if stage == v.Stage {
			self, err := os.FindProcess(os.Getpid())
			require.NoError(t, err)
			require.NoError(t, self.Kill())
			select {}
		}
	}
	_, err = refresh.Run(context.Background(), refresh.Config{Source: v.Source, Target: v.Target, Policy: pol, Keys: keys{}, TempDir: v.TempDir,
		Targets: map[string]guard.Target{"x": v.Entry}, Progress: &progress{onStage: die, onRows: func(string) { die("row") }}})
	t.Fatal("not killed: ", err)
}

// A run that is killed leaves the target alone and a database that nobody but
// the loader may connect to, which the next run drops.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, stage := range []string{"row", "indexes", "verify", "swap"} {
		t.Run(stage, func(t *testing.T) {
			p := newPair(t)
			check := p.untouched()
			temp := t.TempDir()
			text, err := json.Marshal(victim{Source: p.source, Target: p.target, Policy: testdata(t, "privet.yaml"), Stage: stage, TempDir: temp, Entry: p.entry})
			require.NoError(t, err)
			c, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(c, self, "-test.run=^TestVictim$")
			cmd.Env = append(os.Environ(), victimEnv+"="+string(text), "TMPDIR="+temp)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			require.True(t, errors.As(err, &exit) && !exit.Exited(), "the child was to be killed: %v\n%s", err, out)
			check()
			left := p.leftovers()
			require.Len(t, left, 1)
			state := query(t, p.admin, `SELECT shobj_description(oid, 'pg_database') LIKE 'privet-refresh {"state":"loading"%', has_database_privilege('public', oid, 'CONNECT')
				FROM pg_database WHERE datname = $1`, left[0])
			require.Equal(t, []string{"true|false"}, state)
			require.Eventually(t, func() bool {
				return query(t, p.admin, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'privet mask run%' AND datname = ANY($1)",
					[]string{database(t, p.source), left[0], database(t, p.target), "postgres"})[0] == "0"
			}, 20*time.Second, 20*time.Millisecond, "the server notices that the run is gone")
			left, err = filepath.Glob(filepath.Join(temp, "privet-refresh-*"))
			require.NoError(t, err)
			require.Len(t, left, 1, "the killed run's files")
			cfg := p.config(testdata(t, "privet.yaml"))
			cfg.TempDir = temp
			p.recovers(cfg)
			files, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, files, "the next run removes what a killed one has left")
		})
	}
}
