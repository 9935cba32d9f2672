package crypto

import "time"

// Advance sets the client's clock forward, for tests whose network needs real time.
func Advance(c *Client, d time.Duration) {
	k := c.clock
	k.mu.Lock()
	defer k.mu.Unlock()
	system := k.system
	k.system = func() (time.Duration, time.Duration) {
		monotonic, wall := system()
		return monotonic + d, wall + d
	}
	if now := k.advance(); k.now.Load() != stopped {
		k.now.Store(int64(now))
	}
}

// Settle waits for what runs in the background.
func Settle(c *Client) { c.tasks.group.Wait() }

// Drop drops a keyring from memory.
func Drop(c *Client, tenant, subject string) { c.drop(tenant, subject) }

// Limits of the loads that unknown keys cause.
const (
	ReloadEvery   = reloadEvery
	GracePatience = gracePatience
	GraceRetry    = graceRetry
)

// DropRoot drops a tenant's root alone.
func DropRoot(c *Client, tenant string) {
	c.roots.drop(func(k cacheKey) bool { return k.tenant == tenant })
}
