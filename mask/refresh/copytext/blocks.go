package copytext

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// blockSize is when a block is handed over, in bytes. The row that passes it
	// is still part of it.
	blockSize = 128 << 10
	// keepSize is up to which capacity a block is used again; a larger one was
	// grown by a row that may be the only one of its size.
	keepSize = 4 * blockSize
	// inFlight is how many full blocks may wait for the target.
	inFlight = 2
	// idleRead is how long Read waits for a block before it returns nothing.
	// CopyFrom looks between two Reads, and never during one, whether the server
	// has refused the rows: a source that sends nothing would keep it waiting.
	idleRead = 100 * time.Millisecond
)

// errStopped is what both sides are told when the rows must not all arrive. The
// target fails its COPY with this text, and logs it.
var errStopped = errors.New("privet: the copy was stopped before all rows were sent")

// blocks hands rows over from the goroutine that reads the source to the one
// that writes the target. It is the io.Reader of the latter.
type blocks struct {
	full    chan []byte // closed when every row is in it, and only then
	free    chan []byte
	stopped chan struct{}
	once    sync.Once
	// refused is set once Read has returned errStopped.
	refused atomic.Bool

	mu      sync.Mutex // held during Read
	block   []byte     // what Read is taking from
	pending []byte     // the rest of it
}

func newBlocks() *blocks {
	return &blocks{
		full:    make(chan []byte, inFlight),
		free:    make(chan []byte, inFlight),
		stopped: make(chan struct{}),
	}
}

// stop makes both sides fail from now on. It may be called more than once and
// from anywhere.
func (b *blocks) stop() { b.once.Do(func() { close(b.stopped) }) }

// quiet waits until no Read is running. After stop none waits any more.
func (b *blocks) quiet() {
	b.mu.Lock()
	defer b.mu.Unlock()
}

// fresh returns an empty block.
func (b *blocks) fresh() []byte {
	select {
	case block := <-b.free:
		return block[:0]
	default:
		return make([]byte, 0, blockSize+blockSize/4)
	}
}

// hand gives a block to the reader, waiting until there is room.
func (b *blocks) hand(block []byte) error {
	select {
	case b.full <- block:
		return nil
	case <-b.stopped:
		return errStopped
	}
}

// Read gives the rows to COPY FROM: io.EOF comes after all of them and never
// otherwise, because at io.EOF the target keeps what it has. It returns 0 and no
// error where no row has come for a while.
func (b *blocks) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.stopped:
		return b.refuse()
	default:
	}
	if len(b.pending) == 0 {
		b.recycle()
		idle := time.NewTimer(idleRead)
		defer idle.Stop()
		select {
		case <-b.stopped:
			return b.refuse()
		case <-idle.C:
			return 0, nil
		case block, ok := <-b.full:
			if !ok {
				return 0, io.EOF
			}
			b.block, b.pending = block, block
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

func (b *blocks) refuse() (int, error) {
	b.refused.Store(true)
	return 0, errStopped
}

// recycle puts the block that has been read to the free ones.
func (b *blocks) recycle() {
	if b.block == nil || cap(b.block) > keepSize {
		b.block = nil
		return
	}
	select {
	case b.free <- b.block:
	default:
	}
	b.block = nil
}
