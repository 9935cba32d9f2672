package pgtest

import (
	"context"
	"strconv"
	"testing"
)

// StartStandby starts a hot standby of primary, by streaming replication. What
// the primary has committed arrives a moment later: wait for it with
// pg_last_wal_replay_lsn, or stop it with pg_wal_replay_pause. The user of the
// standby is the primary's, and so are its settings where opts say nothing.
func StartStandby(ctx context.Context, primary *Server, opts Options) (*Server, error) {
	if opts.BinDir == "" {
		opts.BinDir = primary.binDir
	}
	return start(ctx, opts, func(s *Server, ctx context.Context) error {
		s.password = primary.password
		return s.run(ctx, "pg_basebackup", "--pgdata="+s.dataDir(), "--host="+primary.dir, "--port="+strconv.Itoa(primary.port),
			"--username="+Superuser, "--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync")
	})
}

// Standby starts a hot standby of the process's one server and returns the
// standby's URI of the database in uri. It stops when the test ends.
func Standby(t testing.TB, uri string) string {
	t.Helper()
	s, err := StartStandby(t.Context(), Shared(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s.URI(databaseOf(t, uri))
}
