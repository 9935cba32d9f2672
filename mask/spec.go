package mask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/suggest"
)

// A Spec is a parsed rule, such as fpe(keep_last=4). The zero Spec is no rule.
// Specs are immutable; compare them by String.
type Spec struct {
	def  *definition
	args []arg
}

// An arg is one parameter that differs from its default.
type arg struct{ key, value string }

// A ParseError says where a rule's text is wrong.
type ParseError struct {
	// Offset is the position in bytes from the start of the text.
	Offset int
	// Msg says what is wrong, without the position.
	Msg string
}

// Error returns the message and the position.
func (e *ParseError) Error() string {
	return fmt.Sprintf("%s (at byte %d of the rule)", e.Msg, e.Offset)
}

// Name returns the rule's name, "" for the zero Spec.
func (s Spec) Name() string {
	if s.def == nil {
		return ""
	}
	return s.def.name
}

// IsZero reports whether s is no rule.
func (s Spec) IsZero() bool { return s.def == nil }

// String returns the canonical form: parameters in the order of the rule's
// documentation, defaults left out, values quoted where they need it. Parsing it
// gives the same Spec.
func (s Spec) String() string {
	if len(s.args) == 0 {
		return s.Name()
	}
	var b strings.Builder
	b.WriteString(s.def.name)
	b.WriteByte('(')
	for i, a := range s.args {
		if i > 0 {
			b.WriteString(", ")
		}
		if a.key != positional {
			b.WriteString(a.key)
			b.WriteByte('=')
		}
		b.WriteString(quote(a.value))
	}
	b.WriteByte(')')
	return b.String()
}

// MarshalText returns the canonical form.
func (s Spec) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText parses text with [ParseSpec]; empty text gives the zero Spec.
func (s *Spec) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Spec{}
		return nil
	}
	p, err := ParseSpec(string(text))
	if err != nil {
		return err
	}
	*s = p
	return nil
}

// word returns the value of a parameter, or its default.
func (s Spec) word(key string) string {
	for _, a := range s.args {
		if a.key == key {
			return a.value
		}
	}
	for i := range s.def.params {
		if s.def.params[i].name == key {
			return s.def.params[i].preset
		}
	}
	return ""
}

// given reports whether the parameter was set to something other than its default.
func (s Spec) given(key string) bool {
	return slices.ContainsFunc(s.args, func(a arg) bool { return a.key == key })
}

// with returns s with a parameter added that it does not have.
func (s Spec) with(key, value string) Spec {
	s.args = append(slices.Clone(s.args), arg{key, value})
	slices.SortFunc(s.args, func(a, b arg) int { return s.def.order(a.key) - s.def.order(b.key) })
	return s
}

// int returns the value of a parameter that the parser has checked to be one.
func (s Spec) int(key string) int {
	n, _ := strconv.Atoi(s.word(key))
	return n
}

// ParseSpec parses a rule: a name, then in parentheses parameters as key=value,
// or for constant one value. A value is a bare word, or stands in single quotes,
// where two are one, or in double quotes, where \" \\ \n and \t are known.
// Errors are *[ParseError]; an unknown rule, parameter or choice comes with the
// nearest valid one.
func ParseSpec(s string) (Spec, error) {
	p := &specParser{text: s}
	spec, err := p.rule()
	if err != nil {
		return Spec{}, err
	}
	return spec, nil
}

// A specParser reads one rule from left to right.
type specParser struct {
	text string
	pos  int
}

func (p *specParser) fail(at int, format string, args ...any) error {
	return &ParseError{Offset: at, Msg: fmt.Sprintf(format, args...)}
}

