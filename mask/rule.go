package mask

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// A Row is what a rule may know of the row besides the value itself.
type Row struct {
	// Subject is the text of the row's subject, empty where there is none.
	Subject []byte
}

// A Masker masks values of one column. It belongs to one goroutine.
type Masker interface {
	// Append appends the masked value to dst. src is the text of a value that is
	// not NULL, as PostgreSQL prints it; it is neither kept nor changed, and must
	// not overlap dst's spare capacity. null means that the result is NULL, and
	// out is then dst. An error, a *fault.Error of kind Data (Policy from JSON
	// columns), says why the value cannot be masked and never contains it.
	Append(dst, src []byte, row Row) (out []byte, null bool, err error)
}

// A Rule is a masking rule compiled for one column and tenant. It is immutable
// and safe for concurrent use.
type Rule struct {
	text     string
	identity string
	traits   Traits
	maker    func() Masker
}

// NewMasker returns a masker of its own for one goroutine.
func (r *Rule) NewMasker() Masker { return r.maker() }

// Traits returns what is known of the rule's results.
func (r *Rule) Traits() Traits { return r.traits }

// Identity returns a text that is equal for two rules exactly if they map equal
// values to equal results: rule, parameters, domain, tenant, and what the
// column's type and length change. Columns tied by a foreign key need equal ones.
func (r *Rule) Identity() string { return r.identity }

// String returns the rule's canonical text, or "json" for a document's rule.
func (r *Rule) String() string { return r.text }

// A build is one compilation in progress.
type build struct {
	ctx context.Context
	// spec is the rule with what the column implies filled in.
	spec   Spec
	col    Column
	env    Env
	traits Traits
	// effects is what the column adds to the rule's identity.
	effects []string
}

// effect notes that the column's type or length changes results.
func (b *build) effect(key string, value int) {
	b.effects = append(b.effects, key+"="+strconv.Itoa(value))
}

// Compile binds the rule to a column and a tenant's keys. It refuses, with a
// *fault.Error of kind Policy, what cannot work on the column: its type, its
// length, null where NULL is refused, a rule that merges values where the column
// is unique. ctx bounds the derivation of keys.
//
// Of an array, every element is masked, by all rules but null and constant, which
// replace the array.
func (s Spec) Compile(ctx context.Context, col Column, env Env) (*Rule, error) {
	if s.IsZero() {
		return nil, fault.New(fault.Policy, "%s: no masking rule", col)
	}
	def := s.def
	b := &build{ctx: ctx, spec: s, col: col, env: env}
	elements := col.Array && !def.whole
	if elements {
		b.col.Array = false
	}
	maker, err := def.compile(b)
	if err != nil {
		return nil, err
	}
	if elements {
		maker = overElements(col, maker)
	}
	identity := b.text() // the domain follows with its default filled in
	if def.keyed {
		if col.form() == formFolded {
			// The same value may be masked in another spelling in a text column.
			b.effects = append(b.effects, "folded")
		}
		identity += " domain=" + strconv.Quote(b.domain()) + " tenant=" + strconv.Quote(env.Tenant)
	}
	if len(b.effects) > 0 {
		identity += " " + strings.Join(b.effects, " ")
	}
	return &Rule{text: s.String(), identity: identity, traits: b.traits, maker: maker}, nil
}

// text returns the rule's text without the domain.
func (b *build) text() string {
	s := b.spec
	s.args = slices.DeleteFunc(slices.Clone(s.args), func(a arg) bool { return a.key == "domain" })
	return s.String()
}

// domain returns the rule's pseudonym domain: the rule's name unless it says one.
func (b *build) domain() string {
	if d := b.spec.word("domain"); d != "" {
		return d
	}
	return b.spec.def.name
}

// subkey returns the 32-byte key of the rule for one purpose within the rule.
func (b *build) subkey(purpose string) ([]byte, error) {
	if b.env.Keys == nil || b.env.Tenant == "" {
		return nil, fault.New(fault.Policy, "%s: rule %s needs a tenant's keys and has none", b.col, b.spec.def.name).
			WithHint("set `tenant:` in the policy and the keys in deployment.yaml; a rule never runs unkeyed")
	}
	key, err := b.env.Keys.Subkey(b.ctx, b.env.Tenant, b.domain(), "mask/"+purpose, 32)
	if err != nil {
		e := fault.New(fault.KindOf(err), "%s: rule %s: no key for domain %q: %v", b.col, b.spec.def.name, b.domain(), err)
		return nil, e
	}
	if len(key) != 32 {
		return nil, fault.New(fault.Unexpected, "%s: rule %s: the key store gave a key of %d bytes for 32", b.col, b.spec.def.name, len(key))
	}
	return key, nil
}
