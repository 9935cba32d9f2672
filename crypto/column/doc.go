// Package column has types for encrypted database columns: they read and write
// ciphertexts through database/sql or pgx, and show their plaintext to nobody who does
// not ask for it.
//
//	type Customer struct {
//		ID    int64                    `db:"id"          classify:"internal,subject"`
//		Email column.Encrypted[string] `db:"email"       classify:"confidential,type=email,encrypt=customer.email"`
//	}
//
//	customer.Email = column.Of("jo@example.com")
//	err := client.Seal(ctx, &customer, crypto.Context{Tenant: "acme"})
//	_, err = db.Exec(ctx, "INSERT INTO customer (id, email) VALUES ($1, $2)", customer.ID, customer.Email)
//
//	err = db.QueryRow(ctx, "SELECT id, email FROM customer").Scan(&customer.ID, &customer.Email)
//	err = client.Open(ctx, &customer, crypto.Context{Tenant: "acme"})
//	email, err := customer.Email.Plaintext()
//
// [Encrypted] is for bytea columns (BLOB), and holds the ciphertext itself;
// [EncryptedText] is for text columns, and holds its text form, "pvt1.…". Either reads
// what the other writes. Reading and writing needs no keys and calls nobody: Scan takes
// a ciphertext, Value gives it back, and gives an error where there is only a plaintext.
// In between, values are sealed and opened one by one (Seal, Open), many in one batch
// ([OpenAll], [SealAll]), or with the struct around them ([crypto.Client.Seal],
// [crypto.Client.Open]), which takes tenant, subject and field from its tags.
//
// # Types of values
//
// What is encrypted is, for T
//
//   - with MarshalText and UnmarshalText (time.Time, netip.Addr, a UUID, a decimal):
//     the text;
//   - a string: its bytes;
//   - a []byte, json.RawMessage among them: these bytes;
//   - anything else: its JSON, as encoding/json writes it.
//
// This does not change, so a column may be read with another T of the same form.
//
// # Where nothing is shown
//
// fmt, slog and everything else that prints gets "[encrypted]", in every state. JSON
// gets the ciphertext's text form, and an error where there is only a plaintext: an
// encrypted value does not leave through an API by accident, and one in a JSON document
// does not get lost.
package column
