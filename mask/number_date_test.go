package mask

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDayNumbersAgreeWithTime holds the calendar against the standard library's.
func TestDayNumbersAgreeWithTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(firstDay, lastDate).Draw(t, "day")
		at := time.Unix(n*86400, 0).UTC()
		y, m, d := civil(n)
		require.Equal(t, []int64{int64(at.Year()), int64(at.Month()), int64(at.Day())}, []int64{y, m, d})
		require.Equal(t, n, dayNumber(y, m, d))
	})
	for year := int64(-4800); year < 3000; year++ {
		for month := int64(1); month <= 12; month++ {
			next := time.Date(int(year), time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC)
			if int64(next.Day()) != daysIn(year, month) {
				t.Fatalf("%d-%d has %d days", year, month, next.Day())
			}
		}
	}
	require.EqualValues(t, 0, dayNumber(1970, 1, 1))
	require.EqualValues(t, -2440588, dayNumber(-4713, 11, 24), "Julian day 0")
}

func TestMomentsRoundTrip(t *testing.T) {
	for _, c := range []struct{ sqlType, text string }{
		{"date", "2024-02-29"}, {"date", "0001-01-01"}, {"date", "0001-12-31 BC"}, {"date", "0044-03-15 BC"},
		{"date", "4714-11-24 BC"}, {"date", "12024-01-01"}, {"date", "5874897-12-31"},
		{"timestamp", "2024-02-29 23:59:59.999999"}, {"timestamp", "294276-12-31 00:00:00"},
		{"timestamptz", "2024-02-29 12:13:14+00"}, {"timestamptz", "1890-01-01 00:00:00+00:53:28"},
		{"timestamptz", "0044-03-15 12:00:00+00 BC"}, {"text", "2024-02-29"}, {"text", "2024-02-29T10:00:00.5Z"},
	} {
		m, problem := parseMoment([]byte(c.text), column(c.sqlType).kind())
		require.Empty(t, problem, c.text)
		require.Equal(t, c.text, string(m.append(nil)))
	}
	for _, c := range []struct{ sqlType, text string }{
		{"date", "2023-02-29"}, {"date", "2024-13-01"}, {"date", "2024-00-01"}, {"date", "2024-01-00"}, {"date", "0000-01-01"},
		{"date", "24-01-01"}, {"date", "2024-1-01"}, {"date", "2024-01-01 00:00:00"}, {"date", "01.02.2024"}, {"date", "4714-11-23 BC"},
		{"date", "5874898-01-01"}, {"date", "99999999-01-01"}, {"date", "x"}, {"date", "2024-01-01x"}, {"timestamp", "2024-01-01"},
		{"timestamp", "294277-01-01 00:00:00"}, {"timestamp", "2024-01-01 CANARY"}, {"timestamp", "2024-01-01 00x00"},
		{"text", "infinity"}, {"text", "0044-03-15 BC"}, {"text", "12024-01-01"}, {"text", "2024-01-01 and more"},
		{"text", "2024-01-01 10:00:00 or so it says in the file"},
	} {
		_, problem := parseMoment([]byte(c.text), column(c.sqlType).kind())
		require.NotEmpty(t, problem, "%s %s", c.sqlType, c.text)
		_, err := try(compile(t, "date_shift(days=3)", column(c.sqlType)), c.text)
		require.Equal(t, fault.Data, fault.KindOf(err))
		require.NotContains(t, err.Error(), c.text)
	}
}

func parseDay(t require.TestingT, s string) int64 {
	m, problem := parseMoment([]byte(s[:10]), kindDate)
	require.Empty(t, problem)
	return m.day
}

func TestDateShiftMovesWithinItsDays(t *testing.T) {
	r := compile(t, "date_shift(days=5)", column("date"))
	seen := map[int64]int{}
	for i := range int64(2000) {
		in := string(moment{day: i * 13}.append(nil))
		seen[parseDay(t, apply(t, r, in))-i*13]++
	}
	require.Len(t, seen, 10, "1 to 5 days either way, never none: %v", seen)
	require.Zero(t, seen[0])
	for by, n := range seen {
		require.LessOrEqual(t, max(by, -by), int64(5))
		require.InDelta(t, 200, n, 80)
	}
}

