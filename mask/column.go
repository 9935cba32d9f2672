package mask

import (
	"context"
	"slices"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
)

// Keys derives subkeys of a tenant's domain keysets. *crypto.Client is one.
type Keys interface {
	// Subkey returns n bytes that depend on all of tenant, domain and purpose and
	// are the same on every call.
	Subkey(ctx context.Context, tenant, domain, purpose string, n int) ([]byte, error)
}

// A Column is what a rule needs to know of the column whose values it masks.
type Column struct {
	// Table is the table's name as errors should show it, and Name the column's.
	Table, Name string
	// SQLType is PostgreSQL's base type name with domains resolved: text, varchar,
	// bpchar, citext, int2, int4, int8, numeric, uuid, date, timestamp,
	// timestamptz, json, jsonb, ...; "enum" for every enumeration. Of arrays it is
	// the element's. "" means text.
	SQLType string
	// Array says that values are arrays of SQLType.
	Array bool
	// MaxLen is the longest value in characters (code points); 0 means no limit.
	MaxLen int
	// NotNull says that NULL is refused by the column.
	NotNull bool
	// Unique says that the column alone is a key: equal results for two values
	// would break it.
	Unique bool
	// Enum holds the labels of an enumeration.
	Enum []string
	// Type is the information type the policy declares, "" where it says none. A
	// card_number makes card the default format of fpe.
	Type classify.Type
}

// String returns table.column, or the column's name alone.
func (c Column) String() string {
	if c.Table == "" {
		return c.Name
	}
	return c.Table + "." + c.Name
}

// An Env is what rules are compiled in.
type Env struct {
	// Keys derives the rules' keys. Rules that need none (null, constant, partial,
	// redact_text) compile without.
	Keys Keys
	// Tenant is whose keys are used; mandatory for rules that need keys.
	Tenant string
}

// sqlKind groups the types that a rule treats alike.
type sqlKind uint8

const (
	kindOther sqlKind = iota
	kindText
	kindInteger
	kindDecimal
	kindFloat
	kindUUID
	kindDate
	kindTimestamp
	kindTimestampTZ
	kindJSON
	kindEnum
	kindBool
)

var kindNames = [...]string{
	"other", "text", "integer", "numeric", "float", "uuid", "date",
	"timestamp", "timestamptz", "json", "enum", "bool",
}

func (k sqlKind) String() string { return kindNames[k] }

// kind returns the column's group of types.
func (c Column) kind() sqlKind {
	switch c.SQLType {
	case "", "text", "varchar", "bpchar", "citext", "name":
		return kindText
	case "int2", "int4", "int8":
		return kindInteger
	case "numeric":
		return kindDecimal
	case "float4", "float8":
		return kindFloat
	case "uuid":
		return kindUUID
	case "date":
		return kindDate
	case "timestamp":
		return kindTimestamp
	case "timestamptz":
		return kindTimestampTZ
	case "json", "jsonb":
		return kindJSON
	case "enum":
		return kindEnum
	case "bool":
		return kindBool
	}
	return kindOther
}

// want refuses the column unless it is a scalar of one of kinds.
func (c Column) want(rule string, kinds ...sqlKind) error {
	typ := c.SQLType
	if c.Array {
		return fault.New(fault.Policy, "%s: rule %s cannot mask arrays (%s[])", c, rule, typ).
			WithHint("use null or constant(…), or keep the column with a reason")
	}
	if !slices.Contains(kinds, c.kind()) {
		names := ""
		for i, k := range kinds {
			if i > 0 {
				names += ", "
			}
			names += k.String()
		}
		return fault.New(fault.Policy, "%s: rule %s cannot mask a column of type %s; it works on: %s", c, rule, typ, names).
			WithHint("`privet mask schema` lists the rules and their types; null and constant work on every type")
	}
	return nil
}

// refuseUnique refuses a unique column, for rules that map two values to one.
func (c Column) refuseUnique(rule, why, hint string) error {
	if !c.Unique {
		return nil
	}
	return fault.New(fault.Policy, "%s: the column is unique and rule %s is not injective: %s", c, rule, why).
		WithHint("%s", hint)
}
