package mask

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

var nullRule = &definition{
	name:    "null",
	whole:   true,
	doc:     "The value becomes NULL. Refused where the column is NOT NULL.",
	example: "null",
	in:      "ann.lee@mail.com",
	out:     "NULL",
	compile: func(b *build) (func() Masker, error) {
		if b.col.NotNull {
			return nil, fault.New(fault.Policy, "%s: rule null on a column that is NOT NULL", b.col).
				WithHint("use constant(…) or another rule")
		}
		b.traits = Traits{Output: OutputConstant, Domain: 1}
		return func() Masker { return nullMasker{} }, nil
	},
}

type nullMasker struct{}

func (nullMasker) Append(dst, _ []byte, _ Row) ([]byte, bool, error) { return dst, true, nil }

var constantRule = &definition{
	name:  "constant",
	whole: true,
	doc: "Every value that is not NULL becomes the one given. Checked against the column's type, " +
		"length and enumeration where they are known.",
	params:  []param{textParam(positional, "the text of the value, as PostgreSQL reads it").must()},
	example: `constant("n/a")`,
	in:      "ann.lee@mail.com",
	out:     "n/a",
	compile: func(b *build) (func() Masker, error) {
		value := b.spec.word(positional)
		if err := checkConstant(b.col, value); err != nil {
			return nil, err
		}
		b.traits = Traits{Output: OutputConstant, Domain: 1}
		m := constantMasker(value)
		return func() Masker { return m }, nil
	},
}

type constantMasker string

func (m constantMasker) Append(dst, _ []byte, _ Row) ([]byte, bool, error) {
	return append(dst, m...), false, nil
}

// checkConstant refuses a constant that the column cannot hold. Types it does
// not know are left to the database.
func checkConstant(col Column, value string) error {
	if col.Unique {
		return col.refuseUnique("constant", "every row would have the same value", "use null, or email, username, hash, uuid or fpe by the column's type")
	}
	if col.Array {
		if len(value) < 2 || value[0] != '{' && value[0] != '[' || value[len(value)-1] != '}' {
			return fault.New(fault.Policy, "%s: the constant is not an array", col).WithHint(`write it as PostgreSQL does: constant("{}")`)
		}
		return nil
	}
	refuse := func(what string) error {
		return fault.New(fault.Policy, "%s: the constant is not %s", col, what)
	}
	switch col.kind() {
	case kindText:
		if n := utf8.RuneCountInString(value); n > col.limit() {
			return fault.New(fault.Policy, "%s: the constant has %d characters and the column takes %d", col, n, col.MaxLen)
		}
	case kindInteger:
		size := map[string]int{"int2": 16, "int4": 32, "int8": 64}[col.SQLType]
		if _, err := strconv.ParseInt(value, 10, size); err != nil {
			return refuse("an " + col.SQLType)
		}
	case kindDecimal, kindFloat:
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return refuse("a number")
		}
	case kindBool:
		if !slices.Contains([]string{"t", "f", "true", "false"}, value) {
			return refuse("true or false")
		}
	case kindUUID:
		if _, ok := parseUUID([]byte(value)); !ok {
			return refuse("a UUID")
		}
	case kindDate, kindTimestamp, kindTimestampTZ:
		if _, problem := parseMoment([]byte(value), col.kind()); problem != "" {
			return refuse("a " + col.kind().String() + " in ISO form")
		}
	case kindJSON:
		if !json.Valid([]byte(value)) {
			return refuse("valid JSON").(*fault.Error).WithHint(`a JSON text needs its own quotes: constant("\"n/a\"")`)
		}
	case kindEnum:
		if col.Enum != nil && !slices.Contains(col.Enum, value) {
			return refuse("a label of its enumeration" + suggest.DidYouMean(value, col.Enum))
		}
	}
	return nil
}
