package copytext

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/mask"
)

func one(columns int, fields ...Field) Layout {
	return Layout{Columns: columns, Fields: fields, Subject: -1, Tenant: -1}
}

func TestAppendRow(t *testing.T) {
	refused := errors.New("refused")
	null := maskFunc(func(dst, _ []byte, _ mask.Row) ([]byte, bool, error) { return append(dst, "rest"...), true, nil })
	fail := maskFunc(func(dst, _ []byte, _ mask.Row) ([]byte, bool, error) { return dst, false, refused })
	by := func(l Layout, subject int) Layout { l.Subject = subject; return l }
	for _, tc := range []struct {
		name     string
		layout   Layout
		in, want string
		err      error
		column   int
	}{
		{name: "first", layout: one(3, Field{0, always("X")}), in: "a\tb\tc\n", want: "X\tb\tc\n"},
		{name: "middle", layout: one(3, Field{1, always("X")}), in: "a\tb\tc", want: "a\tX\tc"},
		{name: "last", layout: one(3, Field{2, always("X")}), in: "a\tb\tc\n", want: "a\tb\tX\n"},
		{name: "all", layout: one(3, Field{0, same}, Field{1, same}, Field{2, same}), in: "a\t\\N\t\n", want: "a\t\\N\t\n"},
		{name: "only column", layout: one(1, Field{0, always("X")}), in: "abc\n", want: "X\n"},
		{name: "only column, empty", layout: one(1, Field{0, always("X")}), in: "\n", want: "X\n"},
		{name: "none masked", layout: one(2), in: "a\\qb\tc\n", want: "a\\qb\tc\n"},
		{name: "NULL stays", layout: one(2, Field{0, always("X")}), in: "\\N\t\\N\n", want: "\\N\t\\N\n"},
		{name: "made NULL", layout: one(2, Field{0, null}), in: "a\tb\n", want: "\\N\tb\n"},
		{name: "untouched bytes stay as written", layout: one(3, Field{1, same}), in: "\\101\ta\\x41\\\\\t\\x42\n", want: "\\101\taA\\\\\t\\x42\n"},
		{name: "result is escaped", layout: one(1, Field{0, always("\\N\n\\.\t")}), in: "a\n", want: "\\\\N\\n\\\\.\\t\n"},
		{name: "backslash N within a value", layout: one(1, Field{0, same}), in: "C:\\\\Nancy\n", want: "C:\\\\Nancy\n"},
		{name: "subject before", layout: by(one(2, Field{1, withSubject}), 0), in: "7\tv\n", want: "7\t7:v\n"},
		{name: "subject after", layout: by(one(2, Field{0, withSubject}), 1), in: "v\t7\n", want: "7:v\t7\n"},
		{name: "subject escaped", layout: by(one(2, Field{0, withSubject}), 1), in: "v\\\\\t\\\\7\n", want: "\\\\7:v\\\\\t\\\\7\n"},
		{name: "subject NULL", layout: by(one(2, Field{0, withSubject}), 1), in: "v\t\\N\n", want: ":v\t\\N\n"},
		{name: "subject masked itself", layout: by(one(2, Field{0, always("X")}, Field{1, withSubject}), 0), in: "7\tv\n", want: "X\t7:v\n"},
		{name: "too few columns", layout: one(3, Field{0, same}), in: "a\tb\n", err: errColumns, column: -1},
		{name: "too few for the field", layout: one(3, Field{2, same}), in: "a\n", err: errColumns, column: -1},
		{name: "too many columns", layout: one(2, Field{0, same}), in: "a\tb\tc\n", err: errColumns, column: -1},
		{name: "too many after the last field", layout: one(2, Field{1, same}), in: "a\tb\tc\n", err: errColumns, column: -1},
		{name: "newline within", layout: one(1, Field{0, same}), in: "a\nb\n", err: errNewline, column: -1},
		{name: "end marker", layout: one(1, Field{0, same}), in: "\\.\n", err: errEndMarker, column: -1},
		{name: "bad escape in a masked column", layout: one(2, Field{1, same}), in: "a\tb\\q\n", err: errUnknownEscape, column: 1},
		{name: "bad escape in the subject", layout: by(one(2, Field{1, same}), 0), in: "a\\\tb\n", err: errTrailingBackslash, column: 0},
		{name: "rule fails", layout: one(2, Field{1, fail}), in: "a\tb\n", err: refused, column: 1},
		{name: "rule makes a NUL", layout: one(1, Field{0, always("\x00")}), in: "a\n", err: errNUL, column: 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := NewRewriter(tc.layout)
			got, err := r.AppendRow([]byte("before\n"), []byte(tc.in))
			if tc.err != nil {
				require.ErrorIs(t, err, tc.err)
				re, ok := errors.AsType[*RowError](err)
				require.True(t, ok)
				require.Equal(t, tc.column, re.Column)
				require.EqualValues(t, 1, re.Row)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "before\n"+tc.want, string(got))
			require.EqualValues(t, 1, r.Rows())
		})
	}
}

