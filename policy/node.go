package policy

import (
	"reflect"

	"github.com/goccy/go-yaml/ast"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

// isText reports whether the file gives v as one scalar.
func isText(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case worded, *string, *int, *classify.Level, *classify.Type, *classify.Period, *mask.Spec:
		return true
	}
	return false
}

func isScalar(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode, *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return true
	}
	return false
}

func isString(n ast.Node) bool {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return true
	}
	return false
}

// scalarText returns the text of a scalar, for a number as the file spells it.
func scalarText(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return n.GetToken().Value
}

// kindOf names the kind of a node in an error.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "a boolean"
	case *ast.NullNode:
		return "empty"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a map"
	}
	return "something else"
}

// wanted names what the file should give for v.
func wanted(v reflect.Value) string {
	if v.Kind() == reflect.Int {
		return "a number"
	}
	return "text"
}
