package crypto_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

// Keys rotate without touching what they encrypted; Stale tells what to encrypt again.
func ExampleClient_Rotate() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()
	at := crypto.Context{Tenant: "acme", Field: "customer.email"}
	before, err := client.Encrypt(ctx, []byte("jane@example.com"), at)
	if err != nil {
		log.Fatal(err)
	}
	info, err := client.Rotate(ctx, crypto.Scope{Tenant: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	stale, err := client.Stale(ctx, before, at)
	if err != nil {
		log.Fatal(err)
	}
	email, err := client.Decrypt(ctx, before, at)
	fmt.Println(len(info.Keys), "keys,", "stale:", stale)
	fmt.Println(string(email), err)
	// Output:
	// 2 keys, stale: true
	// jane@example.com <nil>
}

// A new key-encryption key takes over: clients know both until all roots are moved.
func ExampleClient_Rewrap() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "privet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	var keks []kms.KEK
	for _, name := range []string{"2026.json", "2027.json"} {
		kek, err := localkms.Create(filepath.Join(dir, name), nil)
		if err != nil {
			log.Fatal(err)
		}
		keks = append(keks, kek)
	}
	store := memstore.New()
	open := func(cfg crypto.Config) *crypto.Client {
		cfg.Keystore = store
		client, err := crypto.New(ctx, cfg)
		if err != nil {
			log.Fatal(err)
		}
		return client
	}
	at := crypto.Context{Tenant: "acme", Field: "customer.email"}
	first := open(crypto.Config{KEK: keks[0]})
	defer first.Close()
	ciphertext, err := first.Encrypt(ctx, []byte("jane@example.com"), at)
	if err != nil {
		log.Fatal(err)
	}

	both := open(crypto.Config{KEK: keks[1], FormerKEKs: keks[:1]})
	defer both.Close()
	report, err := both.Rewrap(ctx, crypto.RewrapOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.RootsMoved, "root moved")

	last := open(crypto.Config{KEK: keks[1]})
	defer last.Close()
	email, err := last.Decrypt(ctx, ciphertext, at)
	fmt.Println(string(email), err)
	// Output:
	// 1 root moved
	// jane@example.com <nil>
}