func TestRowErrorNamesTheRowByItsKeyOnly(t *testing.T) {
	fail := maskFunc(func(dst, src []byte, _ mask.Row) ([]byte, bool, error) {
		if string(src) == "bad" {
			return dst, false, errors.New("no digits in it")
		}
		return append(dst, src...), false, nil
	})
	l := one(4, Field{1, fail}, Field{2, same})
	l.Keys = []int{0, 3}
	r := NewRewriter(l)
	_, err := r.AppendRow(nil, []byte("41\tgood\ts3cret\tx\n"))
	require.NoError(t, err)
	_, err = r.AppendRow(nil, []byte("42\tbad\ts3cret\t\\N\n"))
	re, ok := errors.AsType[*RowError](err)
	require.True(t, ok)
	require.Equal(t, []string{"42", `\N`}, re.Key)
	require.Equal(t, `row 2 (key 42, \N), column 2: no digits in it`, err.Error())

	_, err = r.AppendRow(nil, []byte("43\tbad\ts3cret\n"))
	require.ErrorIs(t, err, errColumns)
	require.NotContains(t, err.Error(), "43", "in a broken line nobody knows what is the key")

	_, err = r.AppendRow(nil, []byte(strings.Repeat("9", 1000)+"\tbad\t\t\n"))
	require.Less(t, len(err.Error()), 300)
}

func TestContradictingLayoutsRefuseEveryRow(t *testing.T) {
	valid := func(change func(*Layout)) Layout {
		l := one(3, Field{0, same}, Field{1, same})
		change(&l)
		return l
	}
	for name, l := range map[string]Layout{
		"no columns":      valid(func(l *Layout) { l.Columns = 0 }),
		"field outside":   valid(func(l *Layout) { l.Fields[1].Index = 3 }),
		"field negative":  valid(func(l *Layout) { l.Fields[0].Index = -1 }),
		"not ascending":   valid(func(l *Layout) { l.Fields[1].Index = 0 }),
		"no masker":       valid(func(l *Layout) { l.Fields[1].Masker = nil }),
		"subject outside": valid(func(l *Layout) { l.Subject = 3 }),
		"tenant outside":  valid(func(l *Layout) { l.Tenant = 3 }),
		"tenants unknown": valid(func(l *Layout) { l.Tenant = 2 }),
		"key outside":     valid(func(l *Layout) { l.Keys = []int{3} }),
		"key is masked":   valid(func(l *Layout) { l.Keys = []int{2, 1} }),
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRewriter(l)
			out, err := r.AppendRow(nil, []byte("a\tb\tc\n"))
			require.ErrorContains(t, err, "layout")
			require.Empty(t, out)
			_, err = Pipe(t.Context(), nil, "", nil, "", r, nil)
			require.ErrorContains(t, err, "layout")
		})
	}
	_, err := NewRewriter(valid(func(*Layout) {})).AppendRow(nil, []byte("a\tb\tc\n"))
	require.NoError(t, err)
}

func TestTenantsHaveMaskersOfTheirOwn(t *testing.T) {
	asked := map[string]int{}
	l := one(3, Field{Index: 0}, Field{Index: 1})
	l.Tenant = 2
	l.TenantCache = 2
	l.Maskers = func(tenant string) ([]mask.Masker, error) {
		asked[tenant]++
		switch tenant {
		case "short":
			return []mask.Masker{same}, nil
		case "unknown":
			return nil, errors.New("no such tenant")
		}
		return []mask.Masker{always(tenant + "0"), always(tenant + "1")}, nil
	}
	r := NewRewriter(l)
	for _, tenant := range []string{"a", "b", "a", "a", "b"} {
		got, err := r.AppendRow(nil, []byte("x\ty\t"+tenant))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("%[1]s0\t%[1]s1\t%[1]s", tenant), string(got))
	}
	require.Equal(t, map[string]int{"a": 1, "b": 1}, asked)
	for i := range 100 {
		_, err := r.AppendRow(nil, fmt.Appendf(nil, "x\ty\tt%d", i))
		require.NoError(t, err)
		require.LessOrEqual(t, len(r.tenants.all), 2)
	}
	got, err := r.AppendRow(nil, []byte("x\ty\ta\\\\b"))
	require.NoError(t, err)
	require.Equal(t, `a\\b0	a\\b1	a\\b`, string(got))

	_, err = r.AppendRow(nil, []byte("x\ty\t\\N"))
	require.ErrorIs(t, err, errNullTenant)
	_, err = r.AppendRow(nil, []byte("x\ty\tunknown"))
	require.ErrorContains(t, err, "no such tenant")
	_, err = r.AppendRow(nil, []byte("x\ty\tshort"))
	require.ErrorContains(t, err, "1 maskers for 2")
}

