// Command pgx keeps customers in PostgreSQL through pgx, with encrypted e-mail addresses
// that can be looked up and encrypted cards.
//
//	go run . -database service=shop -kek kek.json ann@example.com
//
// adds the customer if there is none with this address, and lists the first ones.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
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

func run(ctx context.Context, out io.Writer, database, kekFile, email string) error {
	db, err := pgxpool.New(ctx, database)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(ctx, schema); err != nil {
		return err
	}
	keys, err := openKeys(ctx, database, kekFile)
	if err != nil {
		return err
	}
	defer keys.Close()

	customers := &customers{db: db, keys: keys}
	switch c, err := customers.ByEmail(ctx, email); {
	case err == nil:
		card, err := c.Card.Plaintext()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "customer %d has been here since %s, card expires %s\n", c.ID, c.CreatedAt.Format("2006-01-02"), card.Expires)
	case errors.Is(err, errNotFound):
		id, err := customers.Insert(ctx, "DE", email, Card{Number: "4111 1111 1111 1111", Expires: "12/30"})
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "customer %d is new\n", id)
	default:
		return err
	}
	page, _, err := customers.Page(ctx, 0, 10)
	if err != nil {
		return err
	}
	for _, c := range page {
		email, err := c.Email.Plaintext()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, c.ID, c.Country, email)
	}
	return nil
}
