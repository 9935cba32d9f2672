package policy

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

// A schema is one JSON Schema.
type schema map[string]any

// SchemaJSON returns a JSON Schema (draft 2020-12) of the file, for editors that
// check while a person types:
//
//	# yaml-language-server: $schema=privet.schema.json
//
// It is generated from the types that [Parse] fills. Parse is stricter: it knows
// the parameters of rules, repeated keys and names declared elsewhere.
func SchemaJSON() []byte {
	g := &generator{defs: schema{}}
	root := g.object(reflect.TypeFor[Policy]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "privet.yaml, the data map"
	root["$defs"] = g.defs
	root["properties"].(schema)["version"] = schema{"const": version, "description": "The version of this format."}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("policy: a schema of strings, lists and maps is JSON: " + err.Error())
	}
	return append(out, '\n')
}

// A generator collects the definitions of the types it meets.
type generator struct{ defs schema }

// schema returns the schema of values that the file gives for t.
func (g *generator) schema(t reflect.Type) schema {
	if s := textSchema(t); s != nil {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.schema(t.Elem())
	case reflect.Slice:
		elem := t.Elem()
		if elem.Kind() == reflect.Pointer {
			if key, ok := keyField(elem.Elem()); ok {
				names := g.schema(elem.Elem().Field(key.index).Type)
				if elem.Elem().Field(key.index).Type == reflect.TypeFor[string]() {
					delete(names, "pattern") // a column may be called " "
				}
				return schema{
					"type":                 "object",
					"propertyNames":        names,
					"additionalProperties": g.schema(elem),
				}
			}
		}
		return schema{"type": "array", "items": g.schema(elem), "minItems": 1}
	}
	name := t.Name()
	if _, ok := g.defs[name]; !ok {
		g.defs[name] = schema{} // for types that hold themselves
		g.defs[name] = g.structure(t)
	}
	return schema{"$ref": "#/$defs/" + name}
}

// structure returns the schema of a struct: a map, its short form, or either.
func (g *generator) structure(t reflect.Type) schema {
	var forms []schema
	for _, f := range fields(t) {
		ft := t.Field(f.index).Type
		if f.scalar {
			short := g.schema(ft)
			short["description"] = f.doc
			forms = append(forms, short)
		} else if m, ok := reflect.New(ft).Interface().(*Marker); ok {
			forms = append(forms, m.scalarSchema())
		}
	}
	if object := g.object(t); len(object["properties"].(schema)) > 0 {
		forms = append(forms, object)
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return schema{"anyOf": forms}
}

// object returns the schema of the keys of a struct.
func (g *generator) object(t reflect.Type) schema {
	properties := schema{}
	var required []string
	for _, f := range fields(t) {
		if f.name == "" {
			continue
		}
		s := g.schema(t.Field(f.index).Type)
		s["description"] = f.doc
		properties[f.name] = s
		if f.required {
			required = append(required, f.name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		s["required"] = required
	}
	if properties["mask"] != nil && properties["keep"] != nil {
		s["not"] = schema{"required": []string{"mask", "keep"}}
	}
	if t == reflect.TypeFor[Pattern]() {
		s["dependentRequired"] = schema{"keep": []string{"sql"}}
	}
	return s
}

// textSchema returns the schema of a type that the file gives as one scalar, or
// nil for others.
func textSchema(t reflect.Type) schema {
	switch v := reflect.New(t).Interface().(type) {
	case worded:
		return v.textSchema()
	case *string:
		return schema{"type": "string", "minLength": 1, "pattern": `\S`}
	case *int:
		return schema{"type": "integer", "minimum": 1}
	case *classify.Level:
		return enumSchema(classify.Levels())
	case *classify.Type:
		return enumSchema(classify.Types())
	case *classify.Period:
		return schema{"type": "string", "pattern": "^[0-9]{1,5}(d|mo|y)$"}
	case *mask.Spec:
		return ruleSchema()
	}
	return nil
}

// ruleSchema offers the rules' names to editors and accepts any parameters.
func ruleSchema() schema {
	var names, examples []string
	for _, r := range mask.Rules() {
		names = append(names, r.Name)
		examples = append(examples, r.Example)
	}
	return schema{
		"type":     "string",
		"examples": examples,
		"anyOf": []schema{
			{"enum": names},
			{"pattern": `^\s*(` + strings.Join(names, "|") + `)\s*(\(.*\))?\s*$`},
		},
	}
}

func enumSchema[T ~string](words []T) schema {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	return schema{"type": "string", "enum": names}
}

func callSchema(kinds []string) schema {
	return schema{"type": "string", "pattern": `^(` + strings.Join(kinds, "|") + `)\(` + namePattern + `\)$`}
}
