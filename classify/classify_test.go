package classify

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLevels(t *testing.T) {
	require.Equal(t, []string{"public", "internal", "confidential", "restricted"}, Levels())
	for i, name := range Levels() {
		l, ok := ParseLevel(name)
		require.True(t, ok)
		require.Equal(t, name, l.String())
		require.Equal(t, Level(i)+Public, l, "levels rise")
		text, err := l.MarshalText()
		require.NoError(t, err)
		var back Level
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, l, back)
	}
	_, ok := ParseLevel("unclassified")
	require.False(t, ok, "nobody declares unclassified")
	var l Level
	require.ErrorContains(t, l.UnmarshalText([]byte("pubic")), `did you mean "public"?`)
	require.Equal(t, "Level(9)", Level(9).String())
	Levels()[0] = "changed"
	require.Equal(t, "public", Levels()[0], "callers get a copy")
}

func TestTypes(t *testing.T) {
	names := Types()
	require.GreaterOrEqual(t, len(names), 32)
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	require.Len(t, slices.Compact(sorted), len(names), "no type stands twice")
	for _, name := range names {
		typ, ok := ParseType(name)
		require.True(t, ok)
		require.Regexp(t, regexp.MustCompile(`^[a-z][a-z_]*$`), name)
		require.Greater(t, typ.Level(), Public, "%s: a type is never public by default", name)
		require.NotEmpty(t, typ.Doc(), name)
	}
	_, ok := ParseType("e-mail")
	require.False(t, ok)
	require.Equal(t, Unclassified, Type("e-mail").Level())
	require.Empty(t, Type("e-mail").Doc())
}

func TestPeriodBefore(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		require.NoError(t, err)
		return d
	}
	for _, tt := range []struct{ period, at, want string }{
		{"730d", "2026-03-01", "2024-03-01"},
		{"1d", "2024-03-01", "2024-02-29"},
		{"6mo", "2026-08-31", "2026-02-28"},
		{"1mo", "2024-03-31", "2024-02-29"},
		{"1mo", "2026-01-15", "2025-12-15"},
		{"1y", "2024-02-29", "2023-02-28"},
		{"10y", "2026-07-01", "2016-07-01"},
	} {
		p, err := ParsePeriod(tt.period)
		require.NoError(t, err)
		require.Equal(t, tt.want, p.Before(day(tt.at)).Format(time.DateOnly), "%s before %s", tt.period, tt.at)
		require.Equal(t, tt.period, p.String())
	}
	require.Equal(t, day("2026-01-01"), Period{}.Before(day("2026-01-01")))
	for _, bad := range []string{"", "d", "+5d", "-5d", "5 d", "1.5y", "99999d", "5w"} {
		_, err := ParsePeriod(bad)
		require.Error(t, err, "period %q", bad)
	}
}
