package mask

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestPostgreSQLTakesEveryResult puts every sample and its mask into columns of
// their type on a real server: results are values of the type, as PostgreSQL
// itself prints them.
func TestPostgreSQLTakesEveryResult(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	ctx := t.Context()
	_, err := conn.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS citext; SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 3`)
	require.NoError(t, err)
	for _, s := range samples {
		if s.rule == "null" {
			continue
		}
		r := compile(t, s.rule, column(s.sqlType))
		sqlType := s.sqlType
		if sqlType == "bpchar" {
			sqlType = "char(40)"
		}
		for _, v := range s.values {
			var canonical string
			if conn.QueryRow(ctx, "SELECT $1::text::"+sqlType+"::text", v).Scan(&canonical) != nil {
				continue // not a value of the type, such as a number with an exponent
			}
			masked := apply(t, r, v, "7")
			var printed string
			err := conn.QueryRow(ctx, "SELECT $1::text::"+sqlType+"::text", masked).Scan(&printed)
			require.NoError(t, err, "%s: %q", s.rule, masked)
			if !strings.Contains(v, "e+") && v != "1e10" {
				require.Equal(t, masked, strings.TrimRight(printed, " "), s.rule)
			}
		}
	}
}

// TestCalendarAgreesWithPostgreSQL shifts days over the whole range of dates and
// lets the server do the same.
func TestCalendarAgreesWithPostgreSQL(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	_, err := conn.Exec(t.Context(), `SET TimeZone = 'UTC'; SET DateStyle = 'ISO'`)
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(), `
		SELECT d::text, (d + k)::text, k
		FROM (SELECT date '4713-12-31 BC' + (i * 9973) AS d, (i * 37) % 731 - 365 AS k FROM generate_series(0, 200000, 7) i) x
		WHERE d + k <= date '5874897-12-31' AND d + k >= date '4713-12-31 BC'
		UNION ALL
		SELECT d::text, (d + k)::text, k
		FROM (SELECT date '0003-01-01 BC' + i AS d, i % 61 - 30 AS k FROM generate_series(0, 2500) i) x`)
	require.NoError(t, err)
	n := 0
	for rows.Next() {
		var from, to string
		var by int64
		require.NoError(t, rows.Scan(&from, &to, &by))
		m, problem := parseMoment([]byte(from), kindDate)
		require.Empty(t, problem, from)
		m.day += by
		require.Equal(t, to, string(m.append(nil)), fmt.Sprintf("%s and %d days", from, by))
		n++
	}
	require.NoError(t, rows.Err())
	require.Greater(t, n, 20000)
}

// TestCitextFoldsAsPostgreSQLDoes: values that citext holds equal have equal
// masks.
func TestCitextFoldsAsPostgreSQLDoes(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	_, err := conn.Exec(t.Context(), `CREATE EXTENSION IF NOT EXISTS citext`)
	require.NoError(t, err)
	r := compile(t, "email", column("citext"))
	for _, pair := range [][2]string{{"Bob@X.com", "bob@x.COM"}, {"ÄÖÜ", "äöü"}, {"ΑΒΓ", "αβγ"}, {"ПРИВЕТ", "привет"}, {"ß", "ẞ"}, {"a", "b"}} {
		var equal bool
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT $1::citext = $2::citext", pair[0], pair[1]).Scan(&equal))
		if equal {
			require.Equal(t, apply(t, r, pair[0]), apply(t, r, pair[1]), "%q and %q", pair[0], pair[1])
		}
	}
}