func TestDateShiftKeepsTheIntervalsOfASubject(t *testing.T) {
	date := compile(t, "date_shift(days=100, by=subject)", column("date"))
	stamp := compile(t, "date_shift(days=100, by=subject)", column("timestamptz"))
	require.True(t, date.Traits().NeedsSubject)
	moved := map[int64]bool{}
	for s := range 50 {
		subject := strconv.Itoa(s)
		a := parseDay(t, apply(t, date, "2024-02-27", subject)) - parseDay(t, "2024-02-27")
		out := apply(t, stamp, "1999-12-31 23:59:59.5+00", subject)
		require.Equal(t, a, parseDay(t, out)-parseDay(t, "1999-12-31"))
		require.True(t, strings.HasSuffix(out, " 23:59:59.5+00"))
		moved[a] = true
	}
	require.Greater(t, len(moved), 20)
	_, err := try(date, "2024-02-27")
	require.ErrorContains(t, err, "without a subject")
	require.Equal(t, "infinity", apply(t, stamp, "infinity", "1"))
	require.NotEqual(t, date.Identity(), compile(t, "date_shift(days=101, by=subject)", column("date")).Identity())
}

func TestDateShiftAtTheEndsOfTheRange(t *testing.T) {
	r := compile(t, "date_shift(days=36500)", column("date"))
	failed := false
	for i := range 40 {
		_, err := try(r, fmt.Sprintf("5874897-12-%02d", i%31+1))
		failed = failed || err != nil
		if err != nil {
			require.Equal(t, fault.Data, fault.KindOf(err))
		}
	}
	require.True(t, failed)
	require.Regexp(t, ` BC$|^\d{4}-`, apply(t, r, "0001-01-01"))
}

func TestNumberNoise(t *testing.T) {
	percent := compile(t, "number_noise(percent=10)", column("numeric"))
	rapid.Check(t, func(t *rapid.T) {
		whole, frac := rapid.StringMatching(`0|[1-9][0-9]{0,24}`).Draw(t, "whole"), rapid.StringMatching(`[0-9]{0,22}`).Draw(t, "frac")
		in := whole
		if frac != "" {
			in += "." + frac
		}
		if rapid.Bool().Draw(t, "negative") {
			in = "-" + in
		}
		out, err := try(percent, in)
		require.NoError(t, err)
		a, ok := new(big.Rat).SetString(in)
		require.True(t, ok)
		b, ok := new(big.Rat).SetString(out)
		require.True(t, ok, out)
		require.True(t, a.Sign() == b.Sign() || b.Sign() == 0, "the sign stays")
		_, outFrac, _ := strings.Cut(out, ".")
		require.Len(t, outFrac, len(frac), "the scale stays")
		outWhole, _, _ := strings.Cut(strings.TrimPrefix(out, "-"), ".")
		require.LessOrEqual(t, len(outWhole), len(whole), "no more digits")
		if a.Sign() == 0 {
			require.Zero(t, b.Sign())
			return
		}
		unit := new(big.Rat).SetFrac(big.NewInt(1), bigPow10(len(frac)))
		most := new(big.Rat).Quo(new(big.Rat).Abs(a), big.NewRat(10, 1))
		if most.Cmp(unit) < 0 {
			most = unit
		}
		diff := new(big.Rat).Abs(new(big.Rat).Sub(a, b))
		require.NotZero(t, diff.Sign(), "the value moves")
		require.LessOrEqual(t, diff.Cmp(most.Add(most, unit)), 0, "at most ten percent")
	})
}

