package classify

import (
	"errors"
	"fmt"
	"strings"
)

// TagKey is the key of the struct tag.
const TagKey = "classify"

// A Tag is what the struct tag of a field declares. The zero Tag is that of a
// field without one.
type Tag struct {
	// Level says how bad a leak would be; a tag always begins with it.
	Level Level
	// Type says what the value is, "" where the tag does not.
	Type Type
	// Encrypt is the name under which the field is encrypted, "" where it is not.
	// It is crypto's Context.Field.
	Encrypt string
	// Tokenize is the domain whose tokens the field holds, "" for none.
	Tokenize string
	// Mask is the masking rule as written, "" for none. Whether there is such a
	// rule is known to whoever holds tags against a policy.
	Mask string
	// Retain is how long the value is kept; the zero Period where the tag does
	// not say.
	Retain Period
	// Subject marks the surrogate id of the person the struct is about.
	Subject bool
	// Tenant marks the name of the tenant whose data the struct is.
	Tenant bool
}

// tagWords are the items that may follow the level.
var tagWords = []string{"type", "encrypt", "tokenize", "mask", "retain", "subject", "tenant"}

// ParseTag parses the text of a classify tag:
//
//	tag   = level { "," item }
//	level = "public" | "internal" | "confidential" | "restricted"
//	item  = "type=" type | "encrypt=" name | "tokenize=" name |
//	        "mask=" rule | "retain=" period | "subject" | "tenant"
//
// A rule may hold commas within its parentheses and quotes:
// mask=date_shift(days=30, by=subject). Nothing else may hold one, and there
// are no spaces around commas. Each item stands once. A field has one stored
// form, so encrypt and tokenize exclude each other; subject and tenant exclude
// each other and both, since they say whose key opens the rest.
//
// Errors name the item and the nearest valid word. They do not name the field:
// [PlanOf] adds Type.Field.
func ParseTag(s string) (Tag, error) {
	var t Tag
	if s == "" {
		return t, errors.New("is empty; it begins with a level: public, internal, confidential or restricted")
	}
	level, rest, more := cutItem(s)
	var ok bool
	if t.Level, ok = ParseLevel(level); !ok {
		return Tag{}, levelError(level)
	}
	seen := map[string]bool{}
	for more {
		var item string
		item, rest, more = cutItem(rest)
		key, value, hasValue := strings.Cut(item, "=")
		if seen[key] {
			return Tag{}, fmt.Errorf("says %s twice", key)
		}
		seen[key] = true
		if err := t.set(item, key, value, hasValue); err != nil {
			return Tag{}, err
		}
	}
	return t, t.conflict()
}

func levelError(s string) error {
	key, _, _ := strings.Cut(s, "=")
	switch {
	case s == "-":
		return errors.New(`begins with "-"; what may leak is tagged public`)
	case s == "":
		return errors.New("begins with a comma; a level comes first")
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("has a space beside %q", strings.TrimSpace(s))
	}
	for _, w := range tagWords {
		if key == w {
			return fmt.Errorf("begins with %s; a level comes first, as in confidential,%s", key, s)
		}
	}
	if _, isType := ParseType(s); isType {
		return fmt.Errorf("begins with a type; write confidential,type=%s", s)
	}
	if hint := didYouMean(s, Levels()); hint != "" {
		return fmt.Errorf("has an unknown level %q%s", s, hint)
	}
	return fmt.Errorf("has an unknown level %q: it is public, internal, confidential or restricted", s)
}

func (t *Tag) set(item, key, value string, hasValue bool) (err error) {
	switch key {
	case "subject", "tenant":
		if hasValue {
			return fmt.Errorf("gives %s a value; it stands alone", key)
		}
		t.Subject = t.Subject || key == "subject"
		t.Tenant = t.Tenant || key == "tenant"
		return nil
	case "type", "encrypt", "tokenize", "mask", "retain":
		if value == "" {
			return fmt.Errorf("has %s without a value, as in %s", key, tagExample[key])
		}
	default:
		return itemError(item, key)
	}
	switch key {
	case "type":
		var ok bool
		if t.Type, ok = ParseType(value); !ok {
			return fmt.Errorf("has an unknown type %q%s", value, didYouMean(value, Types()))
		}
	case "encrypt":
		t.Encrypt, err = value, CheckName(value)
	case "tokenize":
		t.Tokenize, err = value, CheckName(value)
	case "mask":
		t.Mask, err = value, checkRule(value)
	case "retain":
		t.Retain, err = ParsePeriod(value)
	}
	if err != nil {
		return fmt.Errorf("has %s=%s: %w", key, value, err)
	}
	return nil
}

