package policy

import (
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/privet-dev/privet/internal/suggest"
)

// A decoder fills the types of this package from a syntax tree, guided by their
// yaml tags, and collects everything that does not fit:
//
//	`yaml:"name"`           a key; "name,required" one that must be there
//	`yaml:",key"`           the key under which a mapping's entry stands
//	`yaml:",scalar"`        the short form: the entry is this field's text alone
//
// The JSON Schema is generated from the same tags.
type decoder struct {
	report
	file string
	// cut is true after a rule that a comma has cut in two: the rest of it stands
	// in the keys that follow.
	cut bool
	// tokenDomains are the domains that token(…) and tokenize(…) name.
	tokenDomains []domainRef
}

type domainRef struct {
	name Name
	at   Pos
}

// theFile is what errors call the outermost map.
const theFile = "the file"

func reflectOf(p any) reflect.Value { return reflect.ValueOf(p).Elem() }

// A field is one field of a struct that the file fills.
type field struct {
	index                 int
	name, doc             string
	required, key, scalar bool
}

// fields returns the fields of a struct type that the file fills.
func fields(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("yaml")
		if !ok || tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		fs = append(fs, field{
			index: i, name: name, doc: t.Field(i).Tag.Get("doc"),
			required: options == "required", key: options == "key", scalar: options == "scalar",
		})
	}
	return fs
}

func keyField(t reflect.Type) (field, bool) {
	fs := fields(t)
	i := slices.IndexFunc(fs, func(f field) bool { return f.key })
	if i < 0 {
		return field{}, false
	}
	return fs[i], true
}

// plain returns n without anchor or tag, which are reported, and nil for an alias.
func (d *decoder) plain(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		d.add(d.at(n.GetToken()), "an anchor (&%s); the file says everything where it counts", n.Name)
		return d.plain(n.Value)
	case *ast.TagNode:
		d.add(d.at(n.GetToken()), "a YAML tag (%s); the file has none", n.GetToken().Value)
		return d.plain(n.Value)
	case *ast.AliasNode:
		d.alias(n)
		return nil
	}
	return n
}

func (d *decoder) alias(n *ast.AliasNode) {
	text := "*"
	if n.Value != nil && n.Value.GetToken() != nil {
		text += n.Value.GetToken().Value
	}
	d.add(d.at(n.GetToken()), "an alias (%s); the file has none: a pattern goes in quotes, %q", text, text)
}

// value decodes n into v. what names the value in errors.
func (d *decoder) value(n ast.Node, v reflect.Value, what string) {
	if n = d.plain(n); n == nil {
		return
	}
	if _, null := n.(*ast.NullNode); null {
		d.add(d.nodeAt(n), "%s has no value", what)
		return
	}
	if isText(v) {
		d.scalar(n, v, what)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), what)
	case reflect.Slice:
		if elem := v.Type().Elem(); elem.Kind() == reflect.Pointer {
			if key, ok := keyField(elem.Elem()); ok {
				d.entries(n, v, key, what)
				return
			}
		}
		d.sequence(n, v, what)
	case reflect.Struct:
		d.structure(n, v, what)
	}
}

// pairs returns the keys and values of a mapping, with bad and repeated keys
// reported and left out.
func (d *decoder) pairs(n ast.Node, what, should string) ([]pair, bool) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.add(d.nodeAt(n), "%s is %s, and should be %s", what, kindOf(n), should)
		return nil, false
	}
	var ps []pair
	lines := map[string]int{}
	for _, mv := range values {
		var text string
		switch k := mv.Key.(type) {
		case *ast.MergeKeyNode:
			d.add(d.at(k.GetToken()), "a merge key (<<); the file says everything where it counts")
			continue
		case *ast.StringNode:
			text = k.Value
		case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
			text = k.GetToken().Value
		case *ast.AliasNode:
			d.alias(k)
			continue
		default:
			d.add(d.at(mv.Key.GetToken()), "this key cannot be read; a key is a word, or text in quotes")
			continue
		}
		at := d.at(mv.Key.GetToken())
		if line, seen := lines[text]; seen {
			d.add(at, "key %q is here twice; the first is in line %d", text, line)
			continue
		}
		lines[text] = at.Line
		ps = append(ps, pair{key: text, at: at, keyNode: mv.Key, value: mv.Value})
	}
	return ps, true
}

