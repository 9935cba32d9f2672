package crypto

import (
	"sync"
	"sync/atomic"
	"time"
)

// tickEvery is how far behind a clock may be for those who read it cheaply.
const tickEvery = 250 * time.Millisecond

// A clock tells the time since its start. Reading it costs one atomic load, where
// the system's clock costs as much as a tenth of sealing a short value; for that it
// is up to tickEvery late. It ticks while it is read and stops by itself, so that an
// idle client wakes nobody.
//
// It follows the monotonic clock and the wall clock, whichever went further: the
// first does not count the time that a machine slept, the second may be set back.
// A wall clock that is set forward makes keys old before their time, which costs a
// reload.
type clock struct {
	now  atomic.Int64 // as of the last tick, or stopped
	used atomic.Bool  // since the last tick

	mu              sync.Mutex
	system          func() (monotonic, wall time.Duration)
	monotonic, wall time.Duration // of the system, as it was last read
	elapsed         time.Duration
	timer           *time.Timer
}

const stopped = -1

func newClock() *clock {
	start := time.Now()
	c := &clock{system: func() (time.Duration, time.Duration) {
		now := time.Now()
		return now.Sub(start), now.Round(0).Sub(start.Round(0))
	}}
	c.now.Store(stopped)
	return c
}

// coarse returns the time as of the last tick.
func (c *clock) coarse() time.Duration {
	now := c.now.Load()
	if now == stopped {
		return c.wind()
	}
	// Written only when it changes, so that readers share the cache line.
	if !c.used.Load() {
		c.used.Store(true)
	}
	return time.Duration(now)
}

// exact returns the time. Of two calls the later returns more, so that what began
// before and what began after can be told apart.
func (c *clock) exact() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance()
}

// wind starts the ticking.
func (c *clock) wind() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.advance()
	if c.now.Swap(int64(now)) != stopped {
		return now
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(tickEvery, c.tick)
	} else {
		c.timer.Reset(tickEvery)
	}
	return now
}

func (c *clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.used.Swap(false) {
		c.now.Store(stopped)
		return
	}
	c.now.Store(int64(c.advance()))
	c.timer.Reset(tickEvery)
}

// advance reads the system's clocks. The mutex is held.
func (c *clock) advance() time.Duration {
	monotonic, wall := c.system()
	c.elapsed += max(monotonic-c.monotonic, wall-c.wall, 1)
	c.monotonic, c.wall = monotonic, wall
	return c.elapsed
}
