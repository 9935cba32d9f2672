package crypto

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto/internal/cell"
	"github.com/privet-dev/privet/internal/fault"
)

// A shape is what a Go type has to do with encryption.
type shape struct {
	// static: fields tagged encrypt= are in reach of the type. dynamic: an interface is,
	// which may hold some.
	static, dynamic bool
	// err says why values of the type cannot be sealed, or is nil.
	err error
}

// shapes holds the shape of each type that was met, by reflect.Type.
var shapes sync.Map

var holder = reflect.TypeFor[cell.Holder]()

// columns is the import path of the column types. A struct that embeds one has its
// methods too, and is not one.
const columns = "github.com/privet-dev/privet/crypto/column"

// isCell reports whether t is a column type of package column.
func isCell(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.PkgPath() == columns && reflect.PointerTo(t).Implements(holder)
}

// shapeOf returns the shape of a plan's type.
func shapeOf(p *classify.Plan) *shape {
	if s, ok := shapes.Load(p.Type); ok {
		return s.(*shape)
	}
	s := &shape{}
	seen := map[*classify.Plan]bool{}
	if s.scan(p, seen); s.static {
		// A type without encrypted fields is nobody's mistake, whatever else it holds.
		s.err = errors.Join(flaws(seen)...)
	}
	known, _ := shapes.LoadOrStore(p.Type, s)
	return known.(*shape)
}

// scan looks for encrypted fields and interfaces in reach of p.
func (s *shape) scan(p *classify.Plan, seen map[*classify.Plan]bool) {
	if p == nil || seen[p] || isCell(p.Type) {
		return
	}
	seen[p] = true
	s.dynamic = s.dynamic || p.Type.Kind() == reflect.Interface
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Encrypt != "" {
			s.static = true
			continue
		}
		if !f.Exported {
			// What is in there cannot be set, and is looked into for that reason only.
			s.static = s.static || reaches(f.Plan, map[*classify.Plan]bool{})
			continue
		}
		s.scan(f.Plan, seen)
	}
	s.scan(p.Key, seen)
	s.scan(p.Elem, seen)
}

// reaches reports whether encrypted fields are in reach of p, exported or not.
func reaches(p *classify.Plan, seen map[*classify.Plan]bool) bool {
	if p == nil || seen[p] || isCell(p.Type) {
		return false
	}
	seen[p] = true
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Encrypt != "" || reaches(f.Plan, seen) {
			return true
		}
	}
	return reaches(p.Key, seen) || reaches(p.Elem, seen)
}

// flaws returns what is wrong with the plans that a scan has seen.
func flaws(seen map[*classify.Plan]bool) []error {
	var errs []error
	for p := range seen {
		for i := range p.Fields {
			f := &p.Fields[i]
			name := p.Type.String() + "." + f.Name
			switch {
			case f.Encrypt != "":
				if !holdsCiphertext(f.GoType, 0) {
					errs = append(errs, structError(fmt.Sprintf("%s is a %s, and encrypt= wants a string, []byte, or column.Encrypted", name, f.GoType),
						"column.Encrypted holds any type; pointers, slices, arrays and map values are followed"))
				}
			case !f.Exported:
				if reaches(f.Plan, map[*classify.Plan]bool{}) {
					errs = append(errs, structError(name+" is not exported, and holds encrypted fields", "export it, or drop the encrypt= tags within"))
				}
			}
		}
		if reaches(p.Key, map[*classify.Plan]bool{}) {
			errs = append(errs, structError(p.Type.String()+" has keys that hold encrypted fields", "encrypt values of maps, not their keys"))
		}
	}
	return errs
}

func structError(msg, hint string) error {
	return &fault.Error{Kind: fault.Config, Msg: ErrStruct.Error() + ": " + msg, Hint: hint, Err: ErrStruct}
}

// deepest bounds the containers of one encrypted field, *[]map[string]*string being
// four; types that contain themselves end there.
const deepest = 8

// holdsCiphertext reports whether an encrypted field may be of the type t.
func holdsCiphertext(t reflect.Type, depth int) bool {
	if isCell(t) || t.Kind() == reflect.String || isBytes(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Array, reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return false // an array of bytes has no room
		}
		return depth < deepest && holdsCiphertext(t.Elem(), depth+1)
	case reflect.Pointer, reflect.Map:
		return depth < deepest && holdsCiphertext(t.Elem(), depth+1)
	}
	return false
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}
