package policy

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/suggest"
)

// A worded type parses itself from the text of one scalar and describes the
// texts it accepts to the JSON Schema.
type worded interface {
	decodeText(s string) error
	textSchema() schema
}

// A textError is an error within a text, at a byte offset from its start.
type textError struct {
	offset int
	msg    string
}

func (e *textError) Error() string { return e.msg }

// choose sets dst to the one of words that s is.
func choose[T ~string](dst *T, s, what string, words []T) error {
	if slices.Contains(words, T(s)) {
		*dst = T(s)
		return nil
	}
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	if hint := suggest.DidYouMean(s, names); hint != "" {
		return fmt.Errorf("unknown %s %q%s", what, s, hint)
	}
	return fmt.Errorf("unknown %s %q: it is %s", what, s, orList(names))
}

// orList returns "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

var (
	undecidedModes = []OnUndecided{Refuse, AsEmpty}
	rowModes       = []Rows{NoRows}
	thens          = []Then{ThenDelete, ThenAnonymize, ThenShred, ThenDropPartition}
	domainModes    = []DomainMode{ModeRandom, ModeConvergent, ModeSIV, ModeFPE}
	domainFormats  = []DomainFormat{"opaque", "digits", "alphanumeric", "uuid", "email", "iban", "card"}
)

func (m *OnUndecided) decodeText(s string) error {
	return choose(m, s, "way to treat what is undecided", undecidedModes)
}
func (m *OnUndecided) textSchema() schema { return enumSchema(undecidedModes) }

func (r *Rows) decodeText(s string) error { return choose(r, s, "choice of rows", rowModes) }
func (r *Rows) textSchema() schema        { return enumSchema(rowModes) }

func (t *Then) decodeText(s string) error { return choose(t, s, "end of a row", thens) }
func (t *Then) textSchema() schema        { return enumSchema(thens) }

// A DomainMode is how the tokens of a domain are made.
type DomainMode string

// The modes of domains.
const (
	ModeRandom     DomainMode = "random"     // a vault; a new token every time
	ModeConvergent DomainMode = "convergent" // a vault; one token per value
	ModeSIV        DomainMode = "siv"        // no vault; AES-SIV
	ModeFPE        DomainMode = "fpe"        // no vault; FF1, the token keeps the format
)

func (m *DomainMode) decodeText(s string) error { return choose(m, s, "mode", domainModes) }
func (m *DomainMode) textSchema() schema        { return enumSchema(domainModes) }

// A DomainFormat is what the tokens of a domain look like.
type DomainFormat string

func (f *DomainFormat) decodeText(s string) error { return choose(f, s, "format", domainFormats) }
func (f *DomainFormat) textSchema() schema        { return enumSchema(domainFormats) }

// A Name names an encrypted field, a token domain or a document. See
// [classify.CheckName].
type Name string

func (n *Name) decodeText(s string) error {
	if err := classify.CheckName(s); err != nil {
		return fmt.Errorf("%q is no name: %w", s, err)
	}
	*n = Name(s)
	return nil
}

func (n *Name) textSchema() schema {
	return schema{"type": "string", "pattern": "^" + namePattern + "$"}
}

const namePattern = `[A-Za-z][A-Za-z0-9_.-]{0,127}`

// A Marker is why nobody has decided yet; "" where somebody has.
type Marker string

// markedUndecided is the marker without a reason, the entry's one word.
const markedUndecided Marker = "undecided"

func (m *Marker) decodeText(s string) error {
	*m = Marker(s)
	return nil
}

// decodeScalar is for the entry that is one word.
func (m *Marker) decodeScalar(s string) error {
	if Marker(s) != markedUndecided {
		return fmt.Errorf(`%q is no decision%s; write {mask: …}, {type: …}, {keep: why} or undecided`,
			s, suggest.DidYouMean(s, []string{string(markedUndecided)}))
	}
	*m = markedUndecided
	return nil
}

