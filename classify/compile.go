package classify

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// compiling lets one goroutine compile at a time, so that a type has one plan.
// Compiling calls no code of the types themselves, so it cannot come back here.
var compiling sync.Mutex

// compile compiles t and everything it reaches, and stores all of it.
func compile(t reflect.Type) (*Plan, error) {
	compiling.Lock()
	defer compiling.Unlock()
	c := &compiler{nodes: map[reflect.Type]*node{}}
	c.node(t)
	c.settle()
	c.tagsWithin()
	for _, n := range c.order {
		if n.known != nil {
			continue
		}
		n.known = &planned{plan: n.plan, declared: n.declared, opaque: n.opaque}
		if err := n.failure(); err != nil {
			n.known.plan, n.known.err = nil, err
		}
	}
	for _, n := range c.order {
		plans.LoadOrStore(n.plan.Type, n.known)
	}
	known := c.nodes[t].known
	return known.plan, known.err
}

// planned is a finished plan or its error, and what plans that reach it need.
type planned struct {
	plan     *Plan
	err      error
	declared Level
	opaque   bool
}

// A compiler compiles one type and what it reaches.
type compiler struct {
	nodes map[reflect.Type]*node
	order []*node
}

// A node is one type on the way to its plan.
type node struct {
	plan *Plan
	// known is set for a type compiled earlier.
	known *planned
	errs  []error
	// next are the types in reach of one step.
	next []*node
	// declared is the greatest level that a tag in reach says.
	declared Level
	// opaque is true where something in reach cannot be looked into.
	opaque bool
}

// node returns the node of t, with everything it reaches.
func (c *compiler) node(t reflect.Type) *node {
	if n := c.nodes[t]; n != nil {
		return n
	}
	n := &node{plan: &Plan{Type: t, Level: Public}}
	c.nodes[t] = n
	c.order = append(c.order, n)
	if e, ok := plans.Load(t); ok {
		n.known = e.(*planned)
		if n.known.err != nil {
			n.errs = []error{n.known.err}
		} else {
			n.plan = n.known.plan
		}
		n.declared, n.opaque = n.known.declared, n.known.opaque
		return n
	}
	c.fill(n)
	return n
}

// fill sets what n's type says by itself and links what it reaches.
func (c *compiler) fill(n *node) {
	t, p := n.plan.Type, n.plan
	switch {
	case isNumberLike(t):
		return
	case t == reflectValue:
		p.Dynamic, p.Level = true, Restricted
		return
	}
	switch t.Kind() {
	case reflect.String:
		p.Level = Restricted
	case reflect.Interface:
		p.Dynamic, p.Level = true, Restricted
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		n.opaque = true
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			p.Level = Restricted
			return
		}
		p.Elem = c.link(n, t.Elem())
	case reflect.Pointer:
		p.Elem = c.link(n, t.Elem())
	case reflect.Map:
		p.Key, p.Elem = c.link(n, t.Key()), c.link(n, t.Elem())
	case reflect.Struct:
		c.structure(n)
	}
}

func (c *compiler) link(n *node, t reflect.Type) *Plan {
	m := c.node(t)
	n.next = append(n.next, m)
	return m.plan
}

// settle lets levels rise along the graph until nothing changes; cycles are why
// once is not enough.
func (c *compiler) settle() {
	for changed := true; changed; {
		changed = false
		// Inner types come last, and levels rise from them.
		for _, n := range slices.Backward(c.order) {
			if n.known != nil {
				continue
			}
			level, declared, opaque := n.plan.Level, n.declared, n.opaque
			for i := range n.plan.Fields {
				level = max(level, n.plan.Fields[i].Effective())
				declared = max(declared, n.plan.Fields[i].Level)
			}
			for _, m := range n.next {
				if n.plan.Type.Kind() != reflect.Struct {
					level = max(level, m.plan.Level)
				}
				declared, opaque = max(declared, m.declared), opaque || m.opaque
			}
			if opaque && speaks(n.plan.Type) {
				// Its methods can tell what reflection cannot see.
				level = Restricted
			}
			if level != n.plan.Level || declared != n.declared || opaque != n.opaque {
				n.plan.Level, n.declared, n.opaque = level, declared, opaque
				changed = true
			}
		}
	}
}

// tagsWithin refuses tags that play down what their field holds: the tag counts
// for everything behind the field, so a greater level within would be lost.
func (c *compiler) tagsWithin() {
	for _, n := range c.order {
		if n.known != nil {
			continue
		}
		for i := range n.plan.Fields {
			f := &n.plan.Fields[i]
			within := c.nodes[f.GoType].declared
			if f.Level != Unclassified && within > f.Level && len(f.Index) == 1 {
				n.fail(f.Name, fmt.Errorf("is tagged %s and holds fields tagged %s; leave its tag out or raise it", f.Level, within))
			}
		}
	}
}

func (n *node) fail(field string, err error) {
	n.errs = append(n.errs, &TagError{Type: n.plan.Type.String(), Field: field, Msg: err.Error()})
}

// failure returns the errors of all types in reach, or nil.
func (n *node) failure() error {
	var errs []error
	seen := map[*node]bool{}
	said := map[string]bool{}
	var walk func(*node)
	walk = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, err := range n.errs {
			for _, e := range tagErrors(err) {
				if !said[e.Error()] {
					said[e.Error()] = true
					errs = append(errs, e)
				}
			}
		}
		for _, m := range n.next {
			walk(m)
		}
	}
	walk(n)
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return errors.Join(errs...)
}

// tagErrors takes apart what failure joined.
func tagErrors(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
