package crypto

import (
	"sync/atomic"
	"time"
)

// missMemory is how long a keyring is not read again for a key that it did not have. A
// service that opens a table's ciphertexts as another tenant's would otherwise wait
// for the keystore with each, all in vain.
//
// The memory holds ids and never says of another than was asked: a rotation shows at
// once, unless it draws, within the second, the very id of 32 bits that was forged.
const missMemory = time.Second

// misses are ids of keys that a keyring lacked when it was read for them, each with the
// millisecond of the asking, at the place that its last bits say.
type misses [4]atomic.Uint64

func (m *misses) add(id uint32, asked time.Duration) {
	m[id%uint32(len(m))].Store(uint64(id)<<32 | uint64(uint32(asked.Milliseconds())))
}

// has reports whether id was asked for less than missMemory before now.
func (m *misses) has(id uint32, now time.Duration) bool {
	v := m[id%uint32(len(m))].Load()
	ago := uint32(now.Milliseconds()) - uint32(v)
	return v != 0 && uint32(v>>32) == id && time.Duration(ago)*time.Millisecond < missMemory
}
