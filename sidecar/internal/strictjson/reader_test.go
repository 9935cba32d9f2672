package strictjson

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

type item struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	N     int    `json:"n"`
}

type doc struct {
	Tenant string `json:"tenant"`
	Items  []item `json:"items"`
}

// read reads the shape that all tests use.
func read(data []byte) (d doc, err error) {
	r := New(data)
	_, err = r.Object([]string{"tenant", "items"}, func(i int) (err error) {
		if i == 0 {
			d.Tenant, err = r.String()
			return err
		}
		return r.Array(3, func(int) error {
			var it item
			_, err := r.Object([]string{"name", "value", "n"}, func(i int) (err error) {
				switch i {
				case 0:
					it.Name, err = r.String()
				case 1:
					it.Value, err = r.String()
				case 2:
					it.N, err = r.Int(1000)
				}
				return err
			})
			d.Items = append(d.Items, it)
			return err
		})
	})
	if err == nil {
		err = r.End()
	}
	return d, err
}

func TestReads(t *testing.T) {
	d, err := read([]byte(` { "tenant" : "acme" , "items" : [ {"name":"a\u00e9\ud83d\ude00","value":"\"\\\/\b\f\n\r\t","n":0}, {"n":1000}, {} ] } `))
	require.NoError(t, err)
	require.Equal(t, doc{"acme", []item{{"aé😀", "\"\\/\b\f\n\r\t", 0}, {N: 1000}, {}}}, d)

	d, err = read([]byte(`{"\u0074enant":"x"}`))
	require.NoError(t, err, "an escaped name is the same name")
	require.Equal(t, "x", d.Tenant)
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		in      string
		pointer string
		msg     string
	}{
		"nothing":               {``, "", "the document ends too early"},
		"an array":              {`[]`, "", "expected an object"},
		"null":                  {`null`, "", "expected an object"},
		"byte order mark":       {"\ufeff{}", "", "expected an object"},
		"trailing comma":        {`{"tenant":"a",}`, "", "expected a name"},
		"single quotes":         {`{'tenant':"a"}`, "", "expected a name"},
		"no colon":              {`{"tenant" "a"}`, "", "expected a colon"},
		"second document":       {`{} {}`, "", "something follows"},
		"comment":               {`{} // x`, "", "something follows"},
		"unknown name":          {`{"tennant":"a"}`, "", `unknown name, did you mean "tenant"?`},
		"name in other case":    {`{"Tenant":"a"}`, "", `did you mean "tenant"?`},
		"name twice":            {`{"tenant":"a","tenant":"b"}`, "", `"tenant" is given twice`},
		"name twice by escape":  {`{"tenant":"a","\u0074enant":"b"}`, "", `"tenant" is given twice`},
		"number for string":     {`{"tenant":1}`, "/tenant", "expected a string"},
		"null for string":       {`{"tenant":null}`, "/tenant", "expected a string"},
		"object for array":      {`{"items":{}}`, "/items", "expected an array"},
		"string for number":     {`{"items":[{"n":"1"}]}`, "/items/0/n", "expected a whole number"},
		"fraction":              {`{"items":[{},{"n":1.5}]}`, "/items/1", "expected a comma"},
		"negative":              {`{"items":[{"n":-1}]}`, "/items/0/n", "from 0 to 1000"},
		"leading zero":          {`{"items":[{"n":01}]}`, "/items/0/n", "whole number"},
		"number too large":      {`{"items":[{"n":99999999999999999999}]}`, "/items/0/n", "whole number"},
		"too many items":        {`{"items":[{},{},{},{}]}`, "/items", "more than 3 items"},
		"trailing array comma":  {`{"items":[{},]}`, "/items/1", "expected an object"},
		"string without end":    {`{"tenant":"a`, "/tenant", "the string does not end"},
		"escape without end":    {`{"tenant":"a\`, "/tenant", "the string does not end"},
		"unknown escape":        {`{"tenant":"\x41"}`, "/tenant", "unknown escape"},
		"short hex":             {`{"tenant":"\u12"}`, "/tenant", "four hexadecimal digits"},
		"signed hex":            {`{"tenant":"\u+123"}`, "/tenant", "four hexadecimal digits"},
		"high surrogate alone":  {`{"tenant":"\ud83d"}`, "/tenant", "surrogate stands alone"},
		"low surrogate alone":   {`{"tenant":"\ude00"}`, "/tenant", "surrogate stands alone"},
		"two high surrogates":   {`{"tenant":"\ud83d\ud83d"}`, "/tenant", "surrogate stands alone"},
		"invalid UTF-8":         {"{\"tenant\":\"a\xff\"}", "/tenant", "not valid UTF-8"},
		"invalid after escape":  {"{\"tenant\":\"\\na\xff\"}", "/tenant", "not valid UTF-8"},
		"newline in string":     {"{\"tenant\":\"a\nb\"}", "/tenant", "control character"},
		"control after escape":  {"{\"tenant\":\"\\na\x01\"}", "/tenant", "control character"},
		"deep nesting in place": {`{"items":` + strings.Repeat("[", 100000), "/items/0", "expected an object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read([]byte(c.in))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, e.Msg, c.msg)
			require.Equal(t, c.pointer, e.Pointer)
		})
	}
}

func TestErrorsRepeatNothing(t *testing.T) {
	for _, in := range []string{
		`{"canary":1}`, `{"tenant":canary}`, `{"tenant":"\canary"}`, `{"items":["canary"]}`, `{"items":[{"n":"canary"}]}`,
	} {
		_, err := read([]byte(in))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
}

// What is accepted means the same to encoding/json, which accepts more.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"tenant":"a","items":[{"name":"\ud83d\ude00","value":"x","n":12}]}`,
		`{"tenant":"a","Tenant":"b"}`, `{"tenant":"\ud800"}`, "{\"tenant\":\"\xff\"}", `{"items":[{},{}]}`, `{"tenant":"\u0000"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := read(data)
		if err != nil {
			return
		}
		require.True(t, utf8.Valid(data))
		var want doc
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&want))
		if len(want.Items) == 0 {
			want.Items = got.Items
		}
		require.Equal(t, want, got)
	})
}

func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\x00é😀")
	f.Add("\xff\xc0")
	f.Fuzz(func(t *testing.T, s string) {
		var back string
		require.NoError(t, json.Unmarshal(AppendString(nil, s), &back))
		if utf8.ValidString(s) {
			require.Equal(t, s, back)
			r := New(AppendString(nil, s))
			again, err := r.String()
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
	})
}