func TestNumberNoiseStaysInTheIntegerType(t *testing.T) {
	for sqlType, limit := range map[string]int64{"int2": math.MaxInt16, "int4": math.MaxInt32, "int8": math.MaxInt64} {
		for _, rule := range []string{"number_noise(percent=100)", "number_noise(abs=1000)"} {
			r := compile(t, rule, column(sqlType))
			for d := range int64(20) {
				for _, v := range []int64{limit - d, -limit + d, d, -d} {
					out, err := strconv.ParseInt(apply(t, r, strconv.FormatInt(v, 10), strconv.Itoa(int(d))), 10, 64)
					require.NoError(t, err)
					require.LessOrEqual(t, out, limit)
					require.GreaterOrEqual(t, out, -limit)
					require.False(t, out < 0 && v >= 0 || out > 0 && v < 0, "the sign stays")
				}
			}
			for _, bad := range []string{"1.5", "1e3", "x", "", "-"} {
				out, err := try(r, bad)
				require.True(t, err != nil || out == bad, bad)
			}
		}
	}
}

func TestNumberNoiseOfFloats(t *testing.T) {
	r := compile(t, "number_noise(percent=10)", column("float8"))
	for _, v := range []float64{1.5, -2e300, 1e-300, math.MaxFloat64, 3} {
		out, err := strconv.ParseFloat(apply(t, r, strconv.FormatFloat(v, 'g', -1, 64)), 64)
		require.NoError(t, err)
		require.NotEqual(t, v, out)
		require.InEpsilon(t, v, out, 0.1001)
	}
	for _, v := range []string{"NaN", "Infinity", "-Infinity", "0"} {
		require.Equal(t, v, apply(t, r, v))
	}
	r4 := compile(t, "number_noise(percent=50)", column("float4"))
	_, err := strconv.ParseFloat(apply(t, r4, "3.4028235e+38"), 32)
	require.NoError(t, err, "stays within float4")
	_, err = try(r4, "1e39")
	require.Error(t, err)
}

// Two rules that say how far a value moves must not move it in step: from a value
// moved by r and by 2r anybody computes the value.
func TestParametersMoveIndependently(t *testing.T) {
	for _, c := range []struct{ small, large, sqlType, value string }{
		{"number_noise(percent=5)", "number_noise(percent=10)", "int8", "4250000000"},
		{"number_noise(abs=500000)", "number_noise(abs=1000000)", "numeric", "4250000.00"},
		{"date_shift(days=100)", "date_shift(days=200)", "date", "1987-04-12"},
	} {
		small, large := compile(t, c.small, column(c.sqlType)), compile(t, c.large, column(c.sqlType))
		number := func(r *Rule) float64 {
			out := apply(t, r, c.value)
			if c.sqlType == "date" {
				return float64(parseDay(t, out))
			}
			f, err := strconv.ParseFloat(out, 64)
			require.NoError(t, err)
			return f
		}
		value, err := strconv.ParseFloat(c.value, 64)
		if err != nil {
			value = float64(parseDay(t, c.value))
		}
		require.Greater(t, math.Abs(2*number(small)-number(large)-value), 2.0, c.small)
	}
}

func TestNumberNoiseMovesWhatItsTypeRounds(t *testing.T) {
	for sqlType, v := range map[string]string{"float8": "1e+17", "float4": "1.6777216e+07"} {
		r := compile(t, "number_noise(abs=0.5)", column(sqlType))
		for i := range 20 {
			require.NotEqual(t, v, apply(t, r, v, strconv.Itoa(i)), sqlType)
		}
	}
	r := compile(t, "number_noise(abs=5)", column("numeric"))
	require.Regexp(t, `^[1-5]$`, apply(t, r, "0"))
}

func TestNumberNoiseIsChosenByTheSubjectToo(t *testing.T) {
	r := compile(t, "number_noise(abs=1000)", column("int4"))
	seen := map[string]bool{}
	for i := range 30 {
		seen[apply(t, r, "50000", strconv.Itoa(i))] = true
	}
	require.Greater(t, len(seen), 20)
	require.Equal(t, apply(t, r, "50000", "1"), apply(t, r, "50000", "1"))
}
