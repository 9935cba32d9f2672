package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
)

// version is the version of the format that this package reads.
const version = 1

// MaxBytes is the size of the largest file that is read.
const MaxBytes = 4 << 20

// A Policy is a parsed privet.yaml. It is not changed after [Parse]; any number
// of goroutines may use it.
type Policy struct {
	Version int `yaml:"version,required" doc:"The version of this format: 1."`
	// Tenant is whose data the tables hold, unless a table says its own.
	Tenant Tenant `yaml:"tenant" doc:"Whose data the tables hold; keys and pseudonyms are the tenant's own. A table may say its own."`
	// OnUndecided says what becomes of what nobody decided.
	OnUndecided OnUndecided `yaml:"undecided" doc:"What becomes of undecided columns: refuse (the default) stops the run, empty lets them arrive as NULL."`
	// Domains are the namespaces of tokens, in the order of the file.
	Domains []*Domain `yaml:"domains" doc:"The namespaces of tokens, by name."`
	// Defaults are the rules of types for columns without a rule of their own.
	Defaults []*Default `yaml:"defaults" doc:"The masking rule of each information type, where a column says none of its own."`
	// Patterns decide columns without an entry of their own. The first that
	// matches counts.
	Patterns []*Pattern `yaml:"columns" doc:"Patterns for the columns of all tables. A column's own entry wins, then the first pattern that matches."`
	// Tables are the entries in the order of the file.
	Tables []*Table `yaml:"tables" doc:"The tables, as schema.table; * and ? are wildcards in either part, and a name written out wins over wildcards."`
	// Documents are the JSON documents that services hand to the sidecar.
	Documents []*Document `yaml:"documents" doc:"JSON documents that services send to the sidecar, by name."`

	file string
	hash string
}

// Load reads and parses the file at path. Errors are as [Parse] gives them; a
// file that cannot be read is of kind Config too.
func Load(path string) (*Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.New(fault.Config, "cannot read the policy: %v", err).
			WithHint("`privet mask init` writes a first privet.yaml from a database")
	}
	if info.Size() > MaxBytes {
		return nil, tooLarge(path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Config, "cannot read the policy: %v", err)
	}
	return Parse(path, data)
}

func (p *Policy) check(k *checker) {
	if k.has("version") && p.Version > 1 {
		k.fail("version", "version %d of the format is not known here: this privet reads version %d", p.Version, version)
	}
}

func tooLarge(file string) error {
	return fault.New(fault.Config, "%s is larger than %d MiB, the limit of a policy", file, MaxBytes>>20)
}

// Parse parses the bytes of a policy; filename is what errors call it. It is
// strict: what it does not know is an error. All errors of a file are reported
// at once, in the order of their lines (20 at most), as one *fault.Error of kind
// Config that wraps a [*ParseError].
func Parse(filename string, data []byte) (*Policy, error) {
	if len(data) > MaxBytes {
		return nil, tooLarge(filename)
	}
	p := &Policy{OnUndecided: Refuse, file: filename}
	d := &decoder{file: filename}
	d.document(data, p)
	if err := d.err(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	p.hash = hex.EncodeToString(sum[:])
	return p, nil
}

// Hash returns the SHA-256 of the file's bytes in hexadecimal. Receipts and
// plans name a policy by it.
func (p *Policy) Hash() string { return p.hash }

// File returns the name the policy was parsed under.
func (p *Policy) File() string { return p.file }

// Default returns the rule that columns of type t have where they say none, the
// zero Spec where the policy has no default for t.
func (p *Policy) Default(t classify.Type) mask.Spec {
	for _, d := range p.Defaults {
		if d.Type == t {
			return d.Mask
		}
	}
	return mask.Spec{}
}

// A Pos is a place in the file. Columns count characters; both start at 1.
type Pos struct {
	File         string
	Line, Column int
}

// String returns file:line:column.
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// OnUndecided says what becomes of what nobody decided.
type OnUndecided string

// The two ways to treat what is undecided. There is none that copies it.
const (
	Refuse  OnUndecided = "refuse" // the run stops and names every column
	AsEmpty OnUndecided = "empty"  // arrives as NULL, or without rows, and is listed
)

// A Tenant says whose data a table holds. In a file exactly one field is set,
// or none. In a [TableDecision] Schema is resolved: Name or Column or none.
type Tenant struct {
	At Pos `yaml:"-"`
	// Name is the one tenant of all rows.
	Name string `yaml:",scalar" doc:"The name of the one tenant."`
	// Column holds the tenant of each row.
	Column string `yaml:"column" doc:"The column that names each row's tenant."`
	// Schema is a pattern with one *; the tenant of a table is what the * stands
	// for in the name of its schema.
	Schema SchemaPattern `yaml:"schema" doc:"A pattern with one *: the tenant is what the * stands for in the schema's name."`
}

// IsZero reports whether t names no tenant.
func (t Tenant) IsZero() bool { return t.Name == "" && t.Column == "" && t.Schema == "" }

// A Domain is a namespace of tokens.
type Domain struct {
	At      Pos          `yaml:"-"`
	Name    Name         `yaml:",key"`
	Mode    DomainMode   `yaml:"mode,required" doc:"How tokens are made: random and convergent keep a vault, siv and fpe need none."`
	Format  DomainFormat `yaml:"format" doc:"What tokens look like."`
	Version int          `yaml:"version" doc:"The version of the domain, 1 by default. Tokens of two versions are unlinkable."`
}

// A Default is the rule of a type.
type Default struct {
	At   Pos           `yaml:"-"`
	Type classify.Type `yaml:",key"`
	Mask mask.Spec     `yaml:",scalar" doc:"The masking rule."`
}
