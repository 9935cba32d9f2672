package refresh

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/privet-dev/privet/mask"
)

// withSubject returns an SQL expression that carries the row's subject in front
// of the value, as "length:subject value", for a subject that is not itself
// copied. NULL stays NULL. The length counts characters, as PostgreSQL does.
func withSubject(subject, value string) string {
	s := "coalesce((" + subject + ")::text, '')"
	return "pg_catalog.length(" + s + ")::text || ':' || " + s + " || (" + value + ")::text"
}

var errNoSubject = errors.New("the row's subject did not arrive with the value")

// splitSubject takes apart what withSubject made.
func splitSubject(src []byte) (subject, value []byte, err error) {
	head, rest, ok := bytes.Cut(src, []byte{':'})
	if !ok {
		return nil, nil, errNoSubject
	}
	n, err := strconv.Atoi(string(head))
	if err != nil || n < 0 {
		return nil, nil, errNoSubject
	}
	end := 0
	for ; n > 0; n-- {
		if end >= len(rest) {
			return nil, nil, errNoSubject
		}
		end++
		for end < len(rest) && rest[end]&0xC0 == 0x80 { // the rest of a character
			end++
		}
	}
	return rest[:end], rest[end:], nil
}

// A viaMasker masks a value that carries its subject.
type viaMasker struct{ inner mask.Masker }

// Append masks the value for the subject in front of it.
func (v viaMasker) Append(dst, src []byte, _ mask.Row) ([]byte, bool, error) {
	subject, value, err := splitSubject(src)
	if err != nil {
		return dst, false, err
	}
	return v.inner.Append(dst, value, mask.Row{Subject: subject})
}

// carriesSubject reports whether values of the column arrive with the subject in
// front of them.
func (j *tableJob) carriesSubject(m *maskedColumn) bool {
	return j.via != "" && m.rule.Traits().NeedsSubject
}

// wrap lets a masker that needs the subject find it where copyOut put it.
func (j *tableJob) wrap(m *maskedColumn, inner mask.Masker) mask.Masker {
	if !j.carriesSubject(m) {
		return inner
	}
	return viaMasker{inner}
}
