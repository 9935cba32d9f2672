// Command gorm keeps customers in PostgreSQL through GORM, with encrypted e-mail
// addresses that can be looked up and encrypted cards.
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

	"github.com/google/uuid"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
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

// open opens the database. Without ParameterizedQueries, GORM's log shows values:
// ciphertexts of encrypted columns, everything of the others.
func open(database string) (*gorm.DB, error) {
	return gorm.Open(postgres.Open(database), &gorm.Config{
		TranslateError: true,
		Logger: logger.New(log.Default(), logger.Config{
			LogLevel: logger.Warn, ParameterizedQueries: true, IgnoreRecordNotFoundError: true,
		}),
	})
}

func run(ctx context.Context, out io.Writer, database, kekFile, email string) error {
	db, err := open(database)
	if err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := db.WithContext(ctx).AutoMigrate(&Customer{}); err != nil {
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
		fmt.Fprintf(out, "here already, card expires %s\n", card.Expires)
	case errors.Is(err, errNotFound):
		_, err := customers.Insert(ctx, "DE", email, Card{Number: "4111 1111 1111 1111", Expires: "12/30"})
		if err != nil {
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
