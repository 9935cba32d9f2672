package crypto_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

// open returns a client on a local key file and a SQLite keystore, and what closes
// both. In production, awskms and pgstore stand in their places.
func open(ctx context.Context) (*crypto.Client, func()) {
	dir, err := os.MkdirTemp("", "privet-example")
	if err != nil {
		log.Fatal(err)
	}
	kek, err := localkms.Create(filepath.Join(dir, "kek.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	store, err := sqlitestore.Open(ctx, filepath.Join(dir, "keys.db"))
	if err != nil {
		log.Fatal(err)
	}
	client, err := crypto.New(ctx, crypto.Config{KEK: kek, Keystore: store})
	if err != nil {
		log.Fatal(err)
	}
	return client, func() {
		client.Close()
		store.Close()
		os.RemoveAll(dir)
	}
}

// Values of one customer are encrypted under keys of that customer, each bound to its
// field.
func Example() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "customer.email"}
	ciphertext, err := client.Encrypt(ctx, []byte("jo@example.com"), at)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := client.Decrypt(ctx, ciphertext, at)
	fmt.Printf("%s %v\n", plaintext, err)

	at.Field = "customer.phone"
	_, err = client.Decrypt(ctx, ciphertext, at)
	fmt.Println(errors.Is(err, crypto.ErrDecrypt))
	// Output:
	// jo@example.com <nil>
	// true
}

// With a buffer that is used again, a warm client does not allocate.
func ExampleClient_AppendEncrypt() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	at := crypto.Context{Tenant: "acme", Field: "order.note"}
	buffer := make([]byte, 0, 1024)
	for _, note := range []string{"ring twice", "leave at the door"} {
		ciphertext, err := client.AppendEncrypt(ctx, buffer[:0], []byte(note), at)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(ciphertext) - len(note))
	}
	// Output:
	// 45
	// 45
}

// Text columns and JSON hold the text form.
func ExampleEncodeText() {
	text := crypto.EncodeText([]byte{0x01, 0xfb, 0xff})
	fmt.Println(text)
	ciphertext, err := crypto.DecodeText(text)
	fmt.Printf("%x %v\n", ciphertext, err)
	// Output:
	// pvt1.Afv_
	// 01fbff <nil>
}

// Subkeys are the same in every process that shares the keystore.
func ExampleClient_Subkey() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	a, _ := client.Subkey(ctx, "acme", "emails", "mask", 32)
	b, _ := client.Subkey(ctx, "acme", "emails", "mask", 32)
	c, _ := client.Subkey(ctx, "acme", "emails", "token", 32)
	fmt.Println(len(a), string(a) == string(b), string(a) == string(c))
	// Output: 32 true false
}

// Plain Tink opens a ciphertext with the keyring that was taken out.
func ExampleClient_InsecureExportKeyring() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	if _, err := client.Encrypt(ctx, []byte("x"), crypto.Context{Tenant: "acme", Field: "f"}); err != nil {
		log.Fatal(err)
	}
	handle, err := client.InsecureExportKeyring(ctx, "acme", "")
	if err != nil {
		log.Fatal(err)
	}
	info := handle.KeysetInfo().KeyInfo[0]
	fmt.Println(info.TypeUrl, info.OutputPrefixType)
	// Then: primitive, err := aead.New(handle); primitive.Decrypt(ciphertext, associatedData)
	// Output: type.googleapis.com/google.crypto.tink.XAesGcmKey TINK
}
