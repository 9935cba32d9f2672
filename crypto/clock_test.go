package crypto

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestClockIsNearlyExactAndStopsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		start := time.Now()
		for range 100 {
			time.Sleep(70 * time.Millisecond)
			now, coarse := time.Since(start), c.coarse()
			require.InDelta(t, now, c.exact(), float64(time.Microsecond))
			require.LessOrEqual(t, coarse, now+time.Microsecond)
			require.Less(t, now-coarse, tickEvery+time.Millisecond)
		}
		time.Sleep(3 * tickEvery)
		require.EqualValues(t, stopped, c.now.Load(), "nobody reads it")
		time.Sleep(24 * time.Hour)
		require.InDelta(t, time.Since(start), c.coarse(), float64(time.Microsecond), "wound again, it is exact")
		require.Less(t, c.exact(), c.exact())
	})
}

// A machine that slept counts the time on its wall clock alone; one whose wall clock
// is set back counts it on the monotonic clock alone. Time never goes back.
func TestClockJumps(t *testing.T) {
	c := newClock()
	var monotonic, wall time.Duration
	c.system = func() (time.Duration, time.Duration) { return monotonic, wall }
	before := c.exact()
	step := func(m, w, want time.Duration) {
		t.Helper()
		monotonic, wall = monotonic+m, wall+w
		now := c.exact()
		require.Equal(t, want, now-before)
		before = now
	}
	monotonic, wall = c.monotonic, c.wall
	step(time.Second, time.Second, time.Second)
	step(time.Second, time.Hour, time.Hour)     // slept
	step(time.Minute, -time.Hour, time.Minute)  // set back
	step(0, -time.Hour, 1)                      // set back
	step(time.Second, 2*time.Hour, 2*time.Hour) // set forward again
}
