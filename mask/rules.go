package mask

import "slices"

// A RuleDoc documents one rule: for the reference, the JSON Schema of policies
// and `privet mask schema`.
type RuleDoc struct {
	Name string `json:"name"`
	// Doc says what the rule does, in sentences.
	Doc string `json:"doc"`
	// Params are the rule's parameters in canonical order.
	Params []ParamDoc `json:"params,omitempty"`
	// Types are the column types it works on; empty means every type.
	Types []string `json:"types,omitempty"`
	// Example is the rule as a policy would write it, In a value and Out what it
	// becomes under some key.
	Example string `json:"example"`
	In      string `json:"in"`
	Out     string `json:"out"`
}

// A ParamDoc documents one parameter of a rule. A parameter without a name is
// written as a value alone.
type ParamDoc struct {
	Name     string `json:"name"`
	Doc      string `json:"doc"`
	Default  string `json:"default,omitempty"`
	Required bool   `json:"required,omitempty"`
}

// A definition is one rule: its documentation and how it is compiled.
type definition struct {
	name    string
	doc     string
	params  []param
	kinds   []sqlKind
	example string
	in, out string
	// whole says that the rule takes an array as one value, not element by element.
	whole bool
	// keyed says that results depend on the tenant's keys.
	keyed bool
	// check returns what is wrong with a combination of parameters, or "".
	check func(Spec) string
	// compile binds the rule to the column of b and sets b.traits.
	compile func(b *build) (func() Masker, error)
}

func (d *definition) param(name string) *param {
	for i := range d.params {
		if d.params[i].name == name {
			return &d.params[i]
		}
	}
	return nil
}

func (d *definition) paramNames() (names []string) {
	for i := range d.params {
		if d.params[i].name != positional {
			names = append(names, d.params[i].name)
		}
	}
	return names
}

// order returns the canonical position of a parameter.
func (d *definition) order(name string) int {
	return slices.IndexFunc(d.params, func(p param) bool { return p.name == name })
}

// definitions are all rules, in the order of the documentation.
var definitions = []*definition{
	nullRule, constantRule,
	emailRule, usernameRule, hashRule,
	firstNameRule, lastNameRule, fullNameRule, companyRule, cityRule, streetAddressRule,
	phoneRule, fpeRule, uuidRule,
	dateShiftRule, numberNoiseRule,
	partialRule, redactTextRule,
}

func lookup(name string) *definition {
	for _, d := range definitions {
		if d.name == name {
			return d
		}
	}
	return nil
}

func ruleNames() []string {
	names := make([]string, len(definitions))
	for i, d := range definitions {
		names[i] = d.name
	}
	return names
}

// Rules returns the documentation of all rules, in a fixed order.
func Rules() []RuleDoc {
	docs := make([]RuleDoc, len(definitions))
	for i, d := range definitions {
		docs[i] = RuleDoc{Name: d.name, Doc: d.doc, Example: d.example, In: d.in, Out: d.out}
		for _, p := range d.params {
			docs[i].Params = append(docs[i].Params, ParamDoc{p.name, p.doc, p.preset, p.required})
		}
		for _, k := range d.kinds {
			docs[i].Types = append(docs[i].Types, k.types()...)
		}
	}
	return docs
}

// types returns the SQL types of a kind.
func (k sqlKind) types() []string {
	switch k {
	case kindText:
		return []string{"text", "varchar", "bpchar", "citext", "name"}
	case kindInteger:
		return []string{"int2", "int4", "int8"}
	case kindFloat:
		return []string{"float4", "float8"}
	case kindJSON:
		return []string{"json", "jsonb"}
	}
	return []string{k.String()}
}
