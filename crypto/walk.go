package crypto

import (
	"cmp"
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto/internal/cell"
)

// A site is one value that is to be encrypted or decrypted. Its slot is memory of the
// walk's own: the struct gets it when all is well.
type site struct {
	at    Context
	where *place
	slot  reflect.Value // a string or bytes, settable
	cell  cell.Cell     // or a column's inside
}

func (s *site) fail(err error) error {
	return &FieldError{Path: s.where.String(), Field: s.at.Field, Err: err}
}

// A walk goes through a value and collects its sites. It changes nothing: that is done
// when there are results for all of them, first in the sites, then by the commits.
type walk struct {
	sites []site
	// commits put copies of containers in their places, in reverse order.
	commits []func()
	// seen holds what was entered, and as whose. What is reached twice is sealed once.
	seen map[visit]owner
	// met is true once there was an encrypted field, filled or not.
	met bool
}

type visit struct {
	at  unsafe.Pointer
	len int
	t   reflect.Type
}

// An owner is whose values the walk is among.
type owner struct {
	tenant, subject string
	// noTenant and noSubject are the fields that should have named them, and are empty.
	noTenant, noSubject string
}

// collect walks through v. The error matches ErrStruct or ErrContext, or is that of a
// wrong tag.
func collect(v any, base Context) (*walk, error) {
	if base.Field != "" {
		return nil, contextError("the context of a struct names a field", "fields are named by the tags encrypt=; leave Context.Field empty")
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Invalid:
		return nil, structError("it is nil", "pass a pointer to a struct, or a slice of structs")
	case reflect.Struct, reflect.Array:
		return nil, structError(fmt.Sprintf("a %s by value cannot be changed", rv.Type()), "pass a pointer to it")
	}
	p, err := classify.PlanOf(rv.Type())
	if err != nil {
		return nil, err
	}
	w := &walk{seen: map[visit]owner{}}
	if err := w.value(rv, p, owner{tenant: base.Tenant, subject: base.Subject}, nil); err != nil {
		return nil, err
	}
	if !w.met && !shapeOf(p).static {
		return nil, structError(fmt.Sprintf("%s has no encrypted fields", rv.Type()), `tag what is to be encrypted, as in classify:"confidential,encrypt=customer.email"`)
	}
	return w, nil
}

// commit puts the copies in their places.
func (w *walk) commit() {
	for i := len(w.commits) - 1; i >= 0; i-- {
		w.commits[i]()
	}
}

// entered reports whether the walk was here before.
func (w *walk) entered(at unsafe.Pointer, n int, t reflect.Type, o owner, where *place) (bool, error) {
	k := visit{at, n, t}
	before, ok := w.seen[k]
	if ok && before != o {
		return true, contextError(where.String()+" is reached twice, once as another tenant's or subject's", "give each struct a copy of its own")
	}
	w.seen[k] = o
	return ok, nil
}

// value walks through v, whose type's plan is p.
func (w *walk) value(v reflect.Value, p *classify.Plan, o owner, where *place) error {
	s := shapeOf(p)
	if s.err != nil {
		return s.err
	}
	if !s.static && !s.dynamic {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		if v.Elem().Kind() == reflect.Struct {
			return w.value(v.Elem(), p.Elem, o, where)
		}
		if old, err := w.entered(v.UnsafePointer(), 0, v.Type(), o, where); old || err != nil {
			return err
		}
		return w.value(v.Elem(), p.Elem, o, where)
	case reflect.Interface:
		return w.dynamic(v, o, where)
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
		if old, err := w.entered(v.UnsafePointer(), v.Len(), v.Type(), o, where); old || err != nil {
			return err
		}
		return w.elements(v, p, o, where)
	case reflect.Array:
		return w.elements(v, p, o, where)
	case reflect.Map:
		return w.mapped(v, p, o, where)
	case reflect.Struct:
		return w.structure(v, p, o, where)
	}
	return nil
}

func (w *walk) elements(v reflect.Value, p *classify.Plan, o owner, where *place) error {
	for i := range v.Len() {
		if err := w.value(v.Index(i), p.Elem, o, where.index(i)); err != nil {
			return err
		}
	}
	return nil
}

// dynamic walks through what an interface holds. A struct in there cannot be changed:
// a copy takes its place.
func (w *walk) dynamic(v reflect.Value, o owner, where *place) error {
	if v.IsNil() {
		return nil
	}
	held := v.Elem()
	p, err := classify.PlanOf(held.Type())
	if err != nil {
		return err
	}
	if k := held.Kind(); k != reflect.Struct && k != reflect.Array {
		return w.value(held, p, o, where)
	}
	return w.copied(held, p, o, where, v.Set)
}

func (w *walk) mapped(v reflect.Value, p *classify.Plan, o owner, where *place) error {
	if v.Len() == 0 {
		return nil
	}
	if old, err := w.entered(v.UnsafePointer(), 0, v.Type(), o, where); old || err != nil {
		return err
	}
	for it := v.MapRange(); it.Next(); {
		key, val := it.Key(), it.Value()
		err := w.copied(val, p.Elem, o, where.index(-1), func(changed reflect.Value) { v.SetMapIndex(key, changed) })
		if err != nil {
			return err
		}
	}
	return nil
}

// copied walks through a copy of v and hands it to set where there was something in it.
func (w *walk) copied(v reflect.Value, p *classify.Plan, o owner, where *place, set func(reflect.Value)) error {
	if s := shapeOf(p); s.err == nil && !s.static && !s.dynamic {
		return nil
	}
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	sites, commits := len(w.sites), len(w.commits)
	w.commits = append(w.commits, func() { set(c) })
	err := w.value(c, p, o, where)
	if len(w.sites) == sites {
		w.commits = w.commits[:commits]
	}
	return err
}

