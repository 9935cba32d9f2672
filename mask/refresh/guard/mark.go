// Package guard decides which databases a refresh may overwrite.
//
// A database becomes a target by a deliberate act: [Mark] writes a dated nonce
// into its comment, which lives in the server's shared catalog, and the operator
// copies the same mark into the targets of deployment.yaml. [Check] refuses
// every run in which the two disagree, or in which the source could be the
// target under another name. No flag or variable waves it away.
//
// Guards touch nothing: they read the shared catalog and take advisory locks
// that they give back.
package guard

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// prefix starts the line of a database's comment that is its mark.
const prefix = "privet-target: "

// stamp is how a mark writes its time, in UTC.
const stamp = "2006-01-02T15:04:05Z"

var markLine = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z) ([0-9a-f]{32})$`)

// A MarkValue is one mark: when it was made, by the clock of the target's
// server and rounded up to a second, and 128 random bits.
type MarkValue struct {
	Time  time.Time
	Nonce string // 32 lower-case hexadecimal digits
}

// String returns the mark as comments and deployment.yaml write it.
func (m MarkValue) String() string { return m.Time.UTC().Format(stamp) + " " + m.Nonce }

// ParseMark reads a mark, "2026-11-21T21:01:37Z" and 32 hexadecimal digits
// separated by one space. The error is a [fault.Error] of kind Config.
func ParseMark(s string) (MarkValue, error) {
	m := markLine.FindStringSubmatch(s)
	if m == nil {
		return MarkValue{}, fault.New(fault.Config, "%q is not a mark", s).
			WithHint("a mark is a date and 32 hexadecimal digits; `privet mask target show` prints the one of a database")
	}
	at, err := time.Parse(stamp, m[1])
	if err != nil {
		return MarkValue{}, fault.New(fault.Config, "mark %q: %q is not a date", s, m[1])
	}
	return MarkValue{Time: at, Nonce: m[2]}, nil
}

// FindMark returns the mark in a database's comment. Where several lines carry
// one, none counts: which of them is meant cannot be known.
func FindMark(comment string) (MarkValue, bool) {
	var found MarkValue
	n := 0
	for line := range strings.Lines(comment) {
		text, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), prefix)
		if !ok {
			continue
		}
		if m, err := ParseMark(text); err == nil {
			found = m
			n++
		}
	}
	return found, n == 1
}

// WithoutMark returns the comment without its marks.
func WithoutMark(comment string) string {
	var kept []string
	for _, line := range strings.Split(comment, "\n") {
		if !strings.HasPrefix(line, prefix) {
			kept = append(kept, line)
		}
	}
	return strings.TrimRight(strings.Join(kept, "\n"), "\n")
}

// withMark returns the comment with m as its only mark, on a line of its own.
func withMark(comment string, m MarkValue) string {
	rest := WithoutMark(comment)
	if rest == "" {
		return prefix + m.String()
	}
	return rest + "\n" + prefix + m.String()
}

// A Target is one entry of `targets:` in deployment.yaml: a database that may be
// overwritten.
type Target struct {
	// Name is the name of the database.
	Name string `yaml:"name" json:"name"`
	// Mark is its mark, as [Mark] returned it.
	Mark string `yaml:"mark" json:"mark"`
}

// Stanza returns the lines that make t an entry of deployment.yaml. The entry is
// called as the database is, as far as the keys of that file allow: they have no
// spaces, dots or brackets.
func (t Target) Stanza() string {
	return fmt.Sprintf("targets:\n  %s: {name: %s, mark: %q}\n", yamlWord(noKey.ReplaceAllString(t.Name, "_")), yamlWord(t.Name), t.Mark)
}

var (
	noKey     = regexp.MustCompile(`[^\pL\pN_-]+`)
	plainWord = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	yamlWords = regexp.MustCompile(`^(y|n|yes|no|on|off|true|false|null)$`)
)

// yamlWord quotes a name unless it is plainly a word.
func yamlWord(name string) string {
	if plainWord.MatchString(name) && !yamlWords.MatchString(name) {
		return name
	}
	return fmt.Sprintf("%q", name)
}

// Mark marks the database that connString names as one that may be overwritten
// and returns its entry for deployment.yaml. An older mark is replaced, the rest
// of the comment stays. The role must own the database. Databases of the server
// itself (postgres, templates) are refused, as is a standby.
func Mark(ctx context.Context, connString string) (Target, error) {
	var t Target
	err := change(ctx, connString, func(tx pgx.Tx, d database) (string, error) {
		if d.name == "postgres" || d.template {
			return "", fault.New(fault.Guard, "database %q belongs to the server itself and is never a target", d.name).
				WithHint("create a database of its own for staging and mark that")
		}
		var now time.Time
		if err := tx.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
			return "", err
		}
		var nonce [16]byte
		rand.Read(nonce[:])
		// Rounded up: a standby that has replayed up to the mark's second has
		// then replayed the mark too.
		m := MarkValue{Time: now.UTC().Truncate(time.Second).Add(time.Second), Nonce: hex.EncodeToString(nonce[:])}
		t = Target{Name: d.name, Mark: m.String()}
		return withMark(d.comment, m), nil
	})
	return t, err
}

// Unmark removes the mark, so that the database cannot be overwritten any more.
// It reports whether there was one.
func Unmark(ctx context.Context, connString string) (bool, error) {
	was := false
	err := change(ctx, connString, func(_ pgx.Tx, d database) (string, error) {
		rest := WithoutMark(d.comment)
		was = rest != d.comment
		return rest, nil
	})
	return was, err
}

// Show returns the entry of the database that connString names; marked is false
// where it carries no mark, or several.
func Show(ctx context.Context, connString string) (t Target, marked bool, err error) {
	conn, err := open(ctx, connString, true)
	if err != nil {
		return Target{}, false, err
	}
	defer pgconnect.Close(conn)
	d, err := readDatabase(ctx, conn)
	if err != nil {
		return Target{}, false, err
	}
	m, ok := FindMark(d.comment)
	if !ok {
		return Target{Name: d.name}, false, nil
	}
	return Target{Name: d.name, Mark: m.String()}, true, nil
}

func open(ctx context.Context, connString string, readOnly bool) (*pgx.Conn, error) {
	place, err := pgconnect.Parse("target", connString)
	if err != nil {
		return nil, err
	}
	return place.Open(ctx, pgconnect.Options{AppName: "privet mask target", ReadOnly: readOnly})
}

// change rewrites the database's comment in one transaction.
func change(ctx context.Context, connString string, comment func(pgx.Tx, database) (string, error)) error {
	conn, err := open(ctx, connString, false)
	if err != nil {
		return err
	}
	defer pgconnect.Close(conn)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		d, err := readDatabase(ctx, tx)
		if err != nil {
			return err
		}
		if d.standby {
			return fault.New(fault.Guard, "database %q is on a standby, which cannot be marked", d.name).
				WithHint("connect to its primary")
		}
		text, err := comment(tx, d)
		if err != nil {
			return err
		}
		return setComment(ctx, tx, d.name, text)
	})
	if pgconnect.Code(err) == "42501" {
		return fault.New(fault.Config, "the role may not change the comment of the database: %s", pgconnect.SafeText(err)).
			WithHint("connect as the owner of the database")
	}
	if _, ok := err.(*fault.Error); ok || err == nil {
		return err
	}
	return fmt.Errorf("change the database's comment: %w", pgconnect.Redacted(err))
}
