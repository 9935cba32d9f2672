package copytext

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAppendDecoded(t *testing.T) {
	for _, tc := range []struct {
		raw, want string
		err       error
	}{
		{raw: ``, want: ""},
		{raw: `plain`, want: "plain"},
		{raw: `\b\f\n\r\t\v\\`, want: "\b\f\n\r\t\v\\"},
		{raw: `C:\\Nancy`, want: `C:\Nancy`},
		{raw: `\\N`, want: `\N`},
		{raw: `\\.`, want: `\.`},
		{raw: `\101\60a\7`, want: "A0a\a"},
		{raw: `\1011`, want: "A1"},
		{raw: `\501`, want: "A"}, // taken modulo 256, as the server does
		{raw: `\x41\x4a4\xA`, want: "AJ4\n"},
		{raw: `é\\é`, want: `é\é`},
		{raw: `a\`, err: errTrailingBackslash},
		{raw: `a\Nb`, err: errUnknownEscape},
		{raw: `\.`, err: errUnknownEscape},
		{raw: `\q`, err: errUnknownEscape},
		{raw: `\xg`, err: errUnknownEscape},
		{raw: `\x`, err: errUnknownEscape},
		{raw: `\8`, err: errUnknownEscape},
		{raw: `\0`, err: errNUL},
		{raw: `\000`, err: errNUL},
		{raw: `\400`, err: errNUL},
		{raw: `\x0`, err: errNUL},
	} {
		got, err := AppendDecoded([]byte("before "), []byte(tc.raw))
		require.ErrorIs(t, err, tc.err, tc.raw)
		if tc.err == nil {
			require.Equal(t, "before "+tc.want, string(got), tc.raw)
		}
	}
}

func TestAppendEncoded(t *testing.T) {
	for value, want := range map[string]string{
		"":                     "",
		"plain text, é":        "plain text, é",
		"\b\f\n\r\t\v\\":       `\b\f\n\r\t\v\\`,
		`\N`:                   `\\N`,
		`\.`:                   `\\.`,
		`C:\Nancy`:             `C:\\Nancy`,
		"\x01\x1f\x7f":         "\x01\x1f\x7f",
		"0123456789\n":         `0123456789\n`,
		"01234567\\89012345\t": `01234567\\89012345\t`,
	} {
		got, err := AppendEncoded([]byte("before "), []byte(value))
		require.NoError(t, err)
		require.Equal(t, "before "+want, string(got))
		got, err = encodeTail([]byte("\tbefore\t"+value), len("\tbefore\t"))
		require.NoError(t, err)
		require.Equal(t, "\tbefore\t"+want, string(got))
	}
	_, err := AppendEncoded(nil, []byte("a\x00"))
	require.ErrorIs(t, err, errNUL)
	_, err = encodeTail([]byte("a\nb\x00"), 0)
	require.ErrorIs(t, err, errNUL)
}

func TestFirstSpecialFindsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.OneOf(
			rapid.Just(byte('a')), rapid.Byte(), rapid.SampledFrom([]byte{0, 1, 0x1f, 0x20, 0x21, '\\', '[', ']', 0x7f, 0x80, 0xff, 0xa0, 0xdc}),
		)).Draw(t, "b")
		want := -1
		for i, c := range b {
			if c < 0x20 || c == '\\' {
				want = i
				break
			}
		}
		if want < 0 {
			want = len(b)
		}
		if got := firstSpecial(b); got != want {
			t.Fatalf("firstSpecial(%q) = %d, want %d", b, got, want)
		}
		if got := clean(b); got != (want == len(b)) {
			t.Fatalf("clean(%q) = %v", b, got)
		}
	})
}

func TestAppendFields(t *testing.T) {
	require.Equal(t, [][]byte{[]byte("a"), {}, []byte(`\N`)}, AppendFields(nil, []byte("a\t\t\\N\n")))
	require.Len(t, AppendFields(nil, nil), 1, "an empty line is one empty column")
}

// FuzzCodec checks that what is written reads back equal and stays within its
// column, and that what can be read is a fixed point of write and read.
func FuzzCodec(f *testing.F) {
	for _, s := range []string{"", "a", `\N`, `C:\Nancy`, "\b\t\n", `\101\x4a`, "\x00", "é\xff", `\`, `\\\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		check := func(value []byte) {
			raw, err := AppendEncoded(nil, value)
			if bytes.IndexByte(value, 0) >= 0 {
				require.ErrorIs(t, err, errNUL)
				return
			}
			require.NoError(t, err)
			require.False(t, bytes.ContainsAny(raw, "\t\n\r"))
			require.False(t, IsNull(raw))
			inPlace, err := encodeTail(bytes.Clone(value), 0)
			require.NoError(t, err)
			require.True(t, bytes.Equal(raw, inPlace))
			back, err := AppendDecoded(nil, raw)
			require.NoError(t, err)
			require.True(t, bytes.Equal(value, back))
		}
		check(b)
		if value, err := AppendDecoded(nil, b); err == nil && bytes.IndexByte(value, 0) < 0 {
			check(value)
		}
	})
}
