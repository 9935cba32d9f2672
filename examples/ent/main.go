// Command ent keeps customers in PostgreSQL through ent, with encrypted e-mail addresses
// that can be looked up and encrypted cards. Package schema gives the encrypted columns
// their Go type; shopdb is what ent makes of it.
//
//	go run . -database service=shop -kek kek.json ann@example.com
//
// adds the customer if there is none with this address, and lists the first ones.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/privet-dev/privet/examples/ent/shopdb"
)

func main() {
	database := flag.String("database", "", "connection URI or keywords; the libpq environment variables count")
	kek := flag.String("kek", "kek.json", "file of the key-encryption key")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("name one e-mail address")
	}
	if err := run(context.Background(), os.Stdout, *database, *kek, flag.Arg(0)); err != nil {
		log.Fatal(err)
	}
}

// open opens the database, and makes the table where it is not.
func open(ctx context.Context, database string) (*shopdb.Client, error) {
	pool, err := sql.Open("pgx", database)
	if err != nil {
		return nil, err
	}
	db := shopdb.NewClient(shopdb.Driver(entsql.OpenDB(dialect.Postgres, pool)))
	if err := db.Schema.Create(ctx); err != nil {
		_ = db.Close()
		return nil, err
	}
	return db, nil
}

func run(ctx context.Context, out io.Writer, database, kekFile, email string) error {
	db, err := open(ctx, database)
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := openKeys(ctx, database, kekFile)
	if err != nil {
		return err
	}
	defer keys.Close()

	customers := &customers{db: db, keys: keys}
	switch _, err := customers.ByEmail(ctx, email); {
	case err == nil:
		fmt.Fprintln(out, "here already")
	case errors.Is(err, errNotFound):
		if _, err := customers.Insert(ctx, "DE", email, "4111 1111 1111 1111"); err != nil {
			return err
		}
		fmt.Fprintln(out, "new")
	default:
		return err
	}
	page, err := customers.Page(ctx, uuid.Nil, 10)
	if err != nil {
		return err
	}
	for _, c := range page {
		email, err := c.Email.Plaintext()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, c.Country, email)
	}
	return nil
}
