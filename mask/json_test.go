package mask

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/stretchr/testify/require"
)

// profile decides the paths of a document as a policy would.
func profile(t testing.TB) []JSONPath {
	return []JSONPath{
		{Path: "/email", Rule: spec(t, "email")},
		{Path: "/name/first", Rule: spec(t, "first_name")},
		{Path: "/name/last", Rule: spec(t, "last_name")},
		{Path: "/langs/*", Keep: true},
		{Path: "/contacts/*/phone", Rule: spec(t, "phone")},
		{Path: "/salary", Rule: spec(t, "number_noise(percent=10)")},
		{Path: "/account", Rule: spec(t, "fpe")},
		{Path: "/born", Rule: spec(t, "date_shift(days=9, by=subject)")},
		{Path: "/secret", Rule: spec(t, "null")},
		{Path: "/note", Rule: spec(t, "constant(gone)")},
		{Path: "/zero", Rule: spec(t, "constant(0)")},
		{Path: "/a~1b~0c", Rule: spec(t, "hash")},
		{Path: "/settings", Keep: true},
	}
}

func compileJSON(t testing.TB, sqlType string, paths []JSONPath) *Rule {
	r, err := CompileJSON(t.Context(), column(sqlType), testEnv, paths)
	require.NoError(t, err)
	return r
}

func TestJSON(t *testing.T) {
	r := compileJSON(t, "jsonb", profile(t))
	require.True(t, r.Traits().NeedsSubject)
	one := func(rule, v string) string { return apply(t, compile(t, rule, column("text")), v, "7") }
	for _, c := range []struct{ in, out string }{
		{`{}`, `{}`},
		{`null`, `null`},
		{` { } `, ` { } `},
		{`{"email": "ann@mail.com"}`, `{"email": "` + one("email", "ann@mail.com") + `"}`},
		{`{"email":"ann\u0040mail.com"}`, `{"email":"` + one("email", "ann@mail.com") + `"}`},
		{`{"em\u0061il":"ann@mail.com"}`, `{"em\u0061il":"` + one("email", "ann@mail.com") + `"}`},
		{`{"email": null , "email" : ""}`, `{"email": null , "email" : ""}`},
		{`{"email":"a","email":"b"}`, `{"email":"` + one("email", "a") + `","email":"` + one("email", "b") + `"}`},
		{`{"name": {"last": "Lee", "first": "ANN"}}`, `{"name": {"last": "` + one("last_name", "Lee") + `", "first": "` + one("first_name", "ANN") + `"}}`},
		{`{"name": null, "contacts": [], "langs": {}}`, `{"name": null, "contacts": [], "langs": {}}`},
		{`{"langs": ["de", {"x": [1.50, true, null, "\u00e4"]}]}`, `{"langs": ["de", {"x": [1.50, true, null, "\u00e4"]}]}`},
		{`{"settings": {"n": 12345678901234567890.10e+5}}`, `{"settings": {"n": 12345678901234567890.10e+5}}`},
		{`{"secret": {"deep": ["x"]}, "note": 5}`, `{"secret": null, "note": "gone"}`},
		{`{"secret": "x", "note": "y", "zero": 5}`, `{"secret": null, "note": "gone", "zero": 0}`},
		{`{"zero": "5"}`, `{"zero": "0"}`},
		{`{"a/b~c": "x"}`, `{"a/b~c": "` + one("hash", "x") + `"}`},
		{`{"born": "1987-04-12"}`, `{"born": "` + one("date_shift(days=9, by=subject)", "1987-04-12") + `"}`},
		{`{"contacts": [{"phone": "+49 30 1"}, {}, null]}`, `{"contacts": [{"phone": "` + one("phone", "+49 30 1") + `"}, {}, null]}`},
		{`{"contacts": {"home": {"phone": "+49 30 1"}}}`, `{"contacts": {"home": {"phone": "` + one("phone", "+49 30 1") + `"}}}`},
		{`{"account": "1234567"}`, `{"account": "` + one("fpe", "1234567") + `"}`},
	} {
		require.Equal(t, c.out, apply(t, r, c.in, "7"))
	}
	salary := apply(t, r, `{"salary": 4250.50, "account": 12345678}`, "7")
	require.Regexp(t, `^\{"salary": \d{4}\.\d\d, "account": \d{8}\}$`, salary)
	require.NotContains(t, salary, "4250.50")
	require.NotContains(t, salary, "12345678")
	require.Regexp(t, `^\{"salary": [\d.e+]+\}$`, apply(t, r, `{"salary": 4e3}`, "7"))
}

