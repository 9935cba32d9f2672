package envelope_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

// A service that has a key service and no keystore.
func Example() {
	dir, err := os.MkdirTemp("", "privet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// In production: awskms.Open, with Purpose: kms.Envelopes.
	kek, err := localkms.CreateFor(kms.Envelopes, filepath.Join(dir, "kek.json"), nil)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	client, err := envelope.New(ctx, envelope.Config{KEKs: []kms.KEK{kek}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	at := crypto.Context{Tenant: "acme", Field: "webhook.secret"}
	ciphertext, err := client.Encrypt(ctx, []byte("whsec_…"), at)
	if err != nil {
		log.Fatal(err)
	}
	plaintext, err := client.Decrypt(ctx, ciphertext, at)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(plaintext))

	_, err = client.Decrypt(ctx, ciphertext, crypto.Context{Tenant: "umbrella", Field: "webhook.secret"})
	fmt.Println(err)
	// Output:
	// whsec_…
	// crypto: the ciphertext cannot be opened
}
