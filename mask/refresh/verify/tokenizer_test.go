package verify

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
)

// A collector holds the fingerprints of a value's pieces.
type collector map[uint64]bool

func pieces(k *keyed, value string, s shape, whole bool) collector {
	c := collector{}
	t := &tokenizer{k: k, phrase: maxPhrase, digits: true, codes: true, whole: whole}
	t.yield = func(fp uint64, _ class, _ int) { c[fp] = true }
	t.value([]byte(value), s)
	return c
}

// originalOf returns the fingerprints of one original, and how many were left out.
func originalOf(k *keyed, value string, typ classify.Type, s shape, path string) (fps []uint64, leftOut int64) {
	e := &extractor{t: &tokenizer{k: k}, typ: typ, shape: s, path: parsePointer(path),
		found: func(fp uint64, _ class, _ int) { fps = append(fps, fp) }}
	e.value([]byte(value))
	return fps, e.leftOut
}

func stands(k *keyed, original string, typ classify.Type, in string, s shape, whole bool) bool {
	fps, _ := originalOf(k, original, typ, shape{}, "")
	found := pieces(k, in, s, whole)
	for _, fp := range fps {
		if found[fp] {
			return true
		}
	}
	return false
}

func TestOriginalsAreFound(t *testing.T) {
	k := newKeyed()
	array, jsonShape, bytea := shape{array: true}, shape{json: true}, shape{bytes: true}
	for _, tt := range []struct {
		original string
		typ      classify.Type
		in       string
		shape    shape
		want     bool
	}{
		{"Ann.Lee@mail.com", classify.Email, "ann.lee@mail.com", shape{}, true},
		{"Ann.Lee@mail.com", classify.Email, "Write to <ANN.LEE@MAIL.COM>, or call.", shape{}, true},
		{"Ann.Lee@mail.com", classify.Email, "mailto:ann.lee@mail.com?subject=x", shape{}, true},
		{"ann.lee@mail.com", classify.Email, "to=ann.lee%40mail.com&x=1", shape{}, true},
		{"ann.lee@mail.com", classify.Email, "joann.lee@mail.com", shape{}, false},
		{"ann.lee@mail.com", classify.Email, "ann.lee@mail.com.org", shape{}, false},
		{"ann#lee@mail.com", classify.Email, "(ann#lee@mail.com)", shape{}, true},
		{"12 Main  Street", classify.StreetAddress, "lives at 12 main street, Springfield", shape{}, true},
		{"12 Main Street", classify.StreetAddress, "112 Main Street", shape{}, false},
		{"Ärztehaus 7", classify.StreetAddress, "im ÄRZTEHAUS 7.", shape{}, true},
		{"O'Brien Road 5", classify.StreetAddress, "at o'brien road 5!", shape{}, true},
		{"Rue de l’Église, 4", classify.StreetAddress, "4, rue de l’église", shape{}, false},
		{"+1 (415) 555-2671", classify.Phone, "call 1.415.555.2671 now", shape{}, true},
		{"+1 (415) 555-2671", classify.Phone, "14155552671", shape{}, true},
		{"0041 44 668 18 00", classify.Phone, "+41446681800", shape{}, true},
		{"+41446681800", classify.Phone, "0041 44 668 18 00", shape{}, true},
		{"+1 415 555 2671 ext. 12", classify.Phone, "1-415-555-2671", shape{}, true},
		{"+1 (415) 555-2671", classify.Phone, "14155552671999", shape{}, false},
		{"4111 1111 1111 1111", classify.CardNumber, "paid by 4111-1111-1111-1111 2 times", shape{}, true},
		{"123-45-6789", classify.USSSN, "ssn 123456789", shape{}, true},
		{"DE89 3704 0044 0532 0130 00", classify.IBAN, "to DE89370400440532013000.", shape{}, true},
		{"DE89370400440532013000", classify.IBAN, "to DE89 3704 0044 0532 0130 00 please", shape{}, true},
		{"84.12.3.4", classify.IPAddress, "from 84.12.3.4:8080", shape{}, true},
		{"2001:db8::1:2345", classify.IPAddress, "from [2001:DB8::1:2345]", shape{}, true},
		{"00:1b:44:11:3a:b7", classify.MACAddress, "001B44113AB7", shape{}, true},
		{"jennifer", classify.Username, "Jennifer", shape{}, true},
		{"jennifer", classify.Username, "Jennifer came", shape{}, false},
		{"jenny_77", classify.Username, "by jenny_77 today", shape{}, true},
		{"a story that is told in more than eight words", classify.FreeText, "A story that is told, in more than eight words!", shape{}, true},
		{"a story that is told in more than eight words", classify.FreeText, "x a story that is told in more than eight words", shape{}, false},

		{"ann.lee@mail.com", classify.Email, `{"a,b","x ann.lee@mail.com",NULL}`, array, true},
		{"ann.lee@mail.com", classify.Email, `{{a,ann.lee@mail.com},{b,c}}`, array, true},
		{"ann.lee@mail.com", classify.Email, `[2:3]={a,ann.lee@mail.com}`, array, true},
		{`12 "Main" Street`, classify.StreetAddress, `{"12 \"Main\" Street"}`, array, true},
		{"12 Main Street", classify.StreetAddress, `{12,"Main Street"}`, array, false},
		{"ann.lee@mail.com", classify.Email, `{"a": [1, {"b": "ann.lee@mail.com"}]}`, jsonShape, true},
		{"ann.lee@mail.com", classify.Email, `{"ann.lee@mail.com": 1}`, jsonShape, true},
		{"ann.lee@mail.com", classify.Email, `"ann.lee\u0040mail.com"`, jsonShape, true},
		{"ann.lee@mail.com", classify.Email, `{"x":"{\"email\":\"ann.lee@mail.com\"}"}`, jsonShape, true},
		{"Ärztehaus 7", classify.StreetAddress, `["\u00c4rztehaus\t7"]`, jsonShape, true},
		{"+1 (415) 555-2671", classify.Phone, `{"p": 14155552671}`, jsonShape, true},
		{"12 Main Street", classify.StreetAddress, `["12", "Main Street"]`, jsonShape, false},
		{"ann.lee@mail.com", classify.Email, `\x616e6e2e6c6565406d61696c2e636f6d`, bytea, true},
		{"ann.lee@mail.com", classify.Email, `\x00ff0a61` + `0a10616e6e2e6c6565406d61696c2e636f6d00fe`, bytea, true},
		{"ann.lee@mail.com", classify.Email, `{"log": "from:\nann.lee@mail.com\n"}`, shape{}, true},
		{"12 Main Street", classify.StreetAddress, `lives at:\\r\\n12 Main Street`, shape{}, true},
		{"rita.skeeter@mail.com", classify.Email, `C:\temp\rita.skeeter@mail.com`, shape{}, true},
		{`\xff00ff00ff00ff`, classify.Image, `\xff00ff00ff00ff`, bytea, false},
	} {
		require.Equal(t, tt.want, stands(k, tt.original, tt.typ, tt.in, tt.shape, false), "%s %q in %q", tt.typ, tt.original, tt.in)
	}
	require.False(t, stands(k, "12 Main Street", classify.StreetAddress, "612 Main Street 12 Main Street", shape{}, true), "whole values only")
	require.True(t, stands(k, "12 Main Street", classify.StreetAddress, "12 main street", shape{}, true))

	image, _ := originalOf(k, `\xff00ff00ff00ff`, classify.Image, bytea, "")
	require.NotEmpty(t, image, "bytes that are no text are compared whole")
	require.True(t, pieces(k, `\xff00ff00ff00ff`, bytea, false)[image[0]])
}

