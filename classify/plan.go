package classify

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A Plan is what the values of a Go type can hold: the fields of a struct with
// their tags, and for every other type what stands behind it. Plans form a graph
// that follows the type and has cycles where the type has.
//
// A Plan is shared by everybody who asks for it and must not be changed.
type Plan struct {
	// Type is the Go type.
	Type reflect.Type
	// Level is the worst that a value can hold, however deep: the greatest level
	// of all tags, and [Restricted] where something untagged could leak. [Public]
	// means that a value can hold nothing sensitive and needs no look inside.
	Level Level
	// Fields are the fields of a struct in the order of declaration, those of
	// untagged embedded structs among them. nil for other types.
	Fields []Field
	// Subject and Tenant are the fields marked so, or nil.
	Subject, Tenant *Field
	// Key is the plan of a map's keys.
	Key *Plan
	// Elem is the plan of what a pointer points to, or of the elements of a
	// slice, an array or a map. nil for other types, for bytes (slices and arrays
	// of uint8), and for types that are taken as one value, such as [time.Time].
	Elem *Plan
	// Dynamic is true for an interface: what it holds is known at run time only.
	Dynamic bool
}

// A Field is one field of a struct.
type Field struct {
	// Tag is what the field's tag declares; its Level is [Unclassified] where the
	// field has none.
	Tag
	// Name is the field's Go name, with the names of the embedded structs it
	// comes from before it: "Email", "Base.Email".
	Name string
	// Index is the path to the field for [reflect.Value.FieldByIndexErr]. It is
	// longer than 1 where the field comes from an embedded struct.
	Index []int
	// Exported is true where reflection may read and set the field.
	Exported bool
	// GoType is the field's Go type.
	GoType reflect.Type
	// JSON is the name that encoding/json gives the field, "" where it leaves it
	// out. DB is the name of the db tag, "" without one.
	JSON, DB string
	// Plan is what the field's type can hold. A tag counts for everything behind
	// the field, so look here only for fields without one, or for tags within.
	Plan *Plan
}

// Effective returns the level that counts where the field's value could leak:
// that of its tag, else what its type can hold.
func (f *Field) Effective() Level {
	if f.Level != Unclassified {
		return f.Level
	}
	return f.Plan.Level
}

// Sensitive reports whether a value of the type can hold anything that is not
// public.
func (p *Plan) Sensitive() bool { return p.Level > Public }

// Field returns the field of that Go name ("Email", "Base.Email"), or nil.
func (p *Plan) Field(name string) *Field {
	for i := range p.Fields {
		if p.Fields[i].Name == name {
			return &p.Fields[i]
		}
	}
	return nil
}

// plans holds every compiled plan or its error, by reflect.Type. Entries are
// complete when they are stored and never change.
var plans sync.Map

// PlanOf returns the plan of a type, which is compiled on the first call and
// looked up, without allocating, ever after. Any type has one; struct types are
// what they are for. It is safe for concurrent use.
//
// An error is a [*TagError], or several that are joined, one for each wrong tag
// in reach of the type. It is as lasting as the plan: the type's tags are
// constants.
func PlanOf(t reflect.Type) (*Plan, error) {
	if e, ok := plans.Load(t); ok {
		e := e.(*planned)
		return e.plan, e.err
	}
	if t == nil {
		return nil, fmt.Errorf("classify: a nil interface has no type and no plan")
	}
	return compile(t)
}

// For returns the plan of T, as [PlanOf] does.
func For[T any]() (*Plan, error) { return PlanOf(reflect.TypeFor[T]()) }

// A TagError is one wrong tag.
type TagError struct {
	// Type is the struct type, as in shop.Customer.
	Type string
	// Field is the field's Go name.
	Field string
	// Msg says what is wrong.
	Msg string
}

// Error returns Type.Field and what is wrong.
func (e *TagError) Error() string {
	return "classify: " + e.Type + "." + e.Field + ": " + e.Msg
}

// jsonName returns the name that encoding/json gives a field, and whether its tag
// says one.
func jsonName(f reflect.StructField) (name string, explicit bool) {
	tag := f.Tag.Get("json")
	if tag == "-" || !f.IsExported() {
		return "", false
	}
	name, _, _ = strings.Cut(tag, ",")
	if name != "" {
		return name, true
	}
	return f.Name, false
}

func dbName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
	if name == "-" {
		return ""
	}
	return name
}
