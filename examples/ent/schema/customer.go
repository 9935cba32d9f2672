// Package schema is what ent generates package shopdb from.
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect"
	"entgo.io/ent/schema/field"
	"github.com/google/uuid"

	"github.com/privet-dev/privet/crypto/column"
)

// Customer is a table. Encrypted columns have a type of package column, which reads and
// writes ciphertexts. There are no classify tags: where a field of the schema has a tag,
// ent writes classify:"-" on a field of its own, which says nothing and is refused.
type Customer struct{ ent.Schema }

// Fields implements ent.Interface.
func (Customer) Fields() []ent.Field {
	bytea := map[string]string{dialect.Postgres: "bytea"}
	return []ent.Field{
		// The id names the subject and must be known before sealing: the program makes it.
		field.UUID("id", uuid.UUID{}),
		field.String("country"),
		field.Other("email", column.Encrypted[string]{}).SchemaType(bytea),
		// Of the blind index; NULL once the customer is erased.
		field.Bytes("email_index").Unique().Optional(),
		field.Other("card", column.Encrypted[string]{}).SchemaType(bytea).Optional(),
	}
}
