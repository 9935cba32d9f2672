package deployment

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

// maxFile is the most bytes a deployment file may have. A real one has a few
// thousand; the limit keeps a wrong path from being read into memory.
const maxFile = 1 << 20

// A place is a position in the file, counted from 1.
type place struct{ line, column int }

// positions hold where each value stands, by its path.
type positions map[string]place

// at returns file:line:column of path, or of the nearest parent that is known.
func (p positions) at(file, path string) string {
	for {
		if at, ok := p[path]; ok {
			return fmt.Sprintf("%s:%d:%d", file, at.line, at.column)
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return file
		}
		path = path[:i]
	}
}

// A decoder fills structs from YAML nodes and remembers where everything was.
// It accepts less than YAML: one document, no anchors, aliases, merge keys or
// tags, and no value of another type than the field's.
type decoder struct {
	file   string
	places positions
}

// decode reads data into the struct that v points to.
func (d *decoder) decode(data []byte, v any) error {
	if len(data) > maxFile {
		return fault.New(fault.Config, "%s: the file is larger than %d bytes", d.file, maxFile)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return d.syntax(err)
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if body != nil {
			return d.fail(doc.Body, "", "the file holds more than one document")
		}
		body = doc.Body
	}
	if body == nil {
		return fault.New(fault.Config, "%s: the file is empty", d.file)
	}
	return d.value(body, "", reflect.ValueOf(v).Elem())
}

// syntax turns the parser's error into ours. The parser's own text quotes the
// source around the error, which may hold a password, so only its message is
// taken, and of that only what stands before a quoted token.
func (d *decoder) syntax(err error) error {
	at := d.file
	msg := "not valid YAML"
	if e, ok := errors.AsType[yaml.Error](err); ok {
		if t := e.GetToken(); t != nil && t.Position != nil {
			at = fmt.Sprintf("%s:%d:%d", d.file, t.Position.Line, t.Position.Column)
		}
		m := e.GetMessage()
		if strings.Contains(m, "already defined") {
			m = "this key is given twice"
		}
		if i := strings.IndexAny(m, "\"'`"); i > 0 {
			m = m[:i]
		}
		msg += ": " + strings.TrimSpace(m)
	}
	return fault.New(fault.Config, "%s: %s", at, msg)
}

func (d *decoder) fail(n ast.Node, path, format string, args ...any) error {
	at := d.file
	if t := n.GetToken(); t != nil && t.Position != nil {
		at = fmt.Sprintf("%s:%d:%d", d.file, t.Position.Line, t.Position.Column)
	}
	msg := fmt.Sprintf(format, args...)
	if path != "" {
		msg = path + ": " + msg
	}
	return fault.New(fault.Config, "%s: %s", at, msg)
}

func (d *decoder) mark(path string, t *token.Token) {
	if t != nil && t.Position != nil {
		d.places[path] = place{t.Position.Line, t.Position.Column}
	}
}

func (d *decoder) value(n ast.Node, path string, v reflect.Value) error {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		return d.fail(n, path, "anchors and aliases are not accepted here")
	case *ast.TagNode:
		return d.fail(n, path, "tags are not accepted here")
	case *ast.NullNode:
		return d.fail(n, path, "a value is missing")
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(n, path, v.Elem())
	case reflect.Struct:
		return d.structure(n, path, v)
	case reflect.Map:
		return d.mapping(n, path, v)
	case reflect.Slice:
		return d.list(n, path, v)
	case reflect.String:
		return d.text(n, path, v)
	default:
		return d.number(n, path, v)
	}
}