func (p *specParser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// take consumes c if it is next.
func (p *specParser) take(c byte) bool {
	p.space()
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// bare consumes a run of bytes that need no quotes.
func (p *specParser) bare() string {
	start := p.pos
	for p.pos < len(p.text) && isBare(p.text[p.pos]) {
		p.pos++
	}
	return p.text[start:p.pos]
}

func isBare(c byte) bool {
	return c >= utf8.RuneSelf || c > ' ' && c != 0x7f && strings.IndexByte(`(),='"`, c) < 0
}

func (p *specParser) rule() (Spec, error) {
	for i, r := range p.text {
		if r == 0 || r == utf8.RuneError && !strings.HasPrefix(p.text[i:], "\ufffd") {
			return Spec{}, p.fail(i, "a rule is UTF-8 text without NUL")
		}
	}
	p.space()
	at := p.pos
	name := p.bare()
	if name == "" {
		return Spec{}, p.fail(at, "a rule starts with its name, as in email or fpe(keep_last=4)")
	}
	def := lookup(name)
	if def == nil {
		return Spec{}, p.fail(at, "unknown rule %q%s", name, suggest.DidYouMean(name, ruleNames()))
	}
	spec := Spec{def: def}
	if p.take('(') {
		if err := p.args(&spec); err != nil {
			return Spec{}, err
		}
	}
	p.space()
	if p.pos < len(p.text) {
		return Spec{}, p.fail(p.pos, "unexpected text after rule %s", name)
	}
	for i := range def.params {
		q := &def.params[i]
		if q.required && !spec.given(q.name) {
			if q.name == positional {
				return Spec{}, p.fail(at, "rule %s needs a value, as in %s", name, def.example)
			}
			return Spec{}, p.fail(at, "rule %s needs %s, as in %s", name, q.name, def.example)
		}
	}
	if def.check != nil {
		if msg := def.check(spec); msg != "" {
			return Spec{}, p.fail(at, "rule %s: %s", name, msg)
		}
	}
	return spec, nil
}

// args consumes the parameters up to the closing parenthesis.
func (p *specParser) args(spec *Spec) error {
	var seen []string
	for first := true; ; first = false {
		if first && p.take(')') {
			break
		}
		p.space()
		at := p.pos
		value, quoted, err := p.value()
		if err != nil {
			return err
		}
		key := positional
		if !quoted && p.take('=') {
			key = value
			p.space()
			valueAt := p.pos
			if value, quoted, err = p.value(); err != nil {
				return err
			}
			if err := p.set(spec, key, value, quoted, at, valueAt, &seen); err != nil {
				return err
			}
		} else if err := p.set(spec, key, value, quoted, at, at, &seen); err != nil {
			return err
		}
		if p.take(')') {
			break
		}
		if !p.take(',') {
			return p.fail(p.pos, "expected a comma or a closing parenthesis")
		}
	}
	slices.SortFunc(spec.args, func(a, b arg) int { return spec.def.order(a.key) - spec.def.order(b.key) })
	return nil
}

// set checks one parameter and adds it unless it is the default.
func (p *specParser) set(spec *Spec, key, value string, quoted bool, at, valueAt int, seen *[]string) error {
	if value == "" && !quoted {
		return p.fail(valueAt, "a value is missing; write '' for an empty one")
	}
	param := spec.def.param(key)
	if param == nil {
		if key == positional {
			return p.fail(at, "rule %s takes its parameters as name=value", spec.def.name)
		}
		names := spec.def.paramNames()
		if len(names) == 0 {
			return p.fail(at, "rule %s takes no parameters", spec.def.name)
		}
		if m := suggest.DidYouMean(key, names); m != "" {
			return p.fail(at, "unknown parameter %q of rule %s%s", key, spec.def.name, m)
		}
		return p.fail(at, "unknown parameter %q of rule %s; it takes %s", key, spec.def.name, strings.Join(names, ", "))
	}
	if slices.Contains(*seen, key) {
		return p.fail(at, "parameter %s of rule %s is given twice", key, spec.def.name)
	}
	*seen = append(*seen, key)
	canonical, msg := param.check(value)
	if msg != "" {
		return p.fail(valueAt, "parameter %s of rule %s: %s", key, spec.def.name, msg)
	}
	if canonical != param.preset || param.required {
		spec.args = append(spec.args, arg{key, canonical})
	}
	return nil
}

// value consumes a bare or quoted value.
func (p *specParser) value() (v string, quoted bool, err error) {
	p.space()
	if p.pos == len(p.text) {
		return "", false, p.fail(p.pos, "the closing parenthesis is missing")
	}
	switch p.text[p.pos] {
	case '\'':
		v, err = p.singleQuoted()
		return v, true, err
	case '"':
		v, err = p.doubleQuoted()
		return v, true, err
	}
	return p.bare(), false, nil
}

func (p *specParser) singleQuoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		if c := p.text[p.pos]; c != '\'' {
			b.WriteByte(c)
		} else if p.pos+1 < len(p.text) && p.text[p.pos+1] == '\'' {
			b.WriteByte('\'')
			p.pos++
		} else {
			p.pos++
			return b.String(), nil
		}
	}
	return "", p.fail(start, "the closing quote is missing")
}

func (p *specParser) doubleQuoted() (string, error) {
	start := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), nil
		case '\\':
			p.pos++
			if p.pos == len(p.text) {
				return "", p.fail(start, "the closing quote is missing")
			}
			i := strings.IndexByte(`"\nt`, p.text[p.pos])
			if i < 0 {
				return "", p.fail(p.pos-1, `unknown escape; \" \\ \n and \t are possible`)
			}
			b.WriteByte("\"\\\n\t"[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", p.fail(start, "the closing quote is missing")
}

// quote returns v as a bare word where it can be one, else in double quotes.
func quote(v string) string {
	bare := v != ""
	for i := range len(v) {
		bare = bare && isBare(v[i])
	}
	if bare {
		return v
	}
	r := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`)
	return `"` + r.Replace(v) + `"`
}
