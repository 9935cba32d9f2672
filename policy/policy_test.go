package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/goccy/go-yaml"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
)

var update = flag.Bool("update", false, "write the .err files of testdata/bad anew")

// Every file of testdata/bad has beside it the lines it must be refused with.
func TestParseErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			p, err := Parse("privet.yaml", data)
			require.Error(t, err)
			require.Nil(t, p)
			require.Equal(t, fault.Config, fault.KindOf(err))
			require.NotEmpty(t, fault.HintOf(err))
			var parse *ParseError
			require.ErrorAs(t, err, &parse)
			require.LessOrEqual(t, len(parse.Problems), 20)
			golden := strings.TrimSuffix(file, ".yaml") + ".err"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644))
			}
			want, err2 := os.ReadFile(golden)
			require.NoError(t, err2)
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func good(t testing.TB) []byte {
	data, err := os.ReadFile("testdata/good/design.yaml")
	require.NoError(t, err)
	return data
}

func TestParse(t *testing.T) {
	p, err := Parse("privet.yaml", good(t))
	require.NoError(t, err)
	require.Equal(t, 1, p.Version)
	require.Equal(t, "acme", p.Tenant.Name)
	require.Equal(t, Refuse, p.OnUndecided)
	require.Equal(t, "privet.yaml", p.File())
	require.Len(t, p.Hash(), 64)

	require.Len(t, p.Domains, 1)
	require.Equal(t, ModeFPE, p.Domains[0].Mode)
	require.Equal(t, DomainFormat("card"), p.Domains[0].Format)
	require.Equal(t, "email", p.Default(classify.Email).String())
	require.True(t, p.Default(classify.Phone).IsZero())

	require.Len(t, p.Patterns, 3)
	require.Equal(t, []SQLType{"int8", "uuid"}, p.Patterns[0].SQL)
	require.Equal(t, "surrogate key", p.Patterns[0].Keep)

	require.Len(t, p.Tables, 3)
	customer := p.Tables[0]
	require.Equal(t, "privet.yaml:13:3", customer.At.String())
	require.Equal(t, "customer_id", customer.Subject.Column)
	require.Equal(t, classify.Period{N: 730, Unit: 'd'}, customer.Retain.For)
	require.Equal(t, ThenDelete, customer.Retain.Then)
	card := customer.Column("card_sealed")
	require.Equal(t, classify.Restricted, card.Class)
	require.Equal(t, Stored{StoredEncrypted, "customer.card"}, card.Stored)
	require.Equal(t, "encrypted(customer.card)", card.Stored.String())
	require.Equal(t, "fpe(keep_last=4)", card.Mask.String())
	profile := customer.Column("profile")
	require.Equal(t, []string{"langs", "*"}, profile.JSON[1].Path.Segments())
	require.Equal(t, "language codes", profile.JSON[1].Keep)
	require.Nil(t, customer.Column("nothing"))

	orders := p.Tables[1]
	require.True(t, orders.Name.Wild())
	require.True(t, orders.Name.Match("tenant_7", "orders"))
	require.False(t, orders.Name.Match("tenant_7", "orders2"))
	require.Equal(t, Via{"order_id", "public", "orders", "customer_id"}, orders.Subject.Via)
	require.Equal(t, "order_id -> public.orders.customer_id", orders.Subject.Via.String())
	require.Equal(t, NoRows, p.Tables[2].Rows)

	require.Len(t, p.Documents, 1)
	order := p.Documents[0]
	pointer, ok := order.Tenant.Pointer()
	require.True(t, ok)
	require.Equal(t, []string{"org"}, pointer.Segments())
	require.Equal(t, []string{"customer", "id"}, order.Subject.Segments())
	require.Equal(t, Protect{ProtectTokenize, "cards"}, order.Field("/card").Protect)
	require.Equal(t, "tokenize(cards)", order.Field("/card").Protect.String())
	require.Nil(t, order.Field("/nothing"))
}

func TestHashIsOfTheBytes(t *testing.T) {
	a, err := Parse("a.yaml", []byte("version: 1\n"))
	require.NoError(t, err)
	b, err := Parse("b.yaml", []byte("version: 1\n"))
	require.NoError(t, err)
	c, err := Parse("c.yaml", []byte("version: 1 \n"))
	require.NoError(t, err)
	require.Equal(t, a.Hash(), b.Hash())
	require.NotEqual(t, a.Hash(), c.Hash())
}

