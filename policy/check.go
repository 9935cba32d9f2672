package policy

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// A checker lets a decoded struct judge how its keys go together.
type checker struct {
	d     *decoder
	start Pos
	pairs []pair
	// unknown is true where a key was not known: it may have been meant to be one
	// that seems to be missing.
	unknown bool
}

// has reports whether the key was given, even with a value that is wrong.
func (k *checker) has(key string) bool {
	return slices.ContainsFunc(k.pairs, func(p pair) bool { return p.key == key })
}

// fail reports at the key, or where the mapping begins for "".
func (k *checker) fail(key, format string, args ...any) {
	at := k.start
	for _, p := range k.pairs {
		if p.key == key {
			at = p.at
		}
	}
	k.d.add(at, format, args...)
}

// failItem reports at an item of the list under key.
func (k *checker) failItem(key string, i int, format string, args ...any) {
	for _, p := range k.pairs {
		if seq, ok := p.value.(*ast.SequenceNode); ok && p.key == key && i < len(seq.Values) {
			k.d.add(k.d.nodeAt(seq.Values[i]), format, args...)
			return
		}
	}
	k.fail(key, format, args...)
}
