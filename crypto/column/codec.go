package column

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/privet-dev/privet/internal/fault"
)

// ErrValue says that a plaintext is not one of the column's Go type, or that a value of
// the type cannot be turned into bytes.
var ErrValue = errors.New("column: the plaintext does not fit the column's type")

// encode returns the bytes that are encrypted for v.
func encode[T any](v T) ([]byte, error) {
	if m, ok := any(&v).(encoding.TextMarshaler); ok && isText(any(&v)) {
		text, err := m.MarshalText()
		return text, valueError[T](err)
	}
	rv := reflect.ValueOf(&v).Elem()
	switch {
	case rv.Kind() == reflect.String:
		return []byte(rv.String()), nil
	case isBytes(rv.Type()):
		return rv.Bytes(), nil
	}
	text, err := json.Marshal(v)
	return text, valueError[T](err)
}

// decode is the reverse of encode. It keeps b.
func decode[T any](b []byte) (v T, err error) {
	if isText(any(&v)) {
		return v, valueError[T](any(&v).(encoding.TextUnmarshaler).UnmarshalText(b))
	}
	rv := reflect.ValueOf(&v).Elem()
	switch {
	case rv.Kind() == reflect.String:
		rv.SetString(string(b))
	case isBytes(rv.Type()):
		if b == nil {
			b = []byte{}
		}
		rv.SetBytes(b)
	default:
		err = valueError[T](json.Unmarshal(b, &v))
	}
	return v, err
}

// isText reports whether p, a pointer to a value, goes both ways through text.
func isText(p any) bool {
	_, to := p.(encoding.TextMarshaler)
	_, from := p.(encoding.TextUnmarshaler)
	return to && from
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// valueError leaves out what the cause says: errors of parsers quote what they parse.
func valueError[T any](err error) error {
	if err == nil {
		return nil
	}
	return &fault.Error{
		Kind: fault.Data,
		Msg:  fmt.Sprintf("%v %s", ErrValue, reflect.TypeFor[T]()),
		Hint: "the column was written with another type, or holds what its type refuses",
		Err:  ErrValue,
	}
}
