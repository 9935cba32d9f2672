package deployment

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/access"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	text, err := SchemaJSON()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("deployment.json", doc))
	s, err := c.Compile("deployment.json")
	require.NoError(t, err)
	return s
}

// The schema takes what the reader takes, and refuses what an editor can see.
func TestSchema(t *testing.T) {
	s := compileSchema(t)
	const keys = "version: 1\nkeys: {kek: \"file:/k\", keystore: \"sqlite:/s\"}\n"
	for text, ok := range map[string]bool{
		whole:                            true,
		keys:                             true,
		keys + "insecure: lab network\n": true,
		keys + "callers: {a: {token_file: /t, roles: []}}\n":              true,
		keys + "listem: {}\n":                                             false,
		keys + "callers: {a: {uid: x, roles: []}}\n":                      false,
		keys + "callers: {a: {uid: 1}}\n":                                 false,
		keys + "roles: {r: [{do: [encript], tenants: [a]}]}\n":            false,
		keys + "roles: {r: [{do: [encrypt]}]}\n":                          false,
		"version: 2\nkeys: {kek: \"file:/k\", keystore: \"sqlite:/s\"}\n": false,
		"version: 1\n": true,
	} {
		asJSON, err := yaml.YAMLToJSON([]byte(text))
		require.NoError(t, err)
		var v any
		d := json.NewDecoder(bytes.NewReader(asJSON))
		d.UseNumber()
		require.NoError(t, d.Decode(&v))
		err = s.Validate(v)
		require.Equal(t, ok, err == nil, "%s\n%v", text, err)
		_, err = Parse("d.yaml", []byte(text))
		require.Equal(t, ok, err == nil, "%s\n%v", text, err)
	}
}

func TestSchemaNamesEveryOperation(t *testing.T) {
	text, err := SchemaJSON()
	require.NoError(t, err)
	for _, op := range access.Operations() {
		require.Contains(t, string(text), `"`+op+`"`)
	}
	require.NotContains(t, string(text), "$ref", "editors show it without following references")
}
