package main

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/mask/refresh/verify"
)

// screen is a terminal that remembers what was written to it.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write keeps p.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// last returns what stands on the screen at the end: each drawing moves up over
// the one before.
func (s *screen) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.text.String()
	if i := strings.LastIndex(text, "\x1b["); i >= 0 {
		text = text[i:]
	}
	return text
}

// ends fails the test where End does not come back.
func ends(t *testing.T, b *bars, err error) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.End(err)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the bars wait for rows that do not come")
	}
}

// The planner's estimates are too high, too low or missing; the bars end all the
// same, and say what there was.
func TestBarsEndWhateverWasEstimated(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, estimate := range []int64{-1, 0, 3, 5, 1000} {
		s := &screen{}
		b := newBars(s)
		b.Stage("guards")
		b.Stage("rows")
		b.Total(2, estimate, 1<<20)
		for _, table := range []string{"public.customer", "public.orders"} {
			b.Table(table, estimate, 1<<20)
			b.Rows(table, 5, 100)
			b.Done(table, 5)
		}
		b.Note("a note")
		b.Stage("verify")
		b.Verify(verify.Progress{Phase: "source", Of: 2, Rows: 7})
		b.Verify(verify.Progress{Phase: "source", Tables: 2, Of: 2, Rows: 10})
		b.Verify(verify.Progress{Phase: "target", Tables: 1, Of: 2, Rows: 12})
		b.Stage("swap")
		ends(t, b, nil)
		last := s.last()
		require.Regexp(t, `guards +00:00 +done`, last)
		require.Regexp(t, `rows +00:00 +done +10 rows, \d+`, last)
		require.Regexp(t, `verify +00:00 +done +source: 2 of 2`, last)
		require.Regexp(t, `verify +00:00 +done +target: 1 of 2`, last)
		require.Regexp(t, `swap +00:00 +done`, last)
		require.NotContains(t, last, "public.customer", "a finished table's bar goes away")
		require.Contains(t, s.text.String(), "a note")
	}
}

func TestBarsOfAFailureSayWhereItStopped(t *testing.T) {
	s := &screen{}
	b := newBars(s)
	b.Stage("schema")
	b.Stage("rows")
	b.Total(2, 10, 1<<20)
	b.Table("public.customer", 10, 1<<20)
	b.Rows("public.customer", 4, 100)
	ends(t, b, errors.New("a value cannot be masked"))
	require.Regexp(t, `schema +00:00 +done`, s.last())
	require.Regexp(t, `rows +00:00 +stopped +4 rows`, s.last())

	s = &screen{}
	b = newBars(s)
	b.Stage("indexes")
	b.Stage("analyze")
	ends(t, b, errors.New("interrupted"))
	require.Regexp(t, `indexes +00:00 +done`, s.last())
	require.Regexp(t, `analyze +00:00 +stopped`, s.last())
}

// Without a terminal there is a line now and then.
func TestLinesTellTheRate(t *testing.T) {
	s := &screen{}
	l := &lines{w: s}
	l.Stage("rows")
	l.Total(2, 1000, 3<<20)
	l.Rows("public.customer", 10, 100)
	l.Done("public.customer", 10)
	l.Verify(verify.Progress{Phase: "source", Tables: 1, Of: 2, Rows: 7})
	l.End(nil)
	text := s.text.String()
	require.Contains(t, text, "2 tables, about 1000 rows, 3 MB")
	require.Regexp(t, `10 rows, \d+ rows/s, about \d+s left`, text)
	require.Contains(t, text, "public.customer: 10 rows")
	require.Regexp(t, `source: 1 of 2 tables, 7 rows, \d+ rows/s`, text)
}
