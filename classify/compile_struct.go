package classify

import (
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"time"
)

// structure fills the plan of a struct type.
func (c *compiler) structure(n *node) {
	c.fields(n, n.plan.Type, "", nil, nil)
	p := n.plan
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Subject {
			if p.Subject != nil {
				n.fail(f.Name, fmt.Errorf("is tagged subject, and so is %s; a struct is about one person", p.Subject.Name))
			}
			p.Subject = f
		}
		if f.Tenant {
			if p.Tenant != nil {
				n.fail(f.Name, fmt.Errorf("is tagged tenant, and so is %s; a struct belongs to one tenant", p.Tenant.Name))
			}
			p.Tenant = f
		}
	}
}

// fields appends t's fields to n's plan, those of embedded structs in their
// place. within holds the types that are being embedded, so that one that embeds
// itself ends.
func (c *compiler) fields(n *node, t reflect.Type, prefix string, index []int, within []reflect.Type) {
	within = append(within, t)
	for i := range t.NumField() {
		sf := t.Field(i)
		path := append(slices.Clip(slices.Clone(index)), i)
		text, tagged, err := lookupTag(sf.Tag)
		if err == nil && tagged {
			err = checkField(sf)
		}
		f := Field{Name: prefix + sf.Name, Index: path, Exported: sf.IsExported(), GoType: sf.Type, DB: dbName(sf)}
		if err == nil && tagged {
			if f.Tag, err = ParseTag(text); err != nil {
				err = fmt.Errorf("tag %q %w", text, err)
			} else {
				err = f.checkTag()
			}
		}
		if err != nil && len(within) == 1 {
			// Embedded types report their own.
			n.fail(sf.Name, err)
		}
		if sf.Name == "_" {
			continue
		}
		name, named := jsonName(sf)
		if inner := embedded(sf); inner != nil && !tagged && !named && !slices.Contains(within, inner) {
			c.link(n, inner)
			c.fields(n, inner, f.Name+".", path, within)
			continue
		}
		f.JSON = name
		f.Plan = c.link(n, sf.Type)
		n.plan.Fields = append(n.plan.Fields, f)
	}
}

// embedded returns the struct type that a field embeds, or nil.
func embedded(sf reflect.StructField) reflect.Type {
	if !sf.Anonymous {
		return nil
	}
	t := sf.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || isNumberLike(t) || t == reflectValue {
		return nil
	}
	return t
}

func checkField(sf reflect.StructField) error {
	if sf.Name == "_" {
		return errors.New("is blank, and a tag on it says nothing")
	}
	return nil
}

// checkTag holds a field's tag against its Go type.
func (f *Field) checkTag() error {
	switch {
	case !f.Exported && (f.Encrypt != "" || f.Tokenize != ""):
		return errors.New("is not exported, so it cannot be encrypted or tokenized")
	case !f.Exported && (f.Subject || f.Tenant):
		return errors.New("is not exported, so it cannot name the subject or tenant")
	case (f.Subject || f.Tenant) && !isIdentifier(f.GoType):
		return fmt.Errorf("is a %s; a subject or tenant is a string, an integer, bytes, or has a String or MarshalText method", f.GoType)
	}
	return nil
}

var (
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	stringer      = reflect.TypeFor[fmt.Stringer]()
	reflectValue  = reflect.TypeFor[reflect.Value]()

	// numberLike are the standard library's types that are structs and yet one
	// number or one moment.
	numberLike = []reflect.Type{
		reflect.TypeFor[time.Time](), reflect.TypeFor[time.Location](),
		reflect.TypeFor[big.Int](), reflect.TypeFor[big.Float](), reflect.TypeFor[big.Rat](),
	}

	// speakers are the methods through which values get into texts.
	speakers = []reflect.Type{
		stringer, textMarshaler, reflect.TypeFor[error](), reflect.TypeFor[fmt.Formatter](), reflect.TypeFor[fmt.GoStringer](),
		reflect.TypeFor[interface{ MarshalJSON() ([]byte, error) }](),
		reflect.TypeFor[interface{ AppendText([]byte) ([]byte, error) }](),
	}
)

func isNumberLike(t reflect.Type) bool { return slices.Contains(numberLike, t) }

// speaks reports whether values of t, or pointers to them, have methods that turn
// them into text.
func speaks(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return true
	}
	p := reflect.PointerTo(t)
	if _, ok := p.MethodByName("LogValue"); ok {
		return true
	}
	return slices.ContainsFunc(speakers, p.Implements)
}

// isIdentifier reports whether values of t can name a subject or tenant.
func isIdentifier(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return true
		}
	}
	return t.Implements(stringer) || t.Implements(textMarshaler)
}
