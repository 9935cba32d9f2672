package copytext

import (
	"bytes"
	"errors"
	"slices"
)

// A rowWriter is the io.Writer of COPY TO: it rewrites each row into the current
// block and hands full blocks over. A Write may hold a part of a row, or many.
type rowWriter struct {
	blocks   *blocks
	rewriter *Rewriter
	pass     bool // rows go through unseen
	progress func(rows, bytes int64)

	block   []byte
	inBlock int64  // rows that end in block
	rows    int64  // rows handed over
	partial []byte // the start of a row whose end has not come yet
	open    bool   // the last byte passed on did not end a row
	err     error  // what the rewriter said
}

var errTruncated = errors.New("the source ended in the middle of the row")

// Write takes what the source sent. After an error every Write fails.
func (w *rowWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.block == nil {
		w.block = w.blocks.fresh()
	}
	var err error
	if w.pass {
		err = w.passOn(p)
	} else {
		err = w.rewrite(p)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *rowWriter) passOn(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	w.block = append(w.block, p...)
	w.open = p[len(p)-1] != '\n'
	if len(w.block) >= blockSize {
		return w.flush()
	}
	return nil
}

func (w *rowWriter) rewrite(p []byte) error {
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			break
		}
		line := p[:i]
		if len(w.partial) > 0 {
			w.partial = append(w.partial, line...)
			line = w.partial
		}
		if len(line) > blockSize {
			// Growing step by step to the size of a long row leaves several times that
			// size behind.
			w.block = slices.Grow(w.block, len(line)+len(line)/16)
		}
		var err error
		if w.block, err = w.rewriter.appendRow(w.block, line); err != nil {
			w.err = err
			return err
		}
		w.block = append(w.block, '\n')
		w.inBlock++
		if w.partial = w.partial[:0]; cap(w.partial) > keepSize {
			w.partial = nil
		}
		if len(w.block) >= blockSize {
			if err := w.flush(); err != nil {
				return err
			}
		}
		p = p[i+1:]
	}
	w.partial = append(w.partial, p...)
	return nil
}

// flush hands the current block over and takes a new one.
func (w *rowWriter) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	if w.pass {
		w.inBlock = int64(bytes.Count(w.block, newline))
	}
	rows, size := w.inBlock, int64(len(w.block))
	if err := w.blocks.hand(w.block); err != nil {
		return err
	}
	w.rows += rows
	w.inBlock = 0
	w.block = w.blocks.fresh()
	if w.progress != nil {
		w.progress(rows, size)
	}
	return nil
}

// finish hands over the last block and says that every row is there. Without it
// the target never sees the end, and keeps nothing.
func (w *rowWriter) finish() error {
	if w.open || len(w.partial) > 0 {
		w.err = &RowError{Row: w.rows + w.inBlock + 1, Column: -1, Err: errTruncated}
		return w.err
	}
	if err := w.flush(); err != nil {
		return err
	}
	close(w.blocks.full)
	return nil
}