func TestParseWaysToWrite(t *testing.T) {
	for _, s := range []string{
		"\ufeffversion: 1\r\ntenant: acme\r\n",
		"---\nversion: 1\n",
		"{version: 1, tenant: acme}\n",
		"{\"version\": 1, \"tables\": {\"public.a\": {\"rows\": \"none\"}}}",
		"version: 1\ntables:\n  public.a:\n    columns:\n      \"null\": {keep: a name}\n      true: {keep: a name}\n      1: {keep: a name}\n",
		"version: 1\ntables:\n  '\"my.schema\".\"a\"\"b\"': {rows: none}\n",
		"version: 1\ntables:\n  public.a:\n    columns:\n      x:\n        keep: >\n          a reason that goes\n          over two lines\n",
		"version: 1\ntables:\n  public.a:\n    columns:\n      x: undecided\n      y: {class: confidential, type: free_text, undecided: waiting for legal}\n",
	} {
		_, err := Parse("privet.yaml", []byte(s))
		require.NoError(t, err, s)
	}
	p, err := Parse("privet.yaml", []byte("version: 1\ntables:\n  '\"my.*\".\"a\"\"b\"': {rows: none}\n"))
	require.NoError(t, err)
	require.True(t, p.Tables[0].Name.Match("my.*", `a"b`))
	require.False(t, p.Tables[0].Name.Wild(), "what is quoted is taken literally")
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "privet.yaml"))
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.ErrorContains(t, err, "cannot read the policy")

	name := filepath.Join(dir, "privet.yaml")
	require.NoError(t, os.WriteFile(name, []byte("version: 1\ntennant: acme\n"), 0o600))
	_, err = Load(name)
	require.EqualError(t, err, name+`:2:1: unknown key "tennant" in the file, did you mean "tenant"?`)

	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte("# "), MaxBytes), 0o600))
	_, err = Load(name)
	require.ErrorContains(t, err, "larger than 4 MiB")
	_, err = Parse(name, bytes.Repeat([]byte("# "), MaxBytes))
	require.ErrorContains(t, err, "larger than 4 MiB")
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"*", "anything", true}, {"a*", "a", true}, {"a*", "ba", false},
		{"*_id", "order_id", true}, {"*_id", "order_ids", false}, {"*a*b*", "xaxbx", true}, {"*a*b*", "xbxax", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"?", "ü", true}, {"", "", true}, {"", "a", false},
		{"**a", "ba", true}, {"a**", "a", true}, {"Order", "order", false},
	} {
		require.Equal(t, tt.want, glob{text: tt.pattern}.match(tt.name), "%q on %q", tt.pattern, tt.name)
	}
	long := glob{text: strings.Repeat("a*", 200) + "b"}
	require.False(t, long.match(strings.Repeat("a", 10000)), "no pattern takes for ever")
}

func TestSchemaPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern, schema, want string
		ok                    bool
	}{
		{"tenant_*", "tenant_acme", "acme", true}, {"tenant_*", "tenant_", "", false}, {"tenant_*", "public", "", false},
		{"*_shop", "acme_shop", "acme", true}, {"*", "acme", "acme", true}, {"ab*ba", "aba", "", false},
	} {
		name, ok := SchemaPattern(tt.pattern).Tenant(tt.schema)
		require.Equal(t, tt.ok, ok, "%s on %s", tt.pattern, tt.schema)
		require.Equal(t, tt.want, name)
	}
}

func compileSchema(t testing.TB) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("privet.schema.json", doc))
	s, err := c.Compile("privet.schema.json")
	require.NoError(t, err)
	return s
}

func asJSON(t testing.TB, data []byte) (any, error) {
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

func TestSchemaJSON(t *testing.T) {
	require.True(t, json.Valid(SchemaJSON()))
	require.Equal(t, string(SchemaJSON()), string(SchemaJSON()), "it is the same every time")
	s := compileSchema(t)
	doc, err := asJSON(t, good(t))
	require.NoError(t, err)
	require.NoError(t, s.Validate(doc))

	// What the schema cannot see is for Parse alone.
	unseen := map[string]bool{
		"unknown_parameter": true, "duplicate_keys": true, "tag": true, "anchors": true,
		"directive": true, "two_documents": true, "latin1": true,
	}
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	checked := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		doc, err := asJSON(t, data)
		if err != nil || unseen[name] || doc == nil {
			continue
		}
		checked++
		require.Error(t, s.Validate(doc), "the schema accepts %s", name)
	}
	require.Greater(t, checked, 20)
}

// A file that Parse accepts is one that the schema accepts.
func FuzzParse(f *testing.F) {
	f.Add(good(f))
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(data)
	}
	s := compileSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("privet.yaml", data)
		if err != nil {
			var parse *ParseError
			require.True(t, errors.As(err, &parse), "%v", err)
			for _, problem := range parse.Problems {
				require.Positive(t, problem.Line)
				require.Positive(t, problem.Column)
				require.NotEmpty(t, problem.Msg)
			}
			return
		}
		require.NotNil(t, p)
		doc, err := asJSON(t, bytes.TrimPrefix(data, []byte("\ufeff")))
		if err != nil {
			return
		}
		require.NoError(t, s.Validate(doc), "%s", data)
	})
}

func BenchmarkParse(b *testing.B) {
	var file bytes.Buffer
	file.WriteString("version: 1\ntables:\n")
	for i := range 500 {
		fmt.Fprintf(&file, "  public.t%d:\n    columns:\n", i)
		for j := range 10 {
			fmt.Fprintf(&file, "      c%d: {class: confidential, type: email, mask: email}\n", j)
		}
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, err := Parse("privet.yaml", file.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
}