func TestObserveSeesDecodedValues(t *testing.T) {
	var got []string
	l := one(3, Field{0, same}, Field{2, maskFunc(func(dst, _ []byte, _ mask.Row) ([]byte, bool, error) { return dst, true, nil })})
	l.Observe = func(field int, original, masked []byte, null bool) {
		got = append(got, fmt.Sprintf("%d %q %q %v", field, original, masked, null))
	}
	_, err := NewRewriter(l).AppendRow(nil, []byte("a\\tb\tc\td\n"))
	require.NoError(t, err)
	_, err = NewRewriter(l).AppendRow(nil, []byte("\\N\t\\N\t\\N\n"))
	require.NoError(t, err)
	require.Equal(t, []string{`0 "a\tb" "a\tb" false`, `1 "d" "" true`}, got)
}

func TestAppendRowAllocatesNothing(t *testing.T) {
	l := one(5, Field{0, always("fixed\\text")}, Field{2, withSubject})
	l.Subject = 3
	l.Tenant = 4
	maskers := []mask.Masker{always("fixed\\text"), withSubject}
	l.Maskers = func(string) ([]mask.Masker, error) { return maskers, nil }
	r := NewRewriter(l)
	lines := [][]byte{
		[]byte("a\\tb\tc\td\\\\e\tsub\\tject\ttenant 1\n"),
		[]byte("a\\tb\tc\t\\N\tsub\\tject\ttenant 2\n"),
	}
	dst := make([]byte, 0, 1024)
	allocs := testing.AllocsPerRun(1000, func() {
		for _, line := range lines {
			if _, err := r.AppendRow(dst[:0], line); err != nil {
				t.Fatal(err)
			}
		}
	})
	require.Zero(t, allocs)
}

// FuzzAppendRow checks on any line that columns never move: a row that is
// accepted has the columns it had, masked ones decode to what they decoded to,
// the others are the same bytes.
func FuzzAppendRow(f *testing.F) {
	f.Add([]byte("a\tb\tc\td"))
	f.Add([]byte("\\N\t\\\\N\t\\101\t"))
	f.Add([]byte("\\\ta\tb\tc\td"))
	f.Add([]byte("\\.\t\t\t\xff\\x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		l := one(4, Field{0, same}, Field{2, same})
		l.Subject = 3
		r := NewRewriter(l)
		out, err := r.AppendRow(nil, line)
		if err != nil {
			return
		}
		in, got := AppendFields(nil, line), AppendFields(nil, out)
		require.Len(t, in, 4)
		require.Len(t, got, 4)
		require.Equal(t, bytes.HasSuffix(line, newline), bytes.HasSuffix(out, newline))
		for i := range in {
			if i%2 == 1 || IsNull(in[i]) {
				require.Equal(t, in[i], got[i])
				continue
			}
			was, err := AppendDecoded([]byte{}, in[i])
			require.NoError(t, err)
			is, err := AppendDecoded([]byte{}, got[i])
			require.NoError(t, err)
			require.Equal(t, was, is)
		}
	})
}

func TestLocateFindsColumnsOfEveryLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(1, 12).Draw(t, "columns")
		last := rapid.IntRange(-1, columns-1).Draw(t, "last")
		letter := rapid.SampledFrom([]byte("ab\x08\x0b\x89\x8a\xff"))
		given := columns + rapid.SampledFrom([]int{0, 0, 0, -1, 1}).Draw(t, "more")
		var line []byte
		for i := range given {
			if i > 0 {
				line = append(line, '\t')
			}
			for range rapid.SampledFrom([]int{0, 1, 2, 6, 7, 8, 9, 30, 63, 64, 65, 100, 200}).Draw(t, "length") {
				line = append(line, letter.Draw(t, "letter"))
			}
		}
		if n := len(line); n > 0 && rapid.Bool().Draw(t, "escape") {
			if at := rapid.IntRange(0, n-1).Draw(t, "at"); line[at] != '\t' {
				line[at] = '\\'
			}
		}
		r := NewRewriter(one(columns))
		r.last, r.bounds = last, make([]int, last+2)
		err := r.locate(line)
		if given != columns && (given > 0 || columns > 1) {
			require.ErrorIs(t, err, errColumns)
			return
		}
		require.NoError(t, err)
		for i, f := range AppendFields(nil, line)[:last+1] {
			require.Equal(t, string(f), string(r.column(line, i)))
			require.True(t, r.escaped || bytes.IndexByte(f, '\\') < 0)
		}
	})
}
