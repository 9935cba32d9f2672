package refresh_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
)

// failed runs and expects a failure after the new database was made: the target
// is as it was, and the half-made database refuses connections and says so.
func (p *pair) failed(cfg refresh.Config, kind fault.Kind) error {
	p.t.Helper()
	check := p.untouched()
	_, err := refresh.Run(ctx(p.t), cfg)
	require.Error(p.t, err)
	require.Equal(p.t, kind, fault.KindOf(err), "%v", err)
	check()
	require.Len(p.t, p.leftovers(), 1)
	half := query(p.t, p.admin,
		"SELECT datallowconn, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", p.leftovers()[0])
	require.Contains(p.t, half[0], `false|privet-refresh {"state":"failed"`)
	return err
}

// recovers runs again and expects the leftover to be named, dropped and replaced
// by a refreshed target.
func (p *pair) recovers(cfg refresh.Config) {
	p.t.Helper()
	left := p.leftovers()[0]
	_, err := refresh.Run(ctx(p.t), cfg)
	require.NoError(p.t, err)
	require.Empty(p.t, p.leftovers())
	require.Contains(p.t, strings.Join(p.progress.notes, "\n"), `dropping database "`+left+`"`)
}

func TestAValueThatARuleCannotMask(t *testing.T) {
	leaks(t)
	p := newPair(t)
	text := strings.Replace(testdata(t, "privet.yaml"), `card: {class: restricted, type: card_number, mask: "null"}`,
		`card: {class: restricted, type: card_number, mask: "fpe(keep_last=4)"}`, 1)
	pgtest.Exec(t, p.source, "UPDATE payment SET card = '4111 1111 1111 1111'; UPDATE payment SET card = 'not-a-card' WHERE id = 123")
	err := p.failed(p.config(text), fault.Data)
	require.Contains(t, err.Error(), "public.payment_2025.card")
	require.Contains(t, err.Error(), "id = 123")
	require.NotContains(t, err.Error()+fault.HintOf(err), "not-a-card")
	pgtest.Exec(t, p.source, "UPDATE payment SET card = NULL WHERE id = 123")
	p.recovers(p.config(text))
}

// A rule whose results the column's own constraint refuses: the error quotes no
// row, as the server's does in its DETAIL.
func TestAConstraintThatFailsAtTheEnd(t *testing.T) {
	leaks(t)
	p := newPair(t)
	pgtest.Exec(t, p.source, "CREATE UNIQUE INDEX one_note ON customer (favourite, notes, id); CREATE UNIQUE INDEX name_and_note ON customer (code, notes)")
	pgtest.Exec(t, p.source, "UPDATE customer SET code = 'SAME'")
	err := p.failed(p.config(testdata(t, "privet.yaml")), fault.Data)
	require.Contains(t, err.Error(), "name_and_note")
	require.NotContains(t, err.Error(), "SAME")
	require.NotContains(t, err.Error(), "a note")
	require.NotEmpty(t, fault.HintOf(err))
	pgtest.Exec(t, p.source, "DROP INDEX name_and_note")
	p.recovers(p.config(testdata(t, "privet.yaml")))
}

// An original that stands in a kept column fails the verification.
func TestVerificationFails(t *testing.T) {
	leaks(t)
	p := newPair(t)
	pgtest.Exec(t, p.source, "UPDATE country SET name = (SELECT 'France, see ' || email FROM customer WHERE id = 7) WHERE code = 'FR'")
	check := p.untouched()
	res, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.ErrorIs(t, err, refresh.ErrVerification)
	require.Equal(t, fault.Verify, fault.KindOf(err))
	require.Contains(t, err.Error(), "public.country.name")
	require.NotContains(t, err.Error(), "@")
	require.False(t, res.Verify.OK)
	require.False(t, res.Swapped)
	check()
	require.Len(t, p.leftovers(), 1)
	pgtest.Exec(t, p.source, "UPDATE country SET name = 'France' WHERE code = 'FR'")
	p.recovers(p.config(testdata(t, "privet.yaml")))
}

func TestInterrupted(t *testing.T) {
	leaks(t)
	for _, stage := range []string{"snapshot", "rows", "indexes", "verify"} {
		t.Run(stage, func(t *testing.T) {
			p := newPair(t)
			check := p.untouched()
			c, cancel := context.WithCancel(ctx(t))
			p.progress.onStage = func(s string) {
				if s == stage {
					cancel()
				}
			}
			_, err := refresh.Run(c, p.config(testdata(t, "privet.yaml")))
			require.ErrorIs(t, err, refresh.ErrInterrupted)
			require.Equal(t, fault.Stopped, fault.KindOf(err))
			check()
			p.progress.onStage = nil
			if stage == "snapshot" {
				require.Empty(t, p.leftovers())
				return
			}
			p.recovers(p.config(testdata(t, "privet.yaml")))
		})
	}
}

