package mask

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNull(t *testing.T) {
	require.Equal(t, "NULL", apply(t, compile(t, "null", column("bytea")), "x"))
	col := column("text")
	col.NotNull = true
	require.ErrorContains(t, refused(t, "null", col), "NOT NULL")
}

func TestConstantIsCheckedAgainstTheType(t *testing.T) {
	for _, c := range []struct{ sqlType, good, bad string }{
		{"int4", "-7", "x"}, {"int4", "7", "2147483648"}, {"int2", "7", "32768"}, {"int8", "2147483648", "1.5"},
		{"numeric", "1.50", "x"}, {"float8", "1e5", "x"}, {"bool", "true", "yes please"}, {"bool", "f", "T"},
		{"uuid", "00000000-0000-4000-8000-000000000000", "0"}, {"date", "2000-01-01", "01.01.2000"},
		{"timestamptz", "2000-01-01 00:00:00+00", "2000-01-01"}, {"jsonb", `{"a":1}`, "{a}"}, {"json", `"n/a"`, "n/a"},
	} {
		require.Equal(t, c.good, apply(t, compile(t, "constant("+quote(c.good)+")", column(c.sqlType)), "whatever"))
		err := refused(t, "constant("+quote(c.bad)+")", column(c.sqlType))
		require.NotContains(t, err.Error(), "%!", "%s", c.sqlType)
	}
	compile(t, "constant(anything)", column("inet"))
	compile(t, "constant(äöü)", limited("varchar", 3))
	refused(t, "constant(äöüß)", limited("varchar", 3))
	enum := column("enum")
	compile(t, "constant(any)", enum)
	enum.Enum = []string{"new", "shipped"}
	compile(t, "constant(new)", enum)
	require.ErrorContains(t, refused(t, "constant(nwe)", enum), `did you mean "new"?`)
	array := column("text")
	array.Array = true
	compile(t, `constant("{}")`, array)
	refused(t, "constant(x)", array)
	unique := column("text")
	unique.Unique = true
	refused(t, "constant(x)", unique)
	require.Empty(t, apply(t, compile(t, "constant('')", column("text")), "x"))
}
