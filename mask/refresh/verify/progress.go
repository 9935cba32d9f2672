package verify

import (
	"sync"
	"sync/atomic"

	"github.com/privet-dev/privet/internal/catalog"
)

// progress counts for Input.Progress.
type progress struct {
	to   func(Progress)
	rows atomic.Int64

	mu  sync.Mutex
	now Progress
}

// progressEvery is how many rows pass between two calls.
const progressEvery = 1 << 14

func (p *progress) phase(name string, of int) {
	p.mu.Lock()
	p.now = Progress{Phase: name, Of: of}
	p.mu.Unlock()
	p.rows.Store(0)
	p.tell()
}

// table says that t is being read; the function it returns, that it is done.
func (p *progress) table(t *catalog.Table) func() {
	p.mu.Lock()
	p.now.Table = t.String()
	p.mu.Unlock()
	p.tell()
	return func() {
		p.mu.Lock()
		p.now.Tables++
		p.mu.Unlock()
		p.tell()
	}
}

func (p *progress) row() {
	if p.rows.Add(1)%progressEvery == 0 {
		p.tell()
	}
}

func (p *progress) tell() {
	if p.to == nil {
		return
	}
	p.mu.Lock()
	now := p.now
	p.mu.Unlock()
	now.Rows = p.rows.Load()
	p.to(now)
}
