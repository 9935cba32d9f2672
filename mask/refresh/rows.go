package refresh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh/copytext"
	"github.com/privet-dev/privet/policy"
)

// A loader copies the rows of all tables from the snapshot into the new
// database.
type loader struct {
	snap     *snapshot
	into     *pgconnect.Target
	app      string
	keys     mask.Keys
	progress Progress

	mu   sync.Mutex
	rows map[*tableJob]int64
}

// copyRows copies all jobs, n at a time, the largest first.
func (l *loader) copyRows(ctx context.Context, jobs []*tableJob, n int) error {
	l.rows = make(map[*tableJob]int64, len(jobs))
	queue := make(chan *tableJob, len(jobs))
	for _, j := range sortJobs(jobs) {
		queue <- j
	}
	close(queue)
	group, ctx := errgroup.WithContext(ctx)
	for range min(n, len(jobs)) {
		group.Go(func() error { return l.work(ctx, queue) })
	}
	return group.Wait()
}

// work is one worker: a session on either side.
func (l *loader) work(ctx context.Context, queue <-chan *tableJob) error {
	src, err := l.snap.join(ctx)
	if err != nil {
		return err
	}
	defer pgconnect.Close(src)
	dst, err := l.into.Open(ctx, pgconnect.Options{AppName: l.app, Load: true})
	if err != nil {
		return err
	}
	defer pgconnect.Close(dst)
	for j := range queue {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := l.copyTable(ctx, src, dst, j); err != nil {
			return err
		}
	}
	return nil
}

// copyTable copies one table in one transaction of the target. The table was
// created by this run and is empty; truncating it again lets COPY freeze the
// rows, which saves writing them once more later. Rows that go through a
// partitioned root cannot be frozen.
func (l *loader) copyTable(ctx context.Context, src, dst *pgx.Conn, j *tableJob) error {
	name := j.table.String()
	l.progress.Table(name, j.table.Rows, j.table.Bytes)
	if len(j.columns) == 0 {
		return l.copyBare(ctx, src, dst, j)
	}
	layout, err := l.layout(ctx, j)
	if err != nil {
		return err
	}
	begin, options := "BEGIN", ""
	if j.into == j.table {
		begin, options = "BEGIN; TRUNCATE ONLY "+j.table.SQL(), " WITH (FREEZE)"
	}
	if err := dst.PgConn().Exec(ctx, begin).Close(); err != nil {
		return fmt.Errorf("target: %s: %w", name, pgconnect.Redacted(err))
	}
	copyIn := "COPY " + j.into.SQL() + " (" + j.columnList() + ") FROM STDIN" + options
	n, err := copytext.Pipe(ctx, src.PgConn(), j.copyOut(), dst.PgConn(), copyIn, copytext.NewRewriter(layout),
		func(rows, size int64) {
			j.bytes += size
			l.progress.Rows(name, rows, size)
		})
	if err != nil {
		return j.fault(ctx, err)
	}
	if err := dst.PgConn().Exec(ctx, "COMMIT").Close(); err != nil {
		return fmt.Errorf("target: %s: %w", name, pgconnect.Redacted(err))
	}
	l.done(j, n)
	return nil
}

func (l *loader) done(j *tableJob, n int64) {
	l.mu.Lock()
	l.rows[j] = n
	l.mu.Unlock()
	l.progress.Done(j.table.String(), n)
}

// copyBare copies a table of which no column is copied: rows still count.
func (l *loader) copyBare(ctx context.Context, src, dst *pgx.Conn, j *tableJob) error {
	var n int64
	if err := src.QueryRow(ctx, "SELECT count(*) FROM ONLY "+j.table.SQL()).Scan(&n); err != nil {
		return fmt.Errorf("source: %s: %w", j.table, pgconnect.Redacted(err))
	}
	if _, err := dst.Exec(ctx, "INSERT INTO "+j.table.SQL()+" SELECT FROM pg_catalog.generate_series(1, $1::bigint)", n); err != nil {
		return fmt.Errorf("target: %s: %w", j.table, pgconnect.Redacted(err))
	}
	l.done(j, n)
	return nil
}

// columnList names the columns of a COPY. It never holds a generated column, and
// COPY then takes the values of identity columns as they come.
func (j *tableJob) columnList() string {
	names := make([]string, len(j.columns))
	for i, cd := range j.columns {
		names[i] = quote(cd.Column.Name)
	}
	return strings.Join(names, ", ")
}

