package envelope

import (
	"crypto/cipher"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// A dataKey is an unwrapped data key: the one a tenant's messages are encrypted
// under, or one that was read. It is safe for concurrent use.
type dataKey struct {
	aead cipher.AEAD
	// header stands before the nonce of everything this key encrypts.
	header []byte
	// keks are the KEKs that vouch for the key, a bit each: those that wrapped it, or
	// the one that unwrapped it.
	keks uint8

	// Since the client's start on the monotonic clock: from when on another key is
	// fetched in the background, until when this one is good, and until when it is
	// used while the key service is unavailable.
	refresh, expires, dead time.Duration

	// What it may encrypt; 0 where it only decrypts.
	maxMessages, maxBytes uint64
	messages, bytes       atomic.Uint64
	spent                 atomic.Bool // a message did not fit

	renewing atomic.Bool
	bridging atomic.Bool // the last attempt to renew it found the key service away
	failures atomic.Int32
	retry    atomic.Int64 // no attempt to renew it before, as a time.Duration
}

// lease sets how long the key is used, from now on. The refresh is at about 80 % of
// the life, not for all keys and processes at once.
func (k *dataKey) lease(now, life, grace time.Duration) {
	k.refresh = now + time.Duration((0.75+0.1*rand.Float64())*float64(life))
	k.expires = now + life
	k.dead = k.expires + grace
}

// take counts a message of n bytes, and reports whether the key may encrypt it and
// whether little is left.
func (k *dataKey) take(n uint64) (ok, low bool) {
	if k.maxMessages == 0 {
		return true, false
	}
	// Counted first: of two who would both be the last, one is above the limit.
	m, b := k.messages.Add(1), k.bytes.Add(n)
	if m > k.maxMessages || b > k.maxBytes {
		// A shorter message may still fit.
		k.messages.Add(^uint64(0))
		k.bytes.Add(-n)
		k.spent.Store(true)
		return false, true
	}
	return true, m > most(k.maxMessages) || b > most(k.maxBytes)
}

// low reports whether little is left, or was too little for a message.
func (k *dataKey) low() bool {
	return k.spent.Load() || k.messages.Load() > most(k.maxMessages) || k.bytes.Load() > most(k.maxBytes)
}

// most is the part of a limit from which on the successor is fetched.
func most(limit uint64) uint64 { return limit - limit/5 }

// failed puts the next attempt to renew the key off: a second, and twice as long
// each time, up to half a minute, less a random half.
func (k *dataKey) failed(now time.Duration, unavailable bool) {
	wait := min(time.Second<<min(k.failures.Add(1)-1, 5), 30*time.Second)
	k.retry.Store(int64(now + wait/2 + rand.N(wait/2)))
	k.bridging.Store(unavailable)
}

// bridges reports whether the key, its life over, is used because the key service was
// unavailable when it was last asked for another.
func (k *dataKey) bridges(now time.Duration) bool { return now < k.dead && k.bridging.Load() }
