package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/suggest"
	"github.com/privet-dev/privet/mask"
)

// marker decodes the one word that an entry without keys may be.
func (d *decoder) marker(n ast.Node, v reflect.Value) {
	m := v.Addr().Interface().(*Marker)
	if err := m.decodeScalar(scalarText(n)); err != nil {
		d.add(d.nodeAt(n), "%v", err)
	}
}

// scalar decodes the scalar n into v.
func (d *decoder) scalar(n ast.Node, v reflect.Value, what string) {
	if !isScalar(n) {
		d.add(d.nodeAt(n), "%s is %s, and should be %s", what, kindOf(n), wanted(v))
		return
	}
	s := scalarText(n)
	if strings.TrimSpace(s) == "" {
		d.add(d.nodeAt(n), "%s is empty", what)
		return
	}
	switch v.Interface().(type) {
	case int:
		i, err := strconv.Atoi(s)
		if _, number := n.(*ast.IntegerNode); !number || err != nil || i < 1 {
			d.add(d.nodeAt(n), "%s is %q, and should be a number from 1", what, s)
			return
		}
		v.SetInt(int64(i))
		return
	case string:
		if !isString(n) {
			d.add(d.nodeAt(n), "%s is %s (%s), and should be text: write it in quotes", what, kindOf(n), s)
			return
		}
	}
	d.text(n, s, v, what)
}

// text decodes s, which n holds, into v, and reports whether it fits.
func (d *decoder) text(n ast.Node, s string, v reflect.Value, what string) bool {
	var err error
	offset := 0
	switch p := v.Addr().Interface().(type) {
	case worded:
		err = p.decodeText(s)
		if e, ok := errors.AsType[*textError](err); ok {
			offset = e.offset
		}
	case *classify.Level:
		var ok bool
		if *p, ok = classify.ParseLevel(s); !ok {
			err = unknown("level", s, classify.Levels())
		}
	case *classify.Type:
		var ok bool
		if *p, ok = classify.ParseType(s); !ok {
			err = unknown("type", s, classify.Types())
		}
	case *classify.Period:
		*p, err = classify.ParsePeriod(s)
	case *mask.Spec:
		*p, err = mask.ParseSpec(s)
		if e, ok := errors.AsType[*mask.ParseError](err); ok {
			offset, err = e.Offset, errors.New(e.Msg)
			if plain, ok := n.(*ast.StringNode); ok && plain.Token.Type == token.StringType && strings.Count(s, "(") > strings.Count(s, ")") {
				err = errors.New("the closing parenthesis is missing; inside { } a comma ends a value, so a rule with a comma goes in quotes")
				d.cut = true
			}
		}
	case *string:
		*p = s
	}
	if err != nil {
		d.add(d.within(n, s, offset), "%v", err)
		return false
	}
	at := d.nodeAt(n)
	switch p := v.Interface().(type) {
	case Stored:
		if p.Kind == StoredToken {
			d.tokenDomains = append(d.tokenDomains, domainRef{p.Name, at})
		}
	case Protect:
		if p.Kind == ProtectTokenize {
			d.tokenDomains = append(d.tokenDomains, domainRef{p.Name, at})
		}
	}
	return true
}

// unknown says that s is none of words, with the nearest, or with all where
// none is near.
func unknown(what, s string, words []string) error {
	if hint := suggest.DidYouMean(s, words); hint != "" {
		return fmt.Errorf("unknown %s %q%s", what, s, hint)
	}
	return fmt.Errorf("unknown %s %q: it is %s", what, s, orList(words))
}
