package refresh_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
)

const onePerson = `version: 1
tenant: acme
tables:
  public.person: {columns: {id: {keep: key}, email: {type: email, mask: email}}}
`

func smallPair(t *testing.T) *pair {
	t.Helper()
	p := emptyPair(t)
	pgtest.Exec(t, p.source, "CREATE TABLE person (id int PRIMARY KEY, email text); INSERT INTO person VALUES (1, 'one@source-mail.net')")
	return p
}

// A run that is killed while the server makes its database leaves one without a
// comment. Its name and its state say enough to drop it; other databases stay.
func TestADatabaseWithoutAComment(t *testing.T) {
	p := smallPair(t)
	name := database(t, p.target)
	for suffix, options := range map[string]string{"0011aabb": "ALLOW_CONNECTIONS false", "ffff0000": "", "archived": "ALLOW_CONNECTIONS false"} {
		pgtest.Exec(t, p.admin, fmt.Sprintf("CREATE DATABASE %q TEMPLATE template0 %s", name+"_privet_"+suffix, options))
	}
	_, err := refresh.Run(ctx(t), p.config(onePerson))
	require.NoError(t, err)
	require.Equal(t, []string{name + "_privet_archived", name + "_privet_ffff0000"}, p.leftovers())
	require.Contains(t, strings.Join(p.progress.notes, "\n"), fmt.Sprintf("dropping database %q, left by run 0011aabb (loading)", name+"_privet_0011aabb"))
}

// An old database that cannot be dropped is told before the swap, and does not
// stop the refreshes that follow.
func TestAnOldDatabaseThatStaysInUse(t *testing.T) {
	p := smallPair(t)
	pgtest.Exec(t, p.target, "CREATE SUBSCRIPTION feed_"+database(t, p.target)+" CONNECTION 'dbname=nowhere' PUBLICATION x WITH (connect = false)")
	res, err := refresh.Run(ctx(t), p.config(onePerson))
	require.NoError(t, err)
	require.NotEmpty(t, res.Old)
	old := pgtest.InDatabase(t, p.target, res.Old)
	t.Cleanup(func() {
		for _, sql := range []string{"SET (slot_name = NONE)", ""} {
			verb := "ALTER"
			if sql == "" {
				verb = "DROP"
			}
			query(t, old, fmt.Sprintf("%s SUBSCRIPTION feed_%s %s", verb, database(t, p.target), sql))
		}
	})
	require.Contains(t, res.Notes[0], "subscription feed_"+database(t, p.target)+" stays with the old database")
	require.Equal(t, 1, strings.Count(res.Notes[1], "SQLSTATE 55006"), res.Notes[1])

	res, err = refresh.Run(ctx(t), p.config(onePerson))
	require.NoError(t, err, "the database of the run before stays")
	require.Empty(t, res.Old)
	require.Contains(t, strings.Join(res.Notes, "\n"), "drop its logical replication slots and subscriptions")
}

// The session that holds the snapshot is ended: the run says so, although the
// server calls it a bad argument.
func TestTheSnapshotIsLost(t *testing.T) {
	p := smallPair(t)
	p.progress.onStage = func(stage string) {
		if stage == "verify" {
			query(t, p.admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND state = 'idle in transaction'", database(t, p.source))
		}
	}
	err := p.failed(p.config(onePerson), fault.Stopped)
	require.Contains(t, err.Error(), "the snapshot of the run is gone")
}

func TestATemplateIsNoTarget(t *testing.T) {
	p := smallPair(t)
	name := database(t, p.target)
	pgtest.Exec(t, p.admin, fmt.Sprintf("ALTER DATABASE %q IS_TEMPLATE true", name))
	defer pgtest.Exec(t, p.admin, fmt.Sprintf("ALTER DATABASE %q IS_TEMPLATE false", name))
	_, err := refresh.Run(ctx(t), p.config(onePerson))
	require.Equal(t, fault.Guard, fault.KindOf(err))
	require.ErrorContains(t, err, "template")
}

// A migration that waits for a lock with a short patience, and tries again later,
// is what production should do: it does not end the run.
func TestAShortWaitDoesNotEndTheRun(t *testing.T) {
	p := smallPair(t)
	migration := pgtest.Connect(t, p.source)
	gaveUp := make(chan error, 1)
	p.progress.onStage = func(stage string) {
		if stage != "rows" {
			return
		}
		go func() {
			_, err := migration.Exec(context.Background(), "SET lock_timeout = '300ms'; ALTER TABLE person ADD COLUMN later int")
			gaveUp <- err
		}()
		require.Eventually(t, func() bool {
			return query(t, p.source, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'person'::regclass")[0] == "1"
		}, 10*time.Second, time.Millisecond)
	}
	_, err := refresh.Run(ctx(t), p.config(onePerson))
	require.NoError(t, err)
	require.ErrorContains(t, <-gaveUp, "55P03")
}
