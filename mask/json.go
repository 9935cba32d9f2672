package mask

import (
	"context"
	"slices"
	"strings"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/classify/detect"
	"github.com/privet-dev/privet/internal/fault"
)

// A JSONPath decides what becomes of one place in a document.
type JSONPath struct {
	// Path is a JSON pointer (RFC 6901), "" for the whole document, in which a
	// part * stands for every element of an array and every key of an object
	// that the policy does not name: /langs/*, /contacts/*/email.
	Path string
	// Rule masks the value there; it is the zero Spec where Keep is set.
	Rule Spec
	// Keep copies the value there, whatever it is, with all that it contains.
	Keep bool
	// Type is the information type the policy declares, "" where it says none; see
	// Column.Type.
	Type classify.Type
}

// CompileJSON binds the decisions on a document's paths to a column that holds
// documents: json, jsonb, or text with JSON in it.
//
// Strings are masked by their path's rule, and so are numbers where the rule can
// mask numbers (number_noise; fpe for integers; null and constant for
// everything). JSON null stays null. What is kept is copied byte for byte: no
// number is rounded, no key moves, and a key that stands twice is decided twice.
// Keys that only a * matches are copied too, unless they look like personal data,
// which is an error.
//
// A path that the document has and nobody decided is an error of kind Policy
// that names it; keys are named only where the policy knows them. Text that is
// not JSON, and documents nested deeper than 256, are errors of kind Data.
//
// No path may lie below another that is decided, and none may be given twice.
// The rule's traits are those of a partial result, since keys and structure stay.
func CompileJSON(ctx context.Context, col Column, env Env, paths []JSONPath) (*Rule, error) {
	if err := col.want("json", kindJSON, kindText); err != nil {
		return nil, err
	}
	if err := col.refuseUnique("json", "two documents may differ in masked values only", "use null"); err != nil {
		return nil, err
	}
	d := &document{col: col, root: &jsonNode{}, detector: detect.New()}
	sorted := slices.Clone(paths)
	slices.SortFunc(sorted, func(a, b JSONPath) int { return strings.Compare(a.Path, b.Path) })
	rule := &Rule{text: "json", identity: "json", traits: Traits{Output: OutputPartial}}
	for _, p := range sorted {
		leaf, err := d.compile(ctx, env, p)
		if err != nil {
			return nil, err
		}
		if err := d.add(p.Path, leaf); err != nil {
			return nil, err
		}
		rule.traits.NeedsSubject = rule.traits.NeedsSubject || leaf.needsSubject
		rule.identity += " " + quote(p.Path) + "={" + leaf.identity + "}"
	}
	rule.maker = func() Masker { return d.masker() }
	return rule, nil
}

// A document is the compiled decisions on a column's documents.
type document struct {
	col      Column
	root     *jsonNode
	leaves   []*jsonLeaf
	detector *detect.Detector
}

// A jsonNode is one place that policy names, or leads to.
type jsonNode struct {
	name string // the last part of its path
	keys map[string]*jsonNode
	any  *jsonNode
	leaf *jsonLeaf
}

// A jsonLeaf is a decision.
type jsonLeaf struct {
	index        int // among the document's leaves
	path         string
	keep         bool
	text, number *Rule // nil where the rule cannot mask such values
	whole        *Rule // null or constant: masks anything
	identity     string
	needsSubject bool
}

// compile binds one decision.
func (d *document) compile(ctx context.Context, env Env, p JSONPath) (*jsonLeaf, error) {
	leaf := &jsonLeaf{index: len(d.leaves), path: p.Path, keep: p.Keep, identity: "keep"}
	d.leaves = append(d.leaves, leaf)
	if p.Path != "" && p.Path[0] != '/' {
		return nil, fault.New(fault.Policy, "%s: the path %q does not start with /", d.col, p.Path)
	}
	if p.Keep != p.Rule.IsZero() {
		return nil, fault.New(fault.Policy, "%s: the path %q needs either a rule or keep", d.col, p.Path)
	}
	if p.Keep {
		return leaf, nil
	}
	col := Column{Table: d.col.Table, Name: d.col.Name + p.Path, SQLType: "text", Type: p.Type}
	text, err := p.Rule.Compile(ctx, col, env)
	switch p.Rule.Name() {
	case "null", "constant":
		leaf.whole = text
	default:
		leaf.text = text
		for _, sqlType := range []string{"numeric", "int8"} {
			number := col
			number.SQLType = sqlType
			if r, numberErr := p.Rule.Compile(ctx, number, env); numberErr == nil {
				leaf.number, err = r, nil
				break
			}
		}
	}
	if err != nil {
		return nil, err
	}
	for _, r := range []*Rule{leaf.whole, leaf.text, leaf.number} {
		if r != nil {
			leaf.identity = r.identity
			leaf.needsSubject = leaf.needsSubject || r.traits.NeedsSubject
		}
	}
	return leaf, nil
}

// add puts a decision into the tree of paths.
func (d *document) add(path string, leaf *jsonLeaf) error {
	n := d.root
	if path != "" {
		for part := range strings.SplitSeq(path[1:], "/") {
			if n.leaf != nil {
				return fault.New(fault.Policy, "%s: the path %q lies below %q, which is decided as a whole", d.col, path, n.leaf.path).
					WithHint("decide the paths below %q one by one", n.leaf.path)
			}
			if part == "*" {
				if n.any == nil {
					n.any = &jsonNode{}
				}
				n = n.any
				continue
			}
			key, ok := unescapePointer(part)
			if !ok {
				return fault.New(fault.Policy, "%s: the path %q is not a JSON pointer", d.col, path).
					WithHint("in a key, ~ is written ~0 and / is written ~1")
			}
			if n.keys == nil {
				n.keys = make(map[string]*jsonNode)
			}
			if n.keys[key] == nil {
				n.keys[key] = &jsonNode{name: part}
			}
			n = n.keys[key]
		}
	}
	switch {
	case n.leaf != nil:
		return fault.New(fault.Policy, "%s: the path %q is decided twice", d.col, path)
	case n.keys != nil || n.any != nil:
		return fault.New(fault.Policy, "%s: other paths lie below %q, which is decided as a whole", d.col, path)
	}
	n.leaf = leaf
	return nil
}

// unescapePointer decodes one part of a JSON pointer.
func unescapePointer(part string) (string, bool) {
	rest := strings.NewReplacer("~0", "", "~1", "").Replace(part)
	if strings.Contains(rest, "~") {
		return "", false
	}
	// ~01 is ~1, and no slash: ~1 is decoded first.
	return strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~"), true
}

// masker returns a masker for one goroutine.
func (d *document) masker() *jsonMasker {
	m := &jsonMasker{doc: d, leaves: make([]jsonLeafMaskers, len(d.leaves))}
	make := func(r *Rule) Masker {
		if r == nil {
			return nil
		}
		return r.NewMasker()
	}
	for i, leaf := range d.leaves {
		m.leaves[i] = jsonLeafMaskers{text: make(leaf.text), number: make(leaf.number), whole: make(leaf.whole)}
	}
	return m
}