type pair struct {
	key     string
	at      Pos
	keyNode ast.Node
	value   ast.Node
}

// entries decodes a mapping into a slice of structs that hold their own key.
func (d *decoder) entries(n ast.Node, v reflect.Value, key field, what string) {
	ps, ok := d.pairs(n, what, "a map of keys")
	if !ok {
		return
	}
	for _, p := range ps {
		entry := reflect.New(v.Type().Elem().Elem())
		setAt(entry.Elem(), p.at)
		if p.key == "" {
			d.add(p.at, "a key of %s is empty", what)
		} else if !d.text(p.keyNode, p.key, entry.Elem().Field(key.index), "a key of "+what) {
			// Go on, so that what stands under the key is checked too.
			entry.Elem().Field(key.index).SetZero()
		}
		d.value(p.value, entry.Elem(), p.key)
		v.Set(reflect.Append(v, entry))
	}
}

func (d *decoder) sequence(n ast.Node, v reflect.Value, what string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.add(d.nodeAt(n), "%s is %s, and should be a list", what, kindOf(n))
		return
	}
	if len(seq.Values) == 0 {
		d.add(d.nodeAt(n), "%s is an empty list", what)
	}
	for _, item := range seq.Values {
		elem := reflect.New(v.Type().Elem()).Elem()
		d.value(item, elem, "an item of "+what)
		if elem.Kind() == reflect.Pointer && elem.IsNil() {
			continue
		}
		v.Set(reflect.Append(v, elem))
	}
}

// structure decodes a mapping, or a scalar where v has a short form, into v.
func (d *decoder) structure(n ast.Node, v reflect.Value, what string) {
	if n = d.plain(n); n == nil {
		return
	}
	fs := fields(v.Type())
	if isScalar(n) {
		if i := slices.IndexFunc(fs, func(f field) bool { return f.scalar }); i >= 0 {
			setAt(v, d.nodeAt(n))
			d.scalar(n, v.Field(fs[i].index), what)
			return
		}
		if i := slices.IndexFunc(fs, func(f field) bool { return f.name == "undecided" }); i >= 0 && what != theFile {
			d.marker(n, v.Field(fs[i].index))
			return
		}
	}
	known := make([]string, 0, len(fs))
	for _, f := range fs {
		if f.name != "" {
			known = append(known, f.name)
		}
	}
	if len(known) == 0 {
		d.add(d.nodeAt(n), "%s is %s, and should be text", what, kindOf(n))
		return
	}
	should := "a map of keys"
	if slices.ContainsFunc(fs, func(f field) bool { return f.scalar || f.name == "undecided" && what != theFile }) {
		should = "text or a map of keys"
	}
	ps, ok := d.pairs(n, what, should)
	if !ok {
		return
	}
	setAt(v, d.nodeAt(n))
	k := &checker{d: d, start: d.nodeAt(n), pairs: ps}
	d.cut = false
	for _, p := range ps {
		i := slices.IndexFunc(fs, func(f field) bool { return f.name != "" && f.name == p.key })
		if i >= 0 {
			d.cut = false
			d.value(p.value, v.Field(fs[i].index), p.key)
			continue
		}
		k.unknown = true
		if _, null := p.value.(*ast.NullNode); null && d.cut {
			continue
		}
		hint := suggest.DidYouMean(p.key, known)
		if hint == "" {
			hint = "; known here: " + strings.Join(known, ", ")
		}
		d.add(p.at, "unknown key %q in %s%s", p.key, what, hint)
	}
	for _, f := range fs {
		if f.required && !k.has(f.name) {
			d.add(k.start, "%s has no %s", what, f.name)
		}
	}
	if c, ok := v.Addr().Interface().(interface{ check(*checker) }); ok {
		c.check(k)
	}
}

// references holds names that stand in one place against their declaration in
// another.
func (d *decoder) references(p *Policy) {
	names := make([]string, len(p.Domains))
	for i, domain := range p.Domains {
		names[i] = string(domain.Name)
	}
	for _, ref := range d.tokenDomains {
		if !slices.Contains(names, string(ref.name)) {
			d.add(ref.at, "domain %q is not declared under domains%s", ref.name, suggest.DidYouMean(string(ref.name), names))
		}
	}
}

func setAt(v reflect.Value, at Pos) {
	if f := v.FieldByName("At"); f.IsValid() && f.IsZero() {
		f.Set(reflect.ValueOf(at))
	}
}
