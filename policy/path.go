package policy

import (
	"errors"
	"fmt"
	"strings"
)

// A JSONPath names parts of a JSON document: a JSON pointer (RFC 6901) in which
// the segment * stands for any one key or index.
type JSONPath string

// Segments returns the path's segments, unescaped. "*" stands for any key; a key
// that is itself an asterisk cannot be named alone.
func (p JSONPath) Segments() []string { return segments(string(p)) }

func segments(p string) []string {
	if p == "" {
		return nil
	}
	parts := strings.Split(p[1:], "/")
	for i, s := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(s, "~1", "/"), "~0", "~")
	}
	return parts
}

func (p *JSONPath) decodeText(s string) error {
	if err := checkPointer(s); err != nil {
		return err
	}
	for _, part := range segments(s) {
		if part != "*" && strings.Contains(part, "*") {
			return fmt.Errorf("path %q: * stands for a whole key, not for a part of one", s)
		}
	}
	*p = JSONPath(s)
	return nil
}

func (p *JSONPath) textSchema() schema { return schema{"type": "string", "pattern": pointerPattern} }

const pointerPattern = "^/([^~]|~[01])*$"

// A JSONPointer names one part of a JSON document (RFC 6901).
type JSONPointer string

// Segments returns the pointer's segments, unescaped.
func (p JSONPointer) Segments() []string { return segments(string(p)) }

func (p *JSONPointer) decodeText(s string) error {
	if err := checkPointer(s); err != nil {
		return err
	}
	if strings.Contains(s, "*") {
		return fmt.Errorf("pointer %q has a *, and must name one value", s)
	}
	*p = JSONPointer(s)
	return nil
}

func (p *JSONPointer) textSchema() schema { return schema{"type": "string", "pattern": pointerPattern} }

var errPointer = errors.New("a path starts with / and names the keys on the way, as in /customer/email; ~0 stands for ~ and ~1 for / within a key")

func checkPointer(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("path %q: %w", s, errPointer)
	}
	for i := range len(s) {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return &textError{offset: i, msg: fmt.Sprintf("path %q: %v", s, errPointer)}
		}
	}
	return nil
}

// A DocumentTenant says whose data a document is: a pointer to the tenant's
// name, or the name itself.
type DocumentTenant string

// Pointer returns the pointer, and whether it is one.
func (t DocumentTenant) Pointer() (JSONPointer, bool) {
	return JSONPointer(t), strings.HasPrefix(string(t), "/")
}

func (t *DocumentTenant) decodeText(s string) error {
	if strings.HasPrefix(s, "/") {
		var p JSONPointer
		if err := p.decodeText(s); err != nil {
			return err
		}
	}
	*t = DocumentTenant(s)
	return nil
}

func (t *DocumentTenant) textSchema() schema { return schema{"type": "string", "minLength": 1} }
