package mask

import (
	"slices"
	"strings"
	"testing"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/stretchr/testify/require"
)

func arrayOf(sqlType string) Column {
	c := column(sqlType)
	c.Array = true
	return c
}

func TestArrays(t *testing.T) {
	r := compile(t, "partial(keep_first=1)", arrayOf("text"))
	for in, out := range map[string]string{
		`{}`:                     `{}`,
		`{abc}`:                  `{a**}`,
		`{abc,de}`:               `{a**,d*}`,
		`{NULL,null,abc}`:        `{NULL,NULL,a**}`,
		`{"NULL"}`:               `{N***}`,
		`{"a b",""}`:             `{a**,""}`,
		`{"\"x","\\y","{}"}`:     `{"\"*","\\*","{*"}`,
		`{{ab,cd},{ef,NULL}}`:    `{{a*,c*},{e*,NULL}}`,
		`[0:1]={ab,cd}`:          `[0:1]={a*,c*}`,
		`[1:1][-2:-1]={{ab,cd}}`: `[1:1][-2:-1]={{a*,c*}}`,
		`{äöü}`:                  `{ä**}`,
		`{a\,b}`:                 `{a**}`,
		`{"` + "a\nb" + `"}`:     `{a**}`,
		`{` + "\"\tx\"" + `}`:    "{\"\t*\"}",
		`{n\ull}`:                `{n***}`,
	} {
		require.Equal(t, out, apply(t, r, in), in)
	}
	for _, bad := range []string{"", "abc", "{", "}", "{abc", "{,}", "{a,}", "{,a}", "{a}b", "{a}{b}", "{a,,b}", `{"a}`, `{a"b"}`, `{"a"b}`, `{\`, "[0:1]", "[x]={a}", "[0:1]=", "{a{b}}", "{{a}b}"} {
		_, err := try(r, bad)
		require.Equal(t, fault.Data, fault.KindOf(err), bad)
	}
	email := compile(t, "email", arrayOf("text"))
	require.Equal(t, "{"+apply(t, compile(t, "email", column("text")), "a@b.de")+"}", apply(t, email, "{a@b.de}"))
	require.True(t, email.Traits().Injective)
	_, err := try(compile(t, "fpe", arrayOf("text")), "{12345678,CANARY}")
	require.Equal(t, fault.Data, fault.KindOf(err))
	require.NotContains(t, err.Error(), "CANARY")
	require.Equal(t, "NULL", apply(t, compile(t, "null", arrayOf("text")), "{a}"))
	require.Equal(t, "{x}", apply(t, compile(t, "constant('{x}')", arrayOf("text")), "{a,b}"))
	short := arrayOf("varchar")
	short.MaxLen = 10
	refused(t, "email", short)
	refused(t, "email", arrayOf("int4"))
}

// TestArraysAgreeWithPostgreSQL hands over arrays as the server prints them and
// lets it read the masked ones: equal elements, in the server's own spelling.
func TestArraysAgreeWithPostgreSQL(t *testing.T) {
	conn := pgtest.Connect(t, pgtest.Database(t))
	r := compile(t, "partial(keep_first=64, keep_last=1)", arrayOf("text"))
	hard := []string{"", " ", "a", "NULL", "null", `"`, `\`, `\"`, "{}", ",", "a,b", "x y", "\n", "\t\v\f\r", "ä", "'", "C:\\Nancy", `\N`, "\\.", "}{", "#"}
	for i := range hard {
		list := append(slices.Clone(hard[i:]), hard[:i]...)
		var printed string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT array_append($1::text[], NULL)::text", list).Scan(&printed))
		masked := apply(t, r, printed)
		var back []*string
		var again string
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT $1::text::text[], $1::text::text[]::text", masked).Scan(&back, &again))
		require.Equal(t, again, masked, "spelled as the server does")
		require.Len(t, back, len(list)+1)
		require.Nil(t, back[len(list)])
		for j, v := range list {
			require.Equal(t, strings.Repeat("*", len([]rune(v))), *back[j], "%q", v)
		}
	}
}

// FuzzArray: what is taken has as many elements as before and is taken again.
func FuzzArray(f *testing.F) {
	for _, s := range []string{`{a,"b c",NULL,{d}}`, `[0:1]={a,b}`, `{"\\","\""}`, "{}", "{{},{}}"} {
		f.Add(s)
	}
	r := compile(f, "partial(keep_first=3)", arrayOf("text"))
	f.Fuzz(func(t *testing.T, text string) {
		out, err := try(r, text)
		if err != nil {
			require.Equal(t, fault.Data, fault.KindOf(err))
			return
		}
		again, err := try(r, out)
		require.NoError(t, err, "%q became %q", text, out)
		require.Equal(t, strings.Count(text, "{") > 0, strings.Count(again, "{") > 0)
	})
}