func TestJSONRefusesUndecidedPaths(t *testing.T) {
	r := compileJSON(t, "json", profile(t))
	for in, path := range map[string]string{
		`{"CANARY": 1}`:                         "at /*",
		`{"email": "a", "CANARY": null}`:        "at /*",
		`{"name": {"CANARY": "x"}}`:             "at /name/*",
		`{"name": "CANARY"}`:                    "at /name ",
		`{"name": ["CANARY"]}`:                  "at /name ",
		`{"contacts": [{"CANARY": 1}]}`:         "at /contacts/*/*",
		`{"contacts": ["CANARY"]}`:              "at /contacts/* ",
		`{"contacts": {"CANARY": {"name": {}}}`: "at /contacts/*/*",
		`["CANARY"]`:                            "at the top",
		`"CANARY"`:                              "at the top",
	} {
		_, err := try(r, in, "7")
		require.Equal(t, fault.Policy, fault.KindOf(err), "%s: %v", in, err)
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "CANARY")
		require.NotEmpty(t, fault.HintOf(err))
	}
}

func TestJSONDataErrors(t *testing.T) {
	r := compileJSON(t, "json", profile(t))
	for _, in := range []string{
		"{", "}", `{"email"}`, `{"email":}`, `{"email":"a",}`, `{"email":"a"} x`, `{"email":"CANARY`, `{"email":"a\x"}`, `{"email":"a\u12"}`,
		"{\"email\":\"a\nb\"}", "{\"email\":\"\xff\"}", `{"salary": 01}`, `{"salary": -}`, `{"salary": 1.}`, `{"salary": 1e}`, `{"salary": +1}`,
		`{"settings": [1,]}`, `{"settings": {"a" 1}}`, `{"settings": tru}`, `{email: "a"}`, "\x00", `{"settings":`, `[`, `{"settings": "\`,
		`{"email": 5}`, `{"email": {"CANARY": 1}}`, `{"email": ["CANARY"]}`, `{"email": true}`, `{"born": "CANARY"}`, `{"account": 12}`,
		`{"account": 12345678.5}`, `{"contacts": {"CANARY@mail.com": {"phone": "x"}}}`, `{"langs": {"CANARY@mail.com": 1}}`,
		`{"settings": ` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`,
	} {
		_, err := try(r, in, "7")
		require.Equal(t, fault.Data, fault.KindOf(err), "%s: %v", in, err)
		require.ErrorContains(t, err, "public.customer.field")
		require.NotContains(t, err.Error(), "CANARY")
	}
	deep := compileJSON(t, "json", []JSONPath{{Path: strings.Repeat("/*", 300), Keep: true}})
	_, err := try(deep, strings.Repeat("[", 280)+strings.Repeat("]", 280))
	require.ErrorContains(t, err, "deeper than 256")
	// After an error the same masker goes on with the next document.
	m := r.NewMasker()
	_, _, err = m.Append(nil, []byte(`{"name": {"first": "a", "x": 1}}`), Row{})
	require.Error(t, err)
	out, _, err := m.Append(nil, []byte(`{"langs": []}`), Row{})
	require.NoError(t, err)
	require.Equal(t, `{"langs": []}`, string(out))
}

func TestJSONWholeDocument(t *testing.T) {
	require.Equal(t, `[1, {"a": "b"}]`, apply(t, compileJSON(t, "jsonb", []JSONPath{{Path: "", Keep: true}}), `[1, {"a": "b"}]`))
	list := compileJSON(t, "jsonb", []JSONPath{{Path: "/*", Rule: spec(t, "email")}})
	require.NotContains(t, apply(t, list, `["ann@mail.com"]`), "ann@")
	require.Equal(t, `""`, apply(t, compileJSON(t, "text", []JSONPath{{Path: "", Rule: spec(t, "email")}}), `""`))
	card := compileJSON(t, "jsonb", []JSONPath{{Path: "", Rule: spec(t, "fpe"), Type: "card_number"}})
	require.False(t, luhn(apply(t, card, `"4111111111111111"`)), "the path's type makes card the format")
	exact := compileJSON(t, "jsonb", []JSONPath{{Path: "/*", Rule: spec(t, "constant(x)")}, {Path: "/id", Keep: true}})
	require.Equal(t, `{"id": 7, "other": "x"}`, apply(t, exact, `{"id": 7, "other": 8}`))
}

func TestCompileJSONRefuses(t *testing.T) {
	for _, c := range []struct {
		paths []JSONPath
		msg   string
	}{
		{[]JSONPath{{Path: "email", Keep: true}}, "does not start with /"},
		{[]JSONPath{{Path: "/a"}}, "either a rule or keep"},
		{[]JSONPath{{Path: "/a", Keep: true, Rule: spec(t, "email")}}, "either a rule or keep"},
		{[]JSONPath{{Path: "/a", Keep: true}, {Path: "/a", Keep: true}}, "twice"},
		{[]JSONPath{{Path: "/a", Keep: true}, {Path: "/a/b", Keep: true}}, `lies below "/a"`},
		{[]JSONPath{{Path: "", Keep: true}, {Path: "/a", Keep: true}}, `lies below ""`},
		{[]JSONPath{{Path: "/a~2", Keep: true}}, "not a JSON pointer"},
		{[]JSONPath{{Path: "/a~", Keep: true}}, "not a JSON pointer"},
	} {
		_, err := CompileJSON(t.Context(), column("jsonb"), testEnv, c.paths)
		require.ErrorContains(t, err, c.msg)
		require.Equal(t, fault.Policy, fault.KindOf(err))
	}
	_, err := CompileJSON(t.Context(), column("int4"), testEnv, nil)
	require.Error(t, err)
	array := column("jsonb")
	array.Array = true
	_, err = CompileJSON(t.Context(), array, testEnv, nil)
	require.Error(t, err)
	unique := column("jsonb")
	unique.Unique = true
	_, err = CompileJSON(t.Context(), unique, testEnv, nil)
	require.Error(t, err)
	key, ok := unescapePointer("~01~1")
	require.True(t, ok)
	require.Equal(t, "~1/", key)
}

func TestJSONIdentity(t *testing.T) {
	a := compileJSON(t, "jsonb", []JSONPath{{Path: "/a", Keep: true}, {Path: "/b", Rule: spec(t, "email")}})
	b := compileJSON(t, "json", []JSONPath{{Path: "/b", Rule: spec(t, "email(domain=email)")}, {Path: "/a", Keep: true}})
	require.Equal(t, a.Identity(), b.Identity())
	c := compileJSON(t, "json", []JSONPath{{Path: "/b", Rule: spec(t, "email(domain=other)")}, {Path: "/a", Keep: true}})
	require.NotEqual(t, a.Identity(), c.Identity())
	require.Equal(t, "json", a.String())
}

// FuzzJSON: with everything kept, what passes is JSON and comes back as it was;
// with everything masked, what passes is JSON of the same shape.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, "x", null, true, {"b": "\ud83d\ude00\ud800"}]}`, `{"a":"\u0000"}`, `[]`, `"x"`, "1e5", `{"a":{"a":{"a":1}}}`, " [ 1 , 2 ] ",
	} {
		f.Add(s)
	}
	keep := compileJSON(f, "json", []JSONPath{{Path: "", Keep: true}})
	masked := compileJSON(f, "json", []JSONPath{
		{Path: "/*/*", Rule: spec(f, "number_noise(percent=5)")}, {Path: "/a", Rule: spec(f, "redact_text")}, {Path: "/b/c", Rule: spec(f, "partial(keep_first=1)")},
	})
	f.Fuzz(func(t *testing.T, text string) {
		out, err := try(keep, text)
		if err == nil && text != "" {
			require.True(t, json.Valid([]byte(text)), "took what is not JSON")
			require.Equal(t, text, out)
		}
		if err != nil && json.Valid([]byte(text)) && utf8.ValidString(text) {
			require.ErrorContains(t, err, "deeper")
		}
		out, err = try(masked, text)
		if err == nil && text != "" {
			require.True(t, json.Valid([]byte(out)), "%q became %q", text, out)
		}
	})
}

func BenchmarkJSON(b *testing.B) {
	m := compileJSON(b, "jsonb", profile(b)).NewMasker()
	src := []byte(`{"born": "1987-04-12", "name": {"last": "Lee", "first": "Ann"}, "email": "ann.lee@mail.com", "langs": ["de", "en"], "salary": 4250.00, "contacts": [{"phone": "+49 30 901820"}]}`)
	row := Row{Subject: []byte("17")}
	var dst []byte
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, _, err = m.Append(dst[:0], src, row); err != nil {
			b.Fatal(err)
		}
	}
}
