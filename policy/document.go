package policy

import (
	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

// A Document is a kind of JSON document that services hand to the sidecar.
type Document struct {
	At      Pos              `yaml:"-"`
	Name    Name             `yaml:",key"`
	Tenant  DocumentTenant   `yaml:"tenant" doc:"A JSON pointer to the tenant's name, or the name itself."`
	Subject JSONPointer      `yaml:"subject" doc:"A JSON pointer to the id of the person the document is about."`
	Fields  []*DocumentField `yaml:"fields,required" doc:"The parts of the document, by path; * stands for any one key or index."`
}

// Field returns the entry of that path, or nil.
func (d *Document) Field(path JSONPath) *DocumentField {
	for _, f := range d.Fields {
		if f.Path == path {
			return f
		}
	}
	return nil
}

// A DocumentField is the entry of the values at one path of a document. It is
// decided by Protect, by Mask, by Keep or by the default rule of Type; else it
// is undecided.
type DocumentField struct {
	At        Pos            `yaml:"-"`
	Path      JSONPath       `yaml:",key"`
	Class     classify.Level `yaml:"class" doc:"How bad a leak would be. Left out, the level of the type."`
	Type      classify.Type  `yaml:"type" doc:"What the values are."`
	Protect   Protect        `yaml:"protect" doc:"encrypt(field) or tokenize(domain); reveal turns it back."`
	Mask      mask.Spec      `yaml:"mask" doc:"The masking rule, which nothing turns back. Left out, the default of the type."`
	Keep      string         `yaml:"keep" doc:"Why the values stay as they are."`
	Undecided Marker         `yaml:"undecided" doc:"The word undecided, or undecided: why. Seen, and not decided."`
}

// IsUndecided reports whether the entry says itself that nobody has decided.
func (f *DocumentField) IsUndecided() bool { return f.Undecided != "" }

func (f *DocumentField) check(k *checker) {
	said := ""
	for _, key := range []string{"protect", "mask", "keep", "undecided"} {
		if !k.has(key) {
			continue
		}
		if said != "" {
			k.fail(key, "path %s has both %s and %s", f.Path, said, key)
			return
		}
		said = key
	}
}
