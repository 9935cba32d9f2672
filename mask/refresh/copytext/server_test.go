package copytext

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/pgtest"
)

// nasty are the values that COPY codecs get wrong.
var nasty = []string{
	"", " ", `\N`, `\\N`, `\.`, `\`, `\\`, `C:\Nancy`, `\x41`, `\101`, `a\`, "\t", "\n", "\r\n", "\v\f\b",
	"\x01\x02\x1f\x7f", "N", "NULL", ".", `"quoted"`, `{"a","b\"c"}`, "o'neil", "é", "日本語\t\\", "😀", "\u00a0\u2028",
	"a\\\tb", "\\\n", strings.Repeat(`\`, 17), strings.Repeat("x", 100) + "\n",
}

// mix draws strings of nasty pieces.
func mix(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		if r.IntN(3) == 0 {
			b.WriteRune(rune(1 + r.IntN(0xd7fe)))
		} else {
			b.WriteString(nasty[r.IntN(len(nasty))])
		}
	}
	return b.String()
}

const shapes = `
	CREATE TYPE pair AS (name text, other text[]);
	CREATE TABLE v (id int PRIMARY KEY, t text, a text[], c pair[], b bytea, j json, p char(9), x int4range)`

func fill(t testing.TB, conn *pgx.Conn, rows int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	batch := &pgx.Batch{}
	for i := range rows {
		s, u := mix(r), mix(r)
		if i < len(nasty) {
			s, u = nasty[i], nasty[len(nasty)-1-i]
		}
		batch.Queue(`INSERT INTO v VALUES ($1, $2::text, ARRAY[$2, NULL, $3]::text[], ARRAY[ROW($3, ARRAY[$2::text, $3]), NULL]::pair[],
			convert_to($3, 'UTF8'), to_json($2::text), '\N', CASE WHEN $1::int % 2 = 0 THEN int4range(0, $1) END)`, i, s, u)
	}
	require.NoError(t, conn.SendBatch(t.Context(), batch).Close())
}

func TestDecodesWhatTheServerWrites(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, shapes)
	conn := pgtest.Connect(t, uri)
	fill(t, conn, 500)

	var out bytes.Buffer
	_, err := conn.PgConn().CopyTo(t.Context(), &out, `COPY (SELECT * FROM v ORDER BY id) TO STDOUT`)
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(),
		`SELECT id::text, t, a::text, c::text, b::text, j::text, p::varchar, x::text FROM v ORDER BY v.id`)
	require.NoError(t, err)
	for line := range bytes.Lines(out.Bytes()) {
		require.True(t, rows.Next())
		want := make([]*string, 8)
		dest := make([]any, 8)
		for i := range want {
			dest[i] = &want[i]
		}
		require.NoError(t, rows.Scan(dest...))
		fields := AppendFields(nil, line)
		require.Len(t, fields, len(want))
		for i, f := range fields {
			if want[i] == nil {
				require.True(t, IsNull(f))
				continue
			}
			require.False(t, IsNull(f))
			got, err := AppendDecoded(nil, f)
			require.NoError(t, err)
			if i == 6 { // char(n) loses its padding in a cast, not in COPY
				got = bytes.TrimRight(got, " ")
			}
			require.Equal(t, *want[i], string(got))
		}
	}
	require.False(t, rows.Next())
	require.NoError(t, rows.Err())
}

func TestTheServerReadsWhatIsEncoded(t *testing.T) {
	uri := pgtest.Database(t)
	pgtest.Exec(t, uri, `CREATE TABLE v (id int, t text)`)
	conn := pgtest.Connect(t, uri)
	r := rand.New(rand.NewPCG(3, 4))
	var want []string
	var in []byte
	for i := range 2000 {
		s := mix(r)
		if i < len(nasty) {
			s = nasty[i]
		}
		want = append(want, s)
		in = fmt.Appendf(in, "%d\t", i)
		var err error
		in, err = AppendEncoded(in, []byte(s))
		require.NoError(t, err)
		in = append(in, '\n')
	}
	_, err := conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(in), `COPY v FROM STDIN`)
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(), `SELECT t FROM v ORDER BY id`)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// FuzzServer holds the codec against the server, both ways.
func FuzzServer(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	uri := pgtest.Database(f)
	conn := pgtest.Connect(f, uri)
	_, err := conn.Exec(f.Context(), `CREATE TEMP TABLE v (t text)`)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return
		}
		line, err := AppendEncoded(nil, []byte(s))
		require.NoError(t, err)
		line = append(line, '\n')
		_, err = conn.PgConn().CopyFrom(t.Context(), bytes.NewReader(line), `COPY v FROM STDIN`)
		require.NoError(t, err)
		var got string
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT t FROM v`).Scan(&got))
		require.Equal(t, s, got)
		var out bytes.Buffer
		_, err = conn.PgConn().CopyTo(t.Context(), &out, `COPY v TO STDOUT`)
		require.NoError(t, err)
		require.Equal(t, string(line), out.String(), "escaped as the server escapes")
		_, err = conn.Exec(t.Context(), `TRUNCATE v`)
		require.NoError(t, err)
	})
}
