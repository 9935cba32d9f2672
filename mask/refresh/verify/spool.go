package verify

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// blockSize is how much of one partition a writer collects before it hands it on.
const blockSize = 8 << 10

// A budget is memory that several spools share.
type budget struct{ left atomic.Int64 }

// take reserves n bytes, or nothing.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) >= 0 {
		return true
	}
	b.left.Add(n)
	return false
}

// A spool holds records of one fixed width, divided into partitions by the top
// bits of the fingerprint in their first eight bytes, so that two spools can be
// joined a partition at a time. What the budget does not cover goes to a
// temporary file, which has no name from its first byte on where the system
// allows it.
type spool struct {
	width  int
	bits   uint
	budget *budget
	dir    string

	mu    sync.Mutex
	parts []partition
	file  *os.File
	end   int64
	taken int64
}

// A partition is where its blocks are.
type partition struct {
	memory [][]byte
	disk   []extent
	size   int
}

type extent struct {
	offset int64
	size   int
}

// newSpool returns an empty spool of 1<<bits partitions.
func newSpool(width int, bits uint, b *budget, dir string) *spool {
	return &spool{width: width, bits: bits, budget: b, dir: dir, parts: make([]partition, 1<<bits)}
}

// put appends a block of whole records to a partition. It does not keep block.
func (s *spool) put(p int, block []byte) error {
	if len(block) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	part := &s.parts[p]
	part.size += len(block)
	if n := int64(len(block)); s.budget.take(n) {
		s.taken += n
		part.memory = append(part.memory, append([]byte(nil), block...))
		return nil
	}
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "privet-verify-*")
		if err != nil {
			return fmt.Errorf("fingerprints that do not fit into memory: %w", err)
		}
		s.file = f
		_ = os.Remove(f.Name()) // refused for an open file on some systems; close tries again
	}
	if _, err := s.file.WriteAt(block, s.end); err != nil {
		return fmt.Errorf("fingerprints that do not fit into memory: %w", err)
	}
	part.disk = append(part.disk, extent{s.end, len(block)})
	s.end += int64(len(block))
	return nil
}

// load returns all records of a partition, in buf where it is large enough. A
// partition that was put as one block comes back in its order.
func (s *spool) load(p int, buf []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	part := &s.parts[p]
	if cap(buf) < part.size {
		buf = make([]byte, part.size)
	}
	buf = buf[:part.size]
	n := 0
	for _, b := range part.memory {
		n += copy(buf[n:], b)
	}
	for _, e := range part.disk {
		if _, err := s.file.ReadAt(buf[n:n+e.size], e.offset); err != nil {
			return nil, fmt.Errorf("reading fingerprints back: %w", err)
		}
		n += e.size
	}
	return buf, nil
}

// spilled reports whether some of it is in a file.
func (s *spool) spilled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file != nil
}

// close gives memory and file back. It may be called twice.
func (s *spool) close() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = nil
	s.budget.left.Add(s.taken)
	s.taken = 0
	if s.file != nil {
		_ = s.file.Close()
		_ = os.Remove(s.file.Name())
		s.file = nil
	}
}

// A spoolWriter appends records to a spool. It belongs to one goroutine; several
// may write to one spool.
type spoolWriter struct {
	s      *spool
	blocks [][]byte
}

func (s *spool) writer() *spoolWriter {
	return &spoolWriter{s: s, blocks: make([][]byte, len(s.parts))}
}

// add appends one record.
func (w *spoolWriter) add(rec []byte) error {
	p := int(binary.LittleEndian.Uint64(rec) >> (64 - w.s.bits))
	w.blocks[p] = append(w.blocks[p], rec...)
	if len(w.blocks[p])+len(rec) <= blockSize {
		return nil
	}
	err := w.s.put(p, w.blocks[p])
	w.blocks[p] = w.blocks[p][:0]
	return err
}

// flush hands over what was collected.
func (w *spoolWriter) flush() error {
	for p, b := range w.blocks {
		if err := w.s.put(p, b); err != nil {
			return err
		}
		w.blocks[p] = nil
	}
	return nil
}
