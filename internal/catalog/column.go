package catalog

// A Column is one column with its type seen through domains and arrays.
type Column struct {
	Name string
	// Num is pg_attribute.attnum; gaps are dropped columns.
	Num int16
	// Type is the declared type as PostgreSQL prints it, everything outside
	// pg_catalog with its schema: "character varying(20)", "public.year".
	Type string
	// BaseType is the name of the type (pg_type.typname) below all domains; for
	// an array that of the element: "text", "varchar", "int8". A user's type that
	// has the name of one of PostgreSQL's own stands with its schema: "public.int8".
	BaseType string
	// TypeKind is pg_type.typtype of BaseType: 'b' base, 'e' enum, 'c'
	// composite, 'r' range, 'm' multirange.
	TypeKind byte
	// Array is true for arrays of any dimension, also below a domain.
	Array bool
	// Domain is the outermost domain, schema.name, or "". For an array it may be
	// the element's.
	Domain string
	// Enum holds an enum's labels in their order.
	Enum []string
	// MaxLen is the length in characters of varchar(n) and char(n), also below
	// domains and arrays; 0 where there is none.
	MaxLen int
	// NotNull is true where the column or a domain above its type forbids NULL.
	NotNull bool
	// Generated columns are computed by the database and never copied.
	Generated bool
	// Identity is true for GENERATED ... AS IDENTITY.
	Identity bool
	// HasDefault is true for a DEFAULT clause.
	HasDefault bool
	// Comment is the column's comment, or "".
	Comment string
}

// A Sequence is one sequence and where it stands.
type Sequence struct {
	Schema, Name string
	// Type is "smallint", "integer" or "bigint".
	Type string
	// Start is the declared START value.
	Start int64
	// Increment is negative for a descending sequence.
	Increment int64
	// OwnedBy is schema.table.column of the serial or identity column that owns
	// the sequence, or "".
	OwnedBy string
	// OwnerTable and OwnerColumn say the same for programs; nil and "" without one.
	OwnerTable  *Table
	OwnerColumn string
	// Identity is true where the owner is an identity column.
	Identity bool
	// LastValue and IsCalled are the two arguments that setval needs to bring a
	// copy to the same place. LastValue is nil exactly where Unreadable is true.
	LastValue *int64
	IsCalled  bool
	// Unreadable is true where the connected role may not read the sequence, or
	// the server cannot (an unlogged one on a standby). Its place is then
	// unknown, which is not the same as its start.
	Unreadable bool
}

// String returns schema.name, without quotes.
func (s *Sequence) String() string { return s.Schema + "." + s.Name }
