package pgtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/pgtest"
)

func TestStandbyFollowsThePrimary(t *testing.T) {
	uri := pgtest.Database(t)
	standby := pgtest.Connect(t, pgtest.Standby(t, uri))

	var recovering bool
	require.NoError(t, standby.QueryRow(t.Context(), `SELECT pg_is_in_recovery()`).Scan(&recovering))
	require.True(t, recovering)

	pgtest.Exec(t, uri, `CREATE TABLE late (id int8)`)
	require.Eventually(t, func() bool {
		_, err := standby.Exec(t.Context(), `SELECT FROM late`)
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
}
