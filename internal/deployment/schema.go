package deployment

import (
	"encoding/json"

	"github.com/invopop/jsonschema"

	"github.com/privet-dev/privet/access"
)

// SchemaJSON returns the JSON Schema (2020-12) of deployment.yaml for editors,
// generated from the types that read the file, so that the two cannot differ.
func SchemaJSON() ([]byte, error) {
	r := &jsonschema.Reflector{FieldNameTag: "yaml", Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	s := r.Reflect(&Config{})
	s.ID, s.Title = "", "privet deployment.yaml"
	roles, _ := s.Properties.Get("roles")
	do, _ := roles.AdditionalProperties.Items.Properties.Get("do")
	for _, op := range access.Operations() {
		do.Items.Enum = append(do.Items.Enum, op)
	}
	return json.MarshalIndent(s, "", "  ")
}
