package copytext

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask"
)

// benchColumns are the columns of a customer, and how the eight personal ones
// are masked.
var benchColumns = []struct{ name, sqlType, rule string }{
	{"customer_id", "int8", ""},
	{"first_name", "text", "first_name"},
	{"last_name", "text", "last_name"},
	{"email", "text", "email"},
	{"phone", "varchar", "phone"},
	{"street", "text", "street_address"},
	{"city", "text", "city"},
	{"username", "text", "username"},
	{"date_of_birth", "date", "date_shift(days=30, by=subject)"},
	{"updated_at", "timestamptz", ""},
}

// benchKeys gives every purpose a key of its own.
type benchKeys struct{}

func (benchKeys) Subkey(_ context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", tenant, domain, purpose))
	return sum[:n], nil
}

// benchRows are rows whose values differ, as many as a cache does not remember.
func benchRows() (rows [][]byte) {
	first := []string{"Alice", "Mary Ann", "Wilhelmina", "Bob", "JÜRGEN"}
	last := []string{"Liddell", "Montgomery", "Li", "O'Neil", "Garcia Marquez"}
	for i := range 1024 {
		f, l := first[i%len(first)], last[i%7%len(last)]
		rows = append(rows, fmt.Appendf(nil, "%d\t%s\t%s\t%s.%d@mail%d.com\t+44 20 79%05d\t%d Rabbit Hole Lane\tOxford %d\tuser_%d\t19%02d-05-04\t2026-11-21 10:11:12.131415+00\n",
			48000000+i, f, l, l, i, i%9, i*37, i, i%50, i, 50+i%50))
	}
	return rows
}

// BenchmarkRefreshRow rewrites rows of ten columns, eight of them masked by the
// rules that a customer table has. cmacs/row is the time of a row in units of one
// AES-CMAC of 20 bytes, measured in the same run.
func BenchmarkRefreshRow(b *testing.B) {
	mac, err := cmac.New(make([]byte, 32))
	require.NoError(b, err)
	measureRows(b, customerLayout(b), mac)
}

// customerLayout masks benchColumns.
func customerLayout(b *testing.B) Layout {
	b.Helper()
	l := one(len(benchColumns))
	l.Subject = 0
	for i, c := range benchColumns {
		if c.rule == "" {
			continue
		}
		spec, err := mask.ParseSpec(c.rule)
		require.NoError(b, err)
		rule, err := spec.Compile(b.Context(), mask.Column{Table: "customer", Name: c.name, SQLType: c.sqlType},
			mask.Env{Keys: benchKeys{}, Tenant: "bench"})
		require.NoError(b, err)
		l.Fields = append(l.Fields, Field{i, rule.NewMasker()})
	}
	return l
}

// BenchmarkRewriteOnly is the rewriter's own share of BenchmarkRefreshRow: the
// same columns are found, decoded and encoded, and no rule changes them.
func BenchmarkRewriteOnly(b *testing.B) {
	l := one(len(benchColumns))
	l.Subject = 0
	for i, c := range benchColumns {
		if c.rule != "" {
			l.Fields = append(l.Fields, Field{i, same})
		}
	}
	mac, err := cmac.New(make([]byte, 32))
	require.NoError(b, err)
	measureRows(b, l, mac)
}

func measureRows(b *testing.B, l Layout, mac *cmac.CMAC) {
	b.Helper()
	rows := benchRows()
	r := NewRewriter(l)
	dst := make([]byte, 0, 4096)
	var msg [20]byte
	var scratch cmac.Scratch
	// The two take turns, and of each the fastest turn counts: a machine that is
	// busy with other things slows some turns down and none up.
	fastestMAC, fastestRow := time.Hour, time.Hour
	const turn = 256
	at := 0
	b.ReportAllocs()
	for b.Loop() {
		if at%turn == 0 {
			start := time.Now()
			for i := range turn {
				tag := mac.SumWith(&scratch, msg[:])
				msg[i%len(msg)] = tag[0]
			}
			fastestMAC = min(fastestMAC, time.Since(start))
			start = time.Now()
			for i := range turn {
				var err error
				if dst, err = r.AppendRow(dst[:0], rows[(at+i)%len(rows)]); err != nil {
					b.Fatal(err)
				}
			}
			fastestRow = min(fastestRow, time.Since(start))
		}
		at++
	}
	b.ReportMetric(float64(fastestRow)/float64(fastestMAC), "cmacs/row")
	b.ReportMetric(float64(fastestRow.Nanoseconds())/turn, "ns/row")
	b.ReportMetric(float64(fastestMAC.Nanoseconds())/turn, "ns/cmac")
}

// BenchmarkPipe copies a table between two databases, once untouched and once
// with eight masked columns. of-raw is the masked copy's speed as a share of the
// untouched one's, both in the same run.
func BenchmarkPipe(b *testing.B) {
	const rows = 50000
	table := `CREATE TABLE customer (customer_id int8, first_name text, last_name text, email text, phone varchar(40),
		street text, city text, username text, date_of_birth date, updated_at timestamptz)`
	srcURI, dstURI := pgtest.Database(b), pgtest.Database(b)
	pgtest.Exec(b, srcURI, table)
	pgtest.Exec(b, dstURI, table)
	src, dst := pgtest.Connect(b, srcURI), pgtest.Connect(b, dstURI)
	var in bytes.Buffer
	lines := benchRows()
	for i := range rows {
		in.Write(lines[i%len(lines)])
	}
	_, err := src.PgConn().CopyFrom(b.Context(), &in, `COPY customer FROM STDIN`)
	require.NoError(b, err)
	copyOnce := func(r *Rewriter) time.Duration {
		_, err := dst.Exec(b.Context(), `TRUNCATE customer`)
		require.NoError(b, err)
		start := time.Now()
		n, err := Pipe(b.Context(), src.PgConn(), `COPY customer TO STDOUT`, dst.PgConn(), `COPY customer FROM STDIN`, r, nil)
		require.NoError(b, err)
		require.EqualValues(b, rows, n)
		return time.Since(start)
	}
	masked := NewRewriter(customerLayout(b))
	raw, rewritten := time.Hour, time.Hour
	for b.Loop() {
		raw = min(raw, copyOnce(nil))
		rewritten = min(rewritten, copyOnce(masked))
	}
	b.ReportMetric(raw.Seconds()/rewritten.Seconds(), "of-raw")
	b.ReportMetric(rows/rewritten.Seconds(), "rows/s")
}