func TestOriginalsLeftOut(t *testing.T) {
	k := newKeyed()
	for _, tt := range []struct {
		value string
		typ   classify.Type
		left  bool
	}{
		{"a@b", classify.Email, true}, {"a@b.c", classify.Email, true}, {"ab@cd.ef", classify.Email, false},
		{"12345", classify.Phone, true}, {"123456", classify.Phone, true}, {"1234567", classify.Phone, false},
		{"+9991234567", classify.Phone, true},
		{"smith", classify.Username, true}, {"smith9", classify.Username, false}, {"jennifer", classify.Username, false},
		{"call", classify.FreeText, true}, {"call me", classify.FreeText, true}, {"call me later", classify.FreeText, false},
		{"1 A", classify.StreetAddress, true}, {"--", classify.FreeText, true},
	} {
		fps, left := originalOf(k, tt.value, tt.typ, shape{}, "")
		require.Equal(t, tt.left, left == 1, "%s %q", tt.typ, tt.value)
		require.Equal(t, tt.left, len(fps) == 0, "%s %q", tt.typ, tt.value)
	}
	fps, left := originalOf(k, "  ", classify.Email, shape{}, "")
	require.Empty(t, fps)
	require.Zero(t, left, "nothing is not an original")
}

func TestOriginalsOfDocuments(t *testing.T) {
	k := newKeyed()
	doc := `{"email": "ann.lee@mail.com", "to": [{"email": "bob.ray@mail.com"}, {"email": "eve@mail.com", "n": 1}], "a/b": "x1@mail.com"}`
	for path, want := range map[string][]string{
		"/email":      {"ann.lee@mail.com"},
		"/to/*/email": {"bob.ray@mail.com", "eve@mail.com"},
		"/to/1/email": {"eve@mail.com"},
		"/a~1b":       {"x1@mail.com"},
		"/to/0":       {"bob.ray@mail.com"},
		"/none":       nil,
		"":            {"ann.lee@mail.com", "bob.ray@mail.com", "eve@mail.com", "x1@mail.com"},
	} {
		got, _ := originalOf(k, doc, classify.Email, shape{json: true}, path)
		var fps []uint64
		for _, w := range want {
			fp, _ := originalOf(k, w, classify.Email, shape{}, "")
			fps = append(fps, fp...)
		}
		require.Equal(t, fps, got, path)
	}
}