var tagExample = map[string]string{
	"type": "type=email", "encrypt": "encrypt=customer.email", "tokenize": "tokenize=cards",
	"mask": "mask=email", "retain": "retain=730d",
}

func itemError(item, key string) error {
	switch {
	case item == "":
		return errors.New("has two commas with nothing between them, or ends with one")
	case strings.TrimSpace(item) != item:
		return fmt.Errorf("has a space beside %q", strings.TrimSpace(item))
	}
	if _, ok := ParseLevel(item); ok {
		return fmt.Errorf("has a second level, %s", item)
	}
	if _, ok := ParseType(item); ok {
		return fmt.Errorf("has a type without its key; write type=%s", item)
	}
	if hint := didYouMean(key, tagWords); hint != "" {
		return fmt.Errorf("has an unknown item %q%s", key, hint)
	}
	return fmt.Errorf("has an unknown item %q: after the level come %s", key, strings.Join(tagWords, ", "))
}

func (t *Tag) conflict() error {
	switch {
	case t.Encrypt != "" && t.Tokenize != "":
		return errors.New("says both encrypt and tokenize; a field is stored in one form")
	case t.Subject && t.Tenant:
		return errors.New("says both subject and tenant; they are two fields")
	case (t.Subject || t.Tenant) && (t.Encrypt != "" || t.Tokenize != ""):
		return errors.New("protects the subject or tenant, which is needed in the clear to find the key")
	case t.Level == Public && (t.Encrypt != "" || t.Tokenize != "" || t.Mask != ""):
		return errors.New("protects what it calls public")
	}
	return nil
}

// String returns the tag in its canonical form, "" for the zero Tag.
func (t Tag) String() string {
	if t.Level == Unclassified {
		return ""
	}
	var b strings.Builder
	b.WriteString(t.Level.String())
	for _, item := range []struct{ key, value string }{
		{"type", string(t.Type)}, {"encrypt", t.Encrypt}, {"tokenize", t.Tokenize},
		{"mask", t.Mask}, {"retain", t.Retain.String()},
	} {
		if item.value != "" {
			b.WriteString("," + item.key + "=" + item.value)
		}
	}
	if t.Subject {
		b.WriteString(",subject")
	}
	if t.Tenant {
		b.WriteString(",tenant")
	}
	return b.String()
}

// cutItem splits s at its first comma that stands in no parentheses and, within
// them, in no quotes. more is false where s has no such comma.
func cutItem(s string) (item, rest string, more bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(':
			depth++
		case c == ')':
			depth = max(0, depth-1)
		case (c == '\'' || c == '"') && depth > 0:
			i = closingQuote(s, i)
		case c == ',' && depth == 0:
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// closingQuote returns the index of the quote that closes the one at i, or the
// length of s. Single quotes are doubled within themselves, which needs no care
// here: the second opens what the third closes. Double quotes take backslashes.
func closingQuote(s string, i int) int {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote == '"':
			i++
		case s[i] == quote:
			return i
		}
	}
	return len(s)
}

// checkRule checks that a rule has the shape name or name(…), all quotes and
// parentheses closed.
func checkRule(s string) error {
	name, args, called := strings.Cut(s, "(")
	for i := range len(name) {
		if c := name[i]; !isLetter(c) && c != '_' && (c < '0' || c > '9' || i == 0) {
			return errors.New("a rule is a name, with parameters in parentheses after it")
		}
	}
	if name == "" {
		return errors.New("a rule begins with its name")
	}
	if !called {
		return nil
	}
	depth := 1
	for i := 0; i < len(args); i++ {
		switch c := args[i]; c {
		case '(':
			depth++
		case ')':
			depth--
		case '\'', '"':
			if i = closingQuote(args, i); i == len(args) {
				return errors.New("the closing quote is missing")
			}
		}
		if depth == 0 {
			if i != len(args)-1 {
				return errors.New("the rule goes on after its closing parenthesis")
			}
			return nil
		}
	}
	return errors.New("the closing parenthesis is missing")
}