// structure walks through the fields of a struct.
func (w *walk) structure(v reflect.Value, p *classify.Plan, o owner, where *place) error {
	o, err := o.within(v, p, where)
	if err != nil {
		return err
	}
	// By now it is known whose it is; whoever leads here does not matter where the struct
	// says so itself.
	if old, err := w.entered(v.Addr().UnsafePointer(), 0, v.Type(), o, where); old || err != nil {
		return err
	}
	for i := range p.Fields {
		f := &p.Fields[i]
		if !f.Exported {
			continue
		}
		fv, err := v.FieldByIndexErr(f.Index)
		if err != nil {
			continue // of an embedded struct that is not there
		}
		if f.Encrypt == "" {
			if sh := shapeOf(f.Plan); !sh.static && !sh.dynamic {
				continue
			}
			if err := w.value(fv, f.Plan, o, where.field(f.Name)); err != nil {
				return err
			}
			continue
		}
		w.met = true
		if fv.IsZero() {
			continue // absent, whatever it is
		}
		at, here := Context{Tenant: o.tenant, Subject: o.subject, Field: f.Encrypt}, where.field(f.Name)
		if single(fv.Type()) {
			if err := w.leaf(fv, at, o, here); err != nil {
				return err
			}
			continue
		}
		// A container may be shared with others who do not expect it to change.
		slot := reflect.New(fv.Type()).Elem()
		if err := w.fill(slot, fv, at, o, here); err != nil {
			return err
		}
		w.commits = append(w.commits, func() { fv.Set(slot) })
	}
	return nil
}

// single reports whether an encrypted field of the type t is one value.
func single(t reflect.Type) bool { return t.Kind() == reflect.String || isBytes(t) || isCell(t) }

// leaf makes slot, which is single, a site. What is empty stays so: "", no bytes, NULL.
func (w *walk) leaf(slot reflect.Value, at Context, o owner, where *place) error {
	if slot.Kind() != reflect.Struct {
		if slot.Len() == 0 {
			return nil
		}
		return w.add(site{at: at, where: where, slot: slot}, o)
	}
	c := slot.Addr().Interface().(cell.Holder).Cell(cell.Key{})
	if c.State() == cell.Null {
		return nil
	}
	return w.add(site{at: at, where: where, cell: c}, o)
}

// fill makes slot a copy of the container v, whose values are sites.
func (w *walk) fill(slot, v reflect.Value, at Context, o owner, where *place) error {
	t := v.Type()
	if single(t) {
		slot.Set(v)
		return w.leaf(slot, at, o, where)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		slot.Set(reflect.New(t.Elem()))
		return w.fill(slot.Elem(), v.Elem(), at, o, where)
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		slot.Set(reflect.MakeSlice(t, v.Len(), v.Len()))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			if err := w.fill(slot.Index(i), v.Index(i), at, o, where.index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		slot.Set(reflect.MakeMapWithSize(t, v.Len()))
		for it := v.MapRange(); it.Next(); {
			key, elem := it.Key(), reflect.New(t.Elem()).Elem()
			if err := w.fill(elem, it.Value(), at, o, where.index(-1)); err != nil {
				return err
			}
			w.commits = append(w.commits, func() { slot.SetMapIndex(key, elem) })
		}
	}
	return nil
}

// add adds a site, unless nobody said whose it is.
func (w *walk) add(s site, o owner) error {
	switch {
	case o.noTenant != "" || o.noSubject != "":
		return s.fail(contextError(cmp.Or(o.noTenant, o.noSubject)+" is empty, and says whose value this is",
			"set it first: where the database makes the id, fetch one before sealing"))
	case o.tenant == "":
		return s.fail(contextError("no tenant is named", "tag a field tenant, or name it in the context"))
	}
	if err := s.at.check(); err != nil {
		return s.fail(err)
	}
	w.sites = append(w.sites, s)
	return nil
}

// within returns the owner of a struct's values: its own fields tagged tenant and
// subject count. Tenants must agree; the innermost subject counts.
func (o owner) within(v reflect.Value, p *classify.Plan, where *place) (owner, error) {
	if p.Tenant != nil {
		tenant, err := identifier(v, p.Tenant)
		name := where.field(p.Tenant.Name).String()
		switch {
		case err != nil:
			return o, contextError(name+" cannot name a tenant: its MarshalText failed", "")
		case tenant == "":
			o.noTenant = name
		case o.tenant != "" && o.tenant != tenant:
			return o, contextError(name+" names another tenant than what is around it", "tenants share no keys: seal what belongs to two in two calls")
		default:
			o.tenant, o.noTenant = tenant, ""
		}
	}
	if p.Subject != nil {
		subject, err := identifier(v, p.Subject)
		name := where.field(p.Subject.Name).String()
		switch {
		case err != nil:
			return o, contextError(name+" cannot name a subject: its MarshalText failed", "")
		case subject == "":
			o.noSubject = name
		default:
			o.subject, o.noSubject = subject, ""
		}
	}
	return o, nil
}

// identifier returns the text of a field that names a subject or tenant, "" where it
// has its type's zero value or is behind a nil pointer.
func identifier(v reflect.Value, f *classify.Field) (string, error) {
	v, err := v.FieldByIndexErr(f.Index)
	if err != nil {
		return "", nil
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem() // the zero Value for nil
	}
	if !v.IsValid() || v.IsZero() {
		return "", nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10), nil
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		return string(text), err
	case fmt.Stringer:
		return x.String(), nil
	}
	return hex.EncodeToString(v.Bytes()), nil
}
