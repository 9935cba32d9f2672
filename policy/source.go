package policy

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxNesting is the depth at which a file is refused before the YAML parser,
// which recurses, sees it. The format itself needs 12.
const maxNesting = 64

// document parses data and decodes its one document into p.
func (d *decoder) document(data []byte, p *Policy) {
	root := d.parse(data)
	if root == nil {
		return
	}
	d.structure(root, reflectOf(p), theFile)
	d.references(p)
}

// parse returns the root of the file's one document, or nil after a report.
func (d *decoder) parse(data []byte) (root ast.Node) {
	start := Pos{d.file, 1, 1}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if at, ok := badText(data); !ok {
		line := 1 + bytes.Count(data[:at], []byte("\n"))
		column := 1 + utf8.RuneCount(data[bytes.LastIndexByte(data[:at], '\n')+1:at])
		d.add(Pos{d.file, line, column}, "a byte that is not UTF-8 text")
		return nil
	}
	// The YAML parser is not ours. What makes it panic is refused like any other
	// file that cannot be read.
	defer func() {
		if recover() != nil {
			d.add(start, "the file cannot be read as YAML")
			root = nil
		}
	}()
	tokens := lexer.Tokenize(string(data))
	if deep := tooDeep(tokens); deep != nil {
		d.add(d.at(deep), "nested too deeply, more than %d levels", maxNesting)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.syntax(err, start)
		return nil
	}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case doc.Body.Type() == ast.DirectiveType:
			d.add(d.at(doc.Body.GetToken()), "a YAML directive; the file holds plain YAML")
			return nil
		case root != nil:
			d.add(d.nodeAt(doc.Body), "a second document; the file holds one")
			return nil
		default:
			root = doc.Body
		}
	}
	if root == nil {
		d.add(start, "the file is empty; it begins with `version: 1`")
	}
	return root
}

// badText returns the offset of the first byte that is not UTF-8, or is NUL.
func badText(data []byte) (int, bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i, false
		}
		i += size
	}
	return 0, true
}

// tooDeep returns the token at which nesting becomes deeper than maxNesting:
// brackets, block sequences opened on one line, or indentation.
func tooDeep(tokens token.Tokens) *token.Token {
	flow, entries, line := 0, 0, 0
	var columns []int
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			entries++
		}
		if t.Position == nil {
			continue
		}
		if t.Position.Line != line {
			line, entries = t.Position.Line, 0
			for len(columns) > 0 && columns[len(columns)-1] >= t.Position.Column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, t.Position.Column)
		}
		if flow > maxNesting || entries > maxNesting || len(columns) > maxNesting {
			return t
		}
	}
	return nil
}

// syntax reports an error of the YAML parser.
func (d *decoder) syntax(err error, start Pos) {
	var y yaml.Error
	if !errors.As(err, &y) {
		d.add(start, "the file cannot be read as YAML: %v", err)
		return
	}
	at, msg := start, y.GetMessage()
	if t := y.GetToken(); t != nil && t.Position != nil {
		at = d.at(t)
	}
	switch {
	case strings.Contains(msg, "'\t'") || strings.Contains(msg, "tab character"):
		msg = "a tab; YAML indents with spaces"
	case strings.Contains(msg, "mapping value is not allowed"):
		msg += `; text that holds ": " goes in quotes`
	case strings.Contains(msg, "is a reserved character"):
		msg += "; text that begins with it goes in quotes"
	}
	d.add(at, "%s", msg)
}

// at returns the place of a token.
func (d *decoder) at(t *token.Token) Pos {
	if t == nil || t.Position == nil {
		return Pos{d.file, 1, 1}
	}
	return Pos{d.file, max(1, t.Position.Line), max(1, t.Position.Column)}
}

// nodeAt returns the place where a node begins.
func (d *decoder) nodeAt(n ast.Node) Pos {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return d.nodeAt(n.Values[0])
		}
	case *ast.MappingValueNode:
		if n.Key != nil {
			return d.at(n.Key.GetToken())
		}
	}
	return d.at(n.GetToken())
}

// within returns the place of a byte offset within a scalar's text: exact where
// the text stands in the file as it is, on one line; else where the scalar begins.
func (d *decoder) within(n ast.Node, text string, offset int) Pos {
	at := d.nodeAt(n)
	t := n.GetToken()
	s, ok := n.(*ast.StringNode)
	if !ok || t == nil || offset < 0 || offset > len(text) || strings.ContainsAny(text, "\r\n") {
		return at
	}
	raw := strings.TrimSpace(t.Origin)
	switch s.Token.Type {
	case token.SingleQuoteType, token.DoubleQuoteType:
		if len(raw) < 2 || raw[1:len(raw)-1] != text {
			return at
		}
		at.Column++
	default:
		if raw != text {
			return at
		}
	}
	at.Column += utf8.RuneCountInString(text[:offset])
	return at
}