// copyOut reads the rows of the relation itself, without those of children. An
// undecided column is not even read: NULL stands in its place.
func (j *tableJob) copyOut() string {
	plain := j.via == ""
	exprs := make([]string, len(j.columns))
	for i, cd := range j.columns {
		exprs[i] = "t." + quote(cd.Column.Name)
		if cd.Action == policy.Empty {
			exprs[i], plain = "NULL", false
		}
	}
	if plain {
		return "COPY " + j.table.SQL() + " (" + j.columnList() + ") TO STDOUT"
	}
	if j.via != "" {
		for _, m := range j.fields {
			if j.carriesSubject(m) {
				exprs[m.index] = withSubject(j.via, exprs[m.index])
			}
		}
	}
	return "COPY (SELECT " + strings.Join(exprs, ", ") + " FROM ONLY " + j.table.SQL() + " t" + j.from + ") TO STDOUT"
}

// layout builds the maskers of one worker for the table.
func (l *loader) layout(ctx context.Context, j *tableJob) (copytext.Layout, error) {
	layout := copytext.Layout{Columns: len(j.columns), Subject: j.subject, Tenant: j.tenant, Keys: j.keys}
	for _, m := range j.fields {
		f := copytext.Field{Index: m.index}
		if j.tenant < 0 {
			f.Masker = j.wrap(m, m.rule.NewMasker())
		}
		layout.Fields = append(layout.Fields, f)
	}
	layout.Observe = func(i int, original, masked []byte, null bool) {
		m := j.fields[i]
		m.masked++
		if j.carriesSubject(m) {
			_, original, _ = splitSubject(original)
		}
		if null {
			m.nulled++
		} else if bytes.Equal(original, masked) {
			m.unchanged++
		}
	}
	if j.tenant >= 0 {
		layout.Maskers = func(tenant string) ([]mask.Masker, error) {
			out := make([]mask.Masker, len(j.fields))
			for i, m := range j.fields {
				rule, err := compileRule(ctx, m, mask.Env{Keys: l.keys, Tenant: tenant})
				if err != nil {
					return nil, err
				}
				out[i] = j.wrap(m, rule.NewMasker())
			}
			return out, nil
		}
	}
	return layout, nil
}

// fault says which table, row and column an error of the stream belongs to.
func (j *tableJob) fault(ctx context.Context, err error) error {
	if row, ok := errors.AsType[*copytext.RowError](err); ok {
		where := j.table.String()
		if row.Column >= 0 && row.Column < len(j.columns) {
			where += "." + j.columns[row.Column].Column.Name
		}
		at := fmt.Sprintf("row %d", row.Row)
		if len(row.Key) > 0 {
			var parts []string
			for i, k := range j.keys {
				if i < len(row.Key) {
					parts = append(parts, j.columns[k].Column.Name+" = "+row.Key[i])
				}
			}
			at += " (" + strings.Join(parts, ", ") + ")"
		}
		kind := fault.KindOf(row.Err)
		if kind == fault.Unexpected {
			kind = fault.Data
		}
		e := fault.New(kind, "%s: %s cannot be masked: %s", where, at, row.Err.Error())
		e.Err = err
		e.Hint = fault.HintOf(row.Err)
		if e.Hint == "" {
			e.Hint = "correct the row at the source, or choose a rule for the column that takes such values"
		}
		return e
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	code := pgconnect.Code(err)
	e := fault.New(fault.Unexpected, "%s: %s", j.table, err.Error())
	e.Err = err
	source := errors.Is(err, copytext.ErrSource)
	switch {
	case source && code == "22021":
		e.Kind = fault.Data
		e.Hint = "the source holds text that is not valid in UTF-8, as a database in SQL_ASCII may: correct it there, or say rows: none for the table"
	case strings.HasPrefix(code, "23"), strings.HasPrefix(code, "22"):
		e.Kind = fault.Data
		e.Hint = "a rule gave a value that the column refuses: choose another rule for it"
	case strings.HasPrefix(code, "53"):
		e.Hint = "make room on the server, then run again"
	case source && (code == "40001" || code == "57P01" || code == "57P05"):
		e.Hint = "a standby that replays cancels long readers: use the primary, or set hot_standby_feedback and the max_standby delays"
	}
	return e
}
