package mask

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// maxDepth is how deeply a document may be nested.
const maxDepth = 256

// A jsonMasker masks documents of one column: it reads a document once and
// copies everything between the masked values as it is.
type jsonMasker struct {
	doc    *document
	leaves []jsonLeafMaskers

	src    []byte
	pos    int
	copied int // src up to here is in dst
	dst    []byte
	row    Row
	path   []jsonStep
	text   []byte // a decoded string
	out    []byte // a masked string
}

type jsonLeafMaskers struct{ text, number, whole Masker }

// A jsonStep is one part of the path to where the reader is, as errors may show
// it.
type jsonStep struct {
	name string // a key of the policy, or "*"
}

// errSyntax is text that is not JSON; Append says where.
var errSyntax = errors.New("not JSON")

func (m *jsonMasker) Append(dst, src []byte, row Row) ([]byte, bool, error) {
	if len(src) == 0 {
		return dst, false, nil
	}
	start := len(dst)
	m.src, m.pos, m.copied, m.dst, m.row, m.path = src, 0, 0, dst, row, m.path[:0]
	err := m.document()
	out := m.dst
	m.src, m.dst, m.row = nil, nil, Row{}
	if err != nil {
		if err == errSyntax {
			err = fault.New(fault.Data, "%s: a value is not valid JSON at byte %d", m.doc.col, m.pos)
		}
		return out[:start], false, err
	}
	return out, false, nil
}

func (m *jsonMasker) document() error {
	if err := m.value(m.doc.root); err != nil {
		return err
	}
	m.blank()
	if m.pos < len(m.src) {
		return errSyntax
	}
	m.dst = append(m.dst, m.src[m.copied:]...)
	return nil
}

func (m *jsonMasker) blank() {
	for m.pos < len(m.src) && strings.IndexByte(" \t\r\n", m.src[m.pos]) >= 0 {
		m.pos++
	}
}

// peek returns the next byte that is not blank, 0 at the end.
func (m *jsonMasker) peek() byte {
	m.blank()
	if m.pos < len(m.src) {
		return m.src[m.pos]
	}
	return 0
}

// value reads the value at pos, which stands where node is; nil is a place that
// the policy does not know.
func (m *jsonMasker) value(node *jsonNode) error {
	c := m.peek()
	start := m.pos
	switch {
	case node == nil:
		return m.undecided()
	case node.leaf != nil && node.leaf.keep:
		return m.skip(0)
	case node.leaf != nil:
		return m.leaf(node.leaf, c, start)
	case c == 'n':
		// Nothing is where an object or array would be.
		return m.skip(0)
	case c == '{' && (node.keys != nil || node.any != nil):
		return m.object(node)
	case c == '[' && node.any != nil:
		return m.array(node)
	}
	if err := m.skip(0); err != nil {
		return err
	}
	m.pos = start
	return m.undecided()
}

// undecided is the error of a place that nobody decided.
func (m *jsonMasker) undecided() error {
	var path strings.Builder
	for _, s := range m.path {
		path.WriteByte('/')
		path.WriteString(s.name)
	}
	if path.Len() == 0 {
		path.WriteString("the top")
	}
	return fault.New(fault.Policy, "%s: a document has a value at %s that the policy does not decide", m.doc.col, path.String()).
		WithHint("add the path to the column's `json:` with a rule or a reason to keep it; a key that the policy " +
			"does not name is shown as *, and SELECT DISTINCT jsonb_object_keys(…) lists keys")
}

// enter goes down one step; the caller leaves it by cutting path.
func (m *jsonMasker) enter(name string) error {
	if len(m.path) == maxDepth {
		return fault.New(fault.Data, "%s: a document is nested deeper than %d", m.doc.col, maxDepth)
	}
	m.path = append(m.path, jsonStep{name})
	return nil
}

func (m *jsonMasker) object(node *jsonNode) error {
	m.pos++
	if m.peek() == '}' {
		m.pos++
		return nil
	}
	for {
		if m.peek() != '"' {
			return errSyntax
		}
		if err := m.string(); err != nil {
			return err
		}
		child, named := node.keys[string(m.text)]
		name := "*"
		if named {
			name = child.name
		} else {
			child = node.any
		}
		if err := m.enter(name); err != nil {
			return err
		}
		if !named && child != nil && m.doc.detector.Contains(m.text) {
			return fault.New(fault.Data, "%s: a key of a document that matches /%s looks like personal data", m.doc.col, strings.Join(m.names(), "/")).
				WithHint("keys are not masked: mask the object as a whole with null or constant(…)")
		}
		if m.peek() != ':' {
			return errSyntax
		}
		m.pos++
		if err := m.value(child); err != nil {
			return err
		}
		m.path = m.path[:len(m.path)-1]
		switch m.peek() {
		case ',':
			m.pos++
		case '}':
			m.pos++
			return nil
		default:
			return errSyntax
		}
	}
}

func (m *jsonMasker) names() (names []string) {
	for _, s := range m.path {
		names = append(names, s.name)
	}
	return names
}

func (m *jsonMasker) array(node *jsonNode) error {
	m.pos++
	if m.peek() == ']' {
		m.pos++
		return nil
	}
	if err := m.enter("*"); err != nil {
		return err
	}
	for {
		if err := m.value(node.any); err != nil {
			return err
		}
		switch m.peek() {
		case ',':
			m.pos++
		case ']':
			m.pos++
			m.path = m.path[:len(m.path)-1]
			return nil
		default:
			return errSyntax
		}
	}
}

// leaf masks the value at pos.
func (m *jsonMasker) leaf(leaf *jsonLeaf, c byte, start int) error {
	maskers := &m.leaves[leaf.index]
	var masker Masker
	var what string
	switch {
	case c == '"':
		if err := m.string(); err != nil {
			return err
		}
		masker, what = maskers.text, "string"
	default:
		if err := m.skip(0); err != nil {
			return err
		}
		switch {
		case c == 'n':
			return nil
		case c == '{':
			what = "object"
		case c == '[':
			what = "array"
		case c == 't' || c == 'f':
			what = "boolean"
		default:
			m.text = append(m.text[:0], m.src[start:m.pos]...)
			masker, what = maskers.number, "number"
		}
	}
	if maskers.whole != nil {
		masker = maskers.whole
	}
	if masker == nil {
		return fault.New(fault.Data, "%s%s: a document has a value of type %s, which the path's rule cannot mask", m.doc.col, leaf.path, what).
			WithHint("paths below an object or array are decided one by one, as in %s/*; null and constant(…) mask anything", leaf.path)
	}
	out, null, err := masker.Append(m.out[:0], m.text, m.row)
	m.out = out
	if err != nil {
		return err
	}
	m.dst = append(m.dst, m.src[m.copied:start]...)
	m.copied = m.pos
	switch {
	case null:
		m.dst = append(m.dst, "null"...)
	case what == "number" && maskers.whole == nil,
		what != "string" && json.Valid(out):
		// A constant 0 or {} takes the place of a number or object as what it is.
		m.dst = append(m.dst, out...)
	default:
		m.dst = appendJSONString(m.dst, out)
	}
	return nil
}

// appendJSONString appends s as a JSON string.
func appendJSONString(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