// What would cost more than its length: many short groups of digits, one long
// run, many brackets, many starts of an IBAN, quotes without end.
func TestTokenizerIsLinear(t *testing.T) {
	k := newKeyed()
	count := 0
	tok := &tokenizer{k: k, phrase: maxPhrase, digits: true, codes: true}
	tok.yield = func(uint64, class, int) { count++ }
	const n = 1 << 20
	for _, unit := range []string{"1 ", "1", "12-", "[", `{"`, `\`, "aa11", "aa11 ", "a ", "@", "é", "%4", "\xff", `{"a":`, `"\u`, "AB12 3456 "} {
		value := []byte(strings.Repeat(unit, n/len(unit)))
		for _, s := range []shape{{}, {json: true}, {array: true}, {bytes: true}, {json: true, array: true}} {
			count = 0
			started := time.Now()
			tok.value(value, s)
			require.LessOrEqual(t, count, 40*n, "pieces of %q", unit)
			require.Less(t, time.Since(started), 20*time.Second, "%q", unit)
		}
	}
}

func FuzzTokenizer(f *testing.F) {
	for _, s := range []string{"ann.lee@mail.com", "call 1.415.555.2671 2 x", `{"a":["\u0040",1]}`, `{"a\"",{b}}`, `\x6161`, "DE89 3704 0044 0532 0130 00", "\xff\x00é"} {
		f.Add([]byte(s), "mary@x.org", uint8(0))
	}
	k := newKeyed()
	f.Fuzz(func(t *testing.T, value []byte, original string, how uint8) {
		s := shape{json: how&1 > 0, bytes: how&2 > 0, array: how&4 > 0}
		pieces(k, string(value), s, how&8 > 0)
		// An original is found in itself, and between other words.
		fps, _ := originalOf(k, original, classify.Email, shape{}, "")
		whole, inside := pieces(k, original, shape{}, true), pieces(k, "word "+original+" word", shape{}, false)
		_, words := (&tokenizer{k: k, whole: true}).words([]byte(original))
		for _, fp := range fps {
			require.True(t, whole[fp], "%q in itself", original)
			// More digits beside a number are another number, and long texts are
			// compared whole.
			if words <= maxPhrase && !bytes.ContainsAny([]byte(original), "%") {
				require.True(t, inside[fp], "%q inside a text", original)
			}
		}
		for _, path := range []string{"", "/a", "/*/b"} {
			originalOf(k, string(value), classify.FreeText, s, path)
		}
	})
}

func FuzzRowReader(f *testing.F) {
	f.Add([]byte("a\tb\n\\N\t\n"), 1)
	f.Add([]byte("C:\\\\Nancy\t\\t\\n\n"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		read := func(chunks ...[]byte) (out []string, err error) {
			r := &rowReader{fields: make([][]byte, 2), scratch: make([][]byte, 2), row: func(f [][]byte) error {
				out = append(out, fmt.Sprintf("%v%q %v%q", f[0] == nil, f[0], f[1] == nil, f[1]))
				return nil
			}}
			for _, c := range chunks {
				if _, err := r.Write(c); err != nil {
					return out, err
				}
			}
			return out, nil
		}
		at := 0
		if len(b) > 0 && cut > 0 {
			at = cut % len(b)
		}
		one, err1 := read(b)
		two, err2 := read(b[:at], b[at:])
		require.Equal(t, err1 == nil, err2 == nil)
		require.Equal(t, one, two, "where the stream is cut does not matter")
	})
}

func TestRowReader(t *testing.T) {
	var got [][]string
	r := &rowReader{fields: make([][]byte, 3), scratch: make([][]byte, 3), row: func(f [][]byte) error {
		var row []string
		for _, v := range f {
			if v == nil {
				row = append(row, "NULL")
			} else {
				row = append(row, string(v))
			}
		}
		got = append(got, row)
		return nil
	}}
	_, err := r.Write([]byte("a\t\\N\t\nC:\\\\Nancy\\t\t\\\\N\t\\b\\f\\n\\r\\v\\.\n"))
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a", "NULL", ""}, {"C:\\Nancy\t", `\N`, "\b\f\n\r\v."}}, got)
	_, err = r.Write([]byte("a\tb\n"))
	require.Error(t, err)
}

func BenchmarkTokenizer(b *testing.B) {
	k := newKeyed()
	tok := &tokenizer{k: k, phrase: maxPhrase, digits: true, codes: true}
	f := newFilter(1_000_000, 1<<24)
	tok.yield = func(fp uint64, _ class, _ int) { f.has(fp) }
	text := []byte("order 12345 was sent on 2026-01-02 to 12 Main Street; call +1 415 555 2671 or write to ann.lee@mail.com, thank you")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		tok.value(text, shape{})
	}
}
