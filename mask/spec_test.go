package mask

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseSpecCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		"email":                         "email",
		" email ( ) ":                   "email",
		"email()":                       "email",
		"fpe(keep_last=4,keep_first=2)": "fpe(keep_first=2, keep_last=4)",
		"fpe( alphabet = digits , keep_last = 04 )": "fpe(keep_last=4)",
		"fpe(luhn=fail)":                     "fpe",
		"partial(char='*')":                  "partial",
		`partial(char="\"")`:                 `partial(char="\"")`,
		"constant(n/a)":                      "constant(n/a)",
		"constant('it''s (ok), a=b')":        `constant("it's (ok), a=b")`,
		`constant("")`:                       `constant("")`,
		`constant("a\n\t\\")`:                `constant("a\n\t\\")`,
		"constant('two words')":              `constant("two words")`,
		"constant(' padded ')":               `constant(" padded ")`,
		"date_shift(by=subject, days=030)":   "date_shift(days=30, by=subject)",
		"date_shift(days=30, by=value)":      "date_shift(days=30)",
		"number_noise(percent=010.50)":       "number_noise(percent=10.5)",
		"number_noise(abs=0.25, domain=pay)": "number_noise(abs=0.25, domain=pay)",
	} {
		s, err := ParseSpec(in)
		require.NoError(t, err, in)
		require.Equal(t, want, s.String())
		again, err := ParseSpec(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	}
}

func TestParseSpecErrors(t *testing.T) {
	for _, c := range []struct {
		in     string
		offset int
		msg    string
	}{
		{"", 0, "starts with its name"},
		{"  ", 2, "starts with its name"},
		{"emial", 0, `unknown rule "emial", did you mean "email"?`},
		{" zzzzzz", 1, `unknown rule "zzzzzz"`},
		{"email x", 6, "unexpected text"},
		{"email(", 6, "closing parenthesis is missing"},
		{"email(x", 6, "name=value"},
		{"email(x=1)", 6, `unknown parameter "x" of rule email; it takes domain`},
		{"email(domian=a)", 6, `did you mean "domain"?`},
		{"email(domain=A)", 13, "a-z"},
		{"email(domain=a domain=b)", 15, "expected a comma"},
		{"email(domain=a, domain=b)", 16, "given twice"},
		{"email(domain=a,)", 15, "a value is missing"},
		{"email(domain=)", 13, "a value is missing"},
		{"null(x)", 5, "name=value"},
		{"null(x=1)", 5, "takes no parameters"},
		{"fpe(keep_last=-1)", 14, "from 0 to 64"},
		{"fpe(keep_last=65)", 14, "from 0 to 64"},
		{"fpe(keep_last=four)", 14, "whole number"},
		{"fpe(keep_lsat=4)", 4, `did you mean "keep_last"?`},
		{"fpe(alphabet=digit)", 13, `did you mean "digits"?`},
		{"fpe(format=card, alphabet=hex)", 0, "alphabet=digits only"},
		{"fpe(format=card, keep_first=6, keep_last=4)", 0, "at most 6"},
		{"fpe(format=plain, luhn=valid)", 0, "belongs to format=card"},
		{"fpe(length=any, keep_last=1)", 0, "no other parameter"},
		{"date_shift", 0, "needs days"},
		{"date_shift(days=0)", 16, "from 1"},
		{"number_noise", 0, "needs percent or abs"},
		{"number_noise(percent=1, abs=2)", 0, "needs percent or abs"},
		{"number_noise(percent=101)", 0, "at most 100"},
		{"number_noise(percent=0)", 21, "positive"},
		{"number_noise(percent=1.2.3)", 21, "positive"},
		{"number_noise(percent=.5)", 21, "positive"},
		{"constant", 0, "needs a value"},
		{"constant()", 0, "needs a value"},
		{"constant(a, b)", 12, "given twice"},
		{"constant('x)", 9, "closing quote"},
		{`constant("x)`, 9, "closing quote"},
		{`constant("\`, 9, "closing quote"},
		{`constant("\x")`, 10, "unknown escape"},
		{"constant(a\x00)", 10, "without NUL"},
		{"constant(a\xff)", 10, "UTF-8"},
		{"partial(char=ab)", 13, "one printable character"},
		{"partial(char='')", 13, "one printable character"},
		{"partial(char=\u0301)", 13, "one printable character"},
		{"hash(length=15)", 12, "from 16 to 32"},
	} {
		_, err := ParseSpec(c.in)
		var parse *ParseError
		require.True(t, errors.As(err, &parse), "%q: %v", c.in, err)
		require.Equal(t, c.offset, parse.Offset, "%q: %v", c.in, err)
		require.Contains(t, parse.Msg, c.msg, "%q", c.in)
	}
}

func TestSpecText(t *testing.T) {
	var s Spec
	require.True(t, s.IsZero())
	require.Empty(t, s.Name()+s.String())
	require.NoError(t, s.UnmarshalText([]byte("fpe(keep_last=4)")))
	text, err := s.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "fpe(keep_last=4)", string(text))
	require.Error(t, s.UnmarshalText([]byte("nope")))
	require.NoError(t, s.UnmarshalText(nil))
	require.True(t, s.IsZero())
	refusedZero := func() error { _, err := Spec{}.Compile(t.Context(), column("text"), testEnv); return err }
	require.ErrorContains(t, refusedZero(), "no masking rule")
}

// TestRuleDocs: every rule's example parses in its canonical form, works on a
// type that it names, and gives the documented result under the test's key. A
// changed result breaks joins with everything masked before.
func TestRuleDocs(t *testing.T) {
	docs := Rules()
	require.Len(t, docs, 18)
	names := map[string]bool{}
	for _, d := range docs {
		require.False(t, names[d.Name])
		names[d.Name] = true
		require.NotEmpty(t, d.Doc)
		s := spec(t, d.Example)
		require.Equal(t, d.Name, s.Name())
		col := column("text")
		if len(d.Types) > 0 {
			col.SQLType = d.Types[0]
		}
		rule := compile(t, d.Example, col)
		require.Equal(t, d.Out, apply(t, rule, d.In, "42"), d.Name)
		for _, p := range d.Params {
			require.NotEmpty(t, p.Doc, "%s.%s", d.Name, p.Name)
		}
		for _, typ := range d.Types {
			if _, err := s.Compile(t.Context(), column(typ), testEnv); err != nil {
				require.True(t, d.Name == "fpe", "%s on %s: %v", d.Name, typ, err)
			}
		}
		require.True(t, strings.HasSuffix(d.Doc, "."), d.Name)
	}
	require.True(t, slices.Equal(docs[0].Types, nil))
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range samples {
		f.Add(s.rule)
	}
	f.Add(`constant("a\"b", 'c')`)
	f.Add("fpe(keep_last=4")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpec(text)
		if err != nil {
			var parse *ParseError
			require.True(t, errors.As(err, &parse))
			require.LessOrEqual(t, parse.Offset, len(text))
			require.GreaterOrEqual(t, parse.Offset, 0)
			return
		}
		again, err := ParseSpec(s.String())
		require.NoError(t, err, "canonical form %q", s.String())
		require.Equal(t, s.String(), again.String())
	})
}
