package policy

import (
	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

// A Column is the entry of one column. It is decided by Mask, by the default
// rule of Type, by Keep, or path by path by JSON; else it is undecided.
type Column struct {
	At        Pos            `yaml:"-"`
	Name      string         `yaml:",key"`
	Class     classify.Level `yaml:"class" doc:"How bad a leak would be. Left out, the level of the type."`
	Type      classify.Type  `yaml:"type" doc:"What the values are."`
	Mask      mask.Spec      `yaml:"mask" doc:"The masking rule. Left out, the default of the type."`
	Keep      string         `yaml:"keep" doc:"Why the column is copied as it is."`
	Stored    Stored         `yaml:"stored" doc:"How the column holds its values: encrypted(field), token(domain) or blind_index(field)."`
	JSON      []*JSONField   `yaml:"json" doc:"The parts of a json or jsonb column, by path; * stands for any one key or index."`
	Undecided Marker         `yaml:"undecided" doc:"The word undecided, or undecided: why. Seen, and not decided."`
}

// IsUndecided reports whether the entry says itself that nobody has decided.
func (c *Column) IsUndecided() bool { return c.Undecided != "" }

// A JSONField is the entry of the values at one path of a JSON column.
type JSONField struct {
	At        Pos            `yaml:"-"`
	Path      JSONPath       `yaml:",key"`
	Class     classify.Level `yaml:"class" doc:"How bad a leak would be. Left out, the level of the type."`
	Type      classify.Type  `yaml:"type" doc:"What the values are."`
	Mask      mask.Spec      `yaml:"mask" doc:"The masking rule. Left out, the default of the type."`
	Keep      string         `yaml:"keep" doc:"Why the values are copied as they are."`
	Undecided Marker         `yaml:"undecided" doc:"The word undecided, or undecided: why. Seen, and not decided."`
}

// IsUndecided reports whether the entry says itself that nobody has decided.
func (f *JSONField) IsUndecided() bool { return f.Undecided != "" }

// A Pattern decides columns of any table by name and SQL type.
type Pattern struct {
	At    Pos            `yaml:"-"`
	Name  NamePattern    `yaml:"name,required" doc:"The column's name; * stands for any characters, ? for one."`
	SQL   []SQLType      `yaml:"sql" doc:"PostgreSQL type names (domains resolved), with [] for arrays, or enum. Left out, any type."`
	Class classify.Level `yaml:"class" doc:"How bad a leak would be. Left out, the level of the type."`
	Type  classify.Type  `yaml:"type" doc:"What the values are."`
	Mask  mask.Spec      `yaml:"mask" doc:"The masking rule. Left out, the default of the type."`
	Keep  string         `yaml:"keep" doc:"Why such columns are copied as they are. Needs sql with types that hold no text."`
}

func (c *Column) check(k *checker) {
	masked, kept, parts := k.has("mask"), k.has("keep"), k.has("json")
	switch {
	case masked && kept:
		k.fail("keep", "column %s has both mask and keep", c.Name)
	case k.has("undecided") && (masked || kept || parts):
		k.fail("undecided", "column %s is decided and says undecided", c.Name)
	case parts && (masked || kept):
		k.fail("json", "column %s decides the whole column and its parts: json goes with neither mask nor keep", c.Name)
	case k.has("stored") && kept:
		k.fail("keep", "column %s is stored under the source's keys, which the target does not have: it cannot be kept", c.Name)
	case k.has("stored") && parts:
		k.fail("stored", "column %s has both stored and json", c.Name)
	case parts && len(c.JSON) == 0:
		k.fail("json", "column %s has a json map without paths", c.Name)
	}
}

func (f *JSONField) check(k *checker) {
	masked, kept := k.has("mask"), k.has("keep")
	if masked && kept {
		k.fail("keep", "path %s has both mask and keep", f.Path)
	} else if k.has("undecided") && (masked || kept) {
		k.fail("undecided", "path %s is decided and says undecided", f.Path)
	}
}

func (p *Pattern) check(k *checker) {
	masked, kept := k.has("mask"), k.has("keep")
	switch {
	case masked && kept:
		k.fail("keep", "pattern %s has both mask and keep", p.Name)
	case !masked && !kept && !k.has("type") && !k.unknown:
		k.fail("", "pattern %s decides nothing: it needs keep, mask or a type with a default", p.Name)
	}
	if !kept {
		return
	}
	if p.Name.text != "" && !p.Name.named() {
		k.fail("name", "a pattern that keeps needs a name: %q would keep every column of the type", p.Name)
	}
	if !k.has("sql") {
		k.fail("keep", "a pattern that keeps needs sql, the types it is meant for, as in sql: [int8, uuid]")
	}
	for i, t := range p.SQL {
		if t != "" && !t.keepable() {
			k.failItem("sql", i, "a pattern cannot keep columns of type %s, which may hold text: decide such columns one by one", t)
		}
	}
}