// The target's sessions are ended in the middle of the rows, the maintenance
// session among them.
func TestTheTargetsServerEndsOurSessions(t *testing.T) {
	leaks(t)
	p := newPair(t)
	check := p.untouched()
	var once sync.Once
	p.progress.onRows = func(string) {
		once.Do(func() {
			query(t, p.admin,
				"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'privet mask run %' AND datname <> $1", database(t, p.source))
		})
	}
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.Error(t, err)
	p.progress.onRows = nil
	check()
	require.Contains(t, query(t, p.admin, "SELECT datallowconn FROM pg_database WHERE datname = $1", p.leftovers()[0]), "false")
	p.recovers(p.config(testdata(t, "privet.yaml")))
}

func TestASecondRunIsRefused(t *testing.T) {
	leaks(t)
	p := newPair(t)
	first := make(chan error, 1)
	reached, release := make(chan struct{}), make(chan struct{})
	cfg := p.config(testdata(t, "privet.yaml"))
	cfg.Progress = &progress{onStage: func(s string) {
		if s == "rows" {
			close(reached)
			<-release
		}
	}}
	go func() {
		_, err := refresh.Run(ctx(t), cfg)
		first <- err
	}()
	<-reached
	_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.ErrorIs(t, err, refresh.ErrBusy)
	require.Equal(t, fault.Guard, fault.KindOf(err))
	_, err = refresh.Resume(ctx(t), p.config(testdata(t, "privet.yaml")))
	require.ErrorIs(t, err, refresh.ErrBusy)
	close(release)
	require.NoError(t, <-first)
}

// An ALTER TABLE or TRUNCATE that waits for the run's locks stops everybody else
// behind it, so the run ends itself and says for whom.
func TestTheRunGivesWay(t *testing.T) {
	leaks(t)
	for _, c := range []struct{ sql, reader, want string }{
		{"ALTER TABLE customer ADD COLUMN surprise text DEFAULT 'of 1234'", "", "ALTER TABLE"},
		{"TRUNCATE sales.orders", "", "TRUNCATE"},
		{"ALTER TABLE customer DROP COLUMN code", "yield_reader", "ACCESS EXCLUSIVE"}, // which may not see what others do
	} {
		sql := c.sql
		t.Run(c.want, func(t *testing.T) {
			p := newPair(t)
			cfg := p.config(testdata(t, "privet.yaml"))
			if c.reader != "" {
				cfg.Source = pgtest.Role(t, p.source, c.reader, "IN ROLE pg_read_all_data")
			}
			cfg.YieldAfter = 200 * time.Millisecond
			waited := make(chan error, 1)
			stopped := make(chan struct{})
			migration := pgtest.Connect(t, p.source)
			var once sync.Once
			p.progress.onStage = func(s string) {
				if s != "rows" {
					return
				}
				once.Do(func() {
					go func() {
						_, err := migration.Exec(context.Background(), sql)
						waited <- err
					}()
					// Held until the run has noticed: its context ends.
					require.NoError(t, <-waited)
					close(stopped)
				})
			}
			check := p.untouched()
			began := time.Now()
			_, err := refresh.Run(ctx(t), cfg)
			require.ErrorIs(t, err, refresh.ErrYielded)
			require.Equal(t, fault.Guard, fault.KindOf(err))
			require.Contains(t, err.Error(), c.want)
			require.Contains(t, err.Error(), `user "postgres"`)
			require.NotContains(t, err.Error(), "1234")
			require.Less(t, time.Since(began), 30*time.Second)
			<-stopped
			check()
		})
	}
}

// A lock that stands in the way at the start is waited for, and the rows that
// were committed under it are seen.
func TestLocksComeBeforeTheSnapshot(t *testing.T) {
	leaks(t)
	p := newPair(t)
	other := pgtest.Connect(t, p.source)
	_, err := other.Exec(t.Context(), "BEGIN; TRUNCATE country; INSERT INTO country VALUES ('PT', 'Portugal')")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() {
		_, err := refresh.Run(ctx(t), p.config(testdata(t, "privet.yaml")))
		done <- err
	}()
	require.Eventually(t, func() bool {
		return len(query(t, p.source, `SELECT FROM pg_stat_activity WHERE datname = current_database()
			AND application_name LIKE 'privet mask run %' AND query = 'ROLLBACK'
			UNION ALL SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND application_name LIKE 'privet mask run %'`)) > 0
	}, 20*time.Second, 10*time.Millisecond)
	_, err = other.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, <-done)
	require.Equal(t, []string{"PT|Portugal"}, query(t, p.target, "SELECT * FROM country"))
}