// structure fills a struct from a mapping whose keys are its yaml tags.
func (d *decoder) structure(n ast.Node, path string, v reflect.Value) error {
	index, names, required := fields(v.Type())
	seen := map[string]bool{}
	err := d.each(n, path, func(key *token.Token, name string, val ast.Node) error {
		i, ok := index[name]
		if !ok {
			e := fault.New(fault.Config, "%s:%d:%d: unknown key %q%s", d.file, key.Position.Line, key.Position.Column,
				join(path, name), suggest.DidYouMean(name, names))
			return e.WithHint("keys here are: %s", strings.Join(names, ", "))
		}
		seen[name] = true
		d.mark(join(path, name), key)
		return d.value(val, join(path, name), v.Field(i))
	})
	if err != nil {
		return err
	}
	for _, name := range required {
		if !seen[name] {
			return d.fail(n, path, "the key %q is missing", name)
		}
	}
	return nil
}

// mapping fills a map with names of the operator's choice as keys.
func (d *decoder) mapping(n ast.Node, path string, v reflect.Value) error {
	v.Set(reflect.MakeMap(v.Type()))
	return d.each(n, path, func(key *token.Token, name string, val ast.Node) error {
		if name == "" || strings.ContainsAny(name, " .[]\t\r\n") {
			return fault.New(fault.Config, "%s:%d:%d: %s: a name has no spaces, dots or brackets", d.file, key.Position.Line, key.Position.Column, path)
		}
		d.mark(join(path, name), key)
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(val, join(path, name), elem); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name), elem)
		return nil
	})
}

// each calls f for every entry of a mapping, and refuses a key that is there twice.
func (d *decoder) each(n ast.Node, path string, f func(key *token.Token, name string, val ast.Node) error) error {
	m, ok := n.(ast.MapNode)
	if !ok {
		return d.fail(n, path, "expected keys and values")
	}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		var name string
		switch k := it.Key().(type) {
		case *ast.StringNode:
			name = k.Value
		case *ast.IntegerNode:
			name = k.GetToken().Value
		default:
			return d.fail(it.KeyValue(), path, "a key is plain text")
		}
		if seen[name] {
			return d.fail(it.KeyValue().Key, path, "this key is given twice")
		}
		seen[name] = true
		if err := f(it.KeyValue().Key.GetToken(), name, it.Value()); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) list(n ast.Node, path string, v reflect.Value) error {
	s, ok := n.(ast.ArrayNode)
	if !ok {
		return d.fail(n, path, "expected a list")
	}
	for it := s.ArrayRange(); it.Next(); {
		at := fmt.Sprintf("%s[%d]", path, v.Len())
		d.mark(at, it.Value().GetToken())
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(it.Value(), at, elem); err != nil {
			return err
		}
		v.Set(reflect.Append(v, elem))
	}
	return nil
}

func (d *decoder) text(n ast.Node, path string, v reflect.Value) error {
	switch s := n.(type) {
	case *ast.StringNode:
		v.SetString(s.Value)
	case *ast.LiteralNode:
		v.SetString(strings.TrimRight(s.Value.Value, "\n"))
	default:
		return d.fail(n, path, "expected text; put numbers, dates and true or false in quotes")
	}
	if v.Len() == 0 {
		return d.fail(n, path, "the value is empty")
	}
	if strings.ContainsRune(v.String(), 0) {
		return d.fail(n, path, "the value holds a NUL character")
	}
	return nil
}

func (d *decoder) number(n ast.Node, path string, v reflect.Value) error {
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		return d.fail(n, path, "expected a whole number")
	}
	u, err := strconv.ParseUint(i.GetToken().Value, 10, 64)
	limit := uint64(math.MaxInt32)
	if v.CanUint() {
		limit = 1<<v.Type().Bits() - 1
	}
	if err != nil || u > limit {
		return d.fail(n, path, "expected a whole number from 0 to %d", limit)
	}
	if v.CanUint() {
		v.SetUint(u)
	} else {
		v.SetInt(int64(u))
	}
	return nil
}

// fields returns the yaml names of a struct's fields in their order, their
// indexes, and those that must be there (no omitempty).
func fields(t reflect.Type) (index map[string]int, names, required []string) {
	index = map[string]int{}
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("yaml")
		if !ok {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		index[name] = i
		names = append(names, name)
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
	}
	return index, names, required
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