func (m *Marker) textSchema() schema   { return schema{"type": "string", "minLength": 1} }
func (m *Marker) scalarSchema() schema { return schema{"const": string(markedUndecided)} }

// A Hash is a policy's hash: SHA-256 in hexadecimal.
type Hash string

func (h *Hash) decodeText(s string) error {
	if b, err := hex.DecodeString(s); err != nil || len(b) != 32 || strings.ToLower(s) != s {
		return fmt.Errorf("%q is no policy hash of 64 hexadecimal digits", s)
	}
	*h = Hash(s)
	return nil
}

func (h *Hash) textSchema() schema { return schema{"type": "string", "pattern": "^[0-9a-f]{64}$"} }

// Stored says how a column holds its values. The zero Stored means plain.
type Stored struct {
	// Kind is encrypted, token or blind_index.
	Kind StoredKind
	// Name is the field whose ciphertext or blind index it is, or the token's domain.
	Name Name
}

// A StoredKind is one of the ways in which a column holds protected values.
type StoredKind string

// The kinds of protected columns.
const (
	StoredEncrypted  StoredKind = "encrypted"
	StoredToken      StoredKind = "token"
	StoredBlindIndex StoredKind = "blind_index"
)

var storedKinds = []string{string(StoredEncrypted), string(StoredToken), string(StoredBlindIndex)}

// IsZero reports whether values are stored plainly.
func (s Stored) IsZero() bool { return s == Stored{} }

// String returns kind(name), or "".
func (s Stored) String() string { return call(string(s.Kind), s.Name) }

func (s *Stored) decodeText(text string) error {
	kind, name, err := parseCall(text, "way to store", "encrypted(customer.card)", storedKinds)
	*s = Stored{Kind: StoredKind(kind), Name: name}
	return err
}

func (s *Stored) textSchema() schema { return callSchema(storedKinds) }

// Protect says how the sidecar protects a part of a document so that it can be
// turned back. The zero Protect means not.
type Protect struct {
	// Kind is encrypt or tokenize.
	Kind ProtectKind
	// Name is the name of the encrypted field, or the token's domain.
	Name Name
}

// A ProtectKind is one of the ways to protect a part of a document.
type ProtectKind string

// The ways to protect a part of a document.
const (
	ProtectEncrypt  ProtectKind = "encrypt"
	ProtectTokenize ProtectKind = "tokenize"
)

var protectKinds = []string{string(ProtectEncrypt), string(ProtectTokenize)}

// IsZero reports whether the part is not protected.
func (p Protect) IsZero() bool { return p == Protect{} }

// String returns kind(name), or "".
func (p Protect) String() string { return call(string(p.Kind), p.Name) }

func (p *Protect) decodeText(text string) error {
	kind, name, err := parseCall(text, "protection", "encrypt(customer.email)", protectKinds)
	*p = Protect{Kind: ProtectKind(kind), Name: name}
	return err
}

func (p *Protect) textSchema() schema { return callSchema(protectKinds) }

func call(kind string, name Name) string {
	if kind == "" {
		return ""
	}
	return kind + "(" + string(name) + ")"
}

// parseCall parses kind(name).
func parseCall(s, what, example string, kinds []string) (kind string, name Name, err error) {
	kind, rest, ok := strings.Cut(s, "(")
	if !slices.Contains(kinds, kind) {
		if hint := suggest.DidYouMean(kind, kinds); hint != "" {
			return "", "", fmt.Errorf("unknown %s %q%s", what, kind, hint)
		}
		return "", "", fmt.Errorf("unknown %s %q: it is %s", what, kind, orList(kinds))
	}
	if !ok || !strings.HasSuffix(rest, ")") {
		return "", "", fmt.Errorf("%s needs one name in parentheses, as in %s", kind, example)
	}
	rest = rest[:len(rest)-1]
	if err := name.decodeText(rest); err != nil {
		return "", "", &textError{offset: len(kind) + 1, msg: err.Error()}
	}
	return kind, name, nil
}
