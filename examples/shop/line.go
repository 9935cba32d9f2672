package shop

import (
	"strconv"
	"time"
)

// A line is one row of COPY text that is being written, field by field.
type line struct {
	buf   []byte
	wrote bool
}

func (l *line) sep() {
	if l.wrote {
		l.buf = append(l.buf, '\t')
	}
	l.wrote = true
}

// text writes a field, escaped.
func (l *line) text(s string) {
	l.sep()
	for i := range len(s) {
		switch c := s[i]; c {
		case '\\':
			l.buf = append(l.buf, `\\`...)
		case '\t':
			l.buf = append(l.buf, `\t`...)
		case '\n':
			l.buf = append(l.buf, `\n`...)
		case '\r':
			l.buf = append(l.buf, `\r`...)
		default:
			l.buf = append(l.buf, c)
		}
	}
}

func (l *line) null() {
	l.sep()
	l.buf = append(l.buf, `\N`...)
}

// textOr writes s, or NULL where there is none.
func (l *line) textOr(s string, there bool) {
	if !there {
		l.null()
		return
	}
	l.text(s)
}

func (l *line) int(n int) {
	l.sep()
	l.buf = strconv.AppendInt(l.buf, int64(n), 10)
}

// cents writes an amount of money with two decimals.
func (l *line) cents(n int) {
	l.sep()
	l.buf = strconv.AppendInt(l.buf, int64(n/100), 10)
	l.buf = append(l.buf, '.', byte('0'+n/10%10), byte('0'+n%10))
}

func (l *line) bool(b bool) {
	l.sep()
	l.buf = append(l.buf, map[bool]byte{true: 't', false: 'f'}[b])
}

func (l *line) date(t time.Time) {
	l.sep()
	l.buf = t.AppendFormat(l.buf, time.DateOnly)
}

func (l *line) time(t time.Time) {
	l.sep()
	l.buf = t.AppendFormat(l.buf, "2006-01-02 15:04:05Z07:00")
}

// end closes the row and returns all that was written.
func (l *line) end() []byte { return append(l.buf, '\n') }
