package crypto_test

import (
	"context"
	"fmt"
	"log"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
)

// Tags say what is encrypted, and whose it is.
func ExampleClient_Seal() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	type customer struct {
		ID    int64             `classify:"internal,subject"`
		Email string            `classify:"confidential,type=email,encrypt=customer.email"`
		Notes map[string]string `classify:"confidential,type=free_text,encrypt=customer.notes"`
		Lang  string            `classify:"public"`
	}
	c := customer{ID: 4711, Email: "jo@example.com", Notes: map[string]string{"door": "ring twice"}, Lang: "de"}
	acme := crypto.Context{Tenant: "acme"}

	if err := client.Seal(ctx, &c, acme); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Email[:5], c.Notes["door"][:5], c.Lang)
	fmt.Println(client.Seal(ctx, &customer{ID: 4711, Email: c.Email}, acme))

	if err := client.Open(ctx, &c, acme); err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Email, c.Notes["door"])
	// Output:
	// pvt1. pvt1. de
	// Email: crypto: already sealed
	// jo@example.com ring twice
}

// Addresses that mean the same have one index value, which is stored beside the
// ciphertext. It tells nothing without the key, except that two rows are equal.
func ExampleClient_BlindIndex() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	normalize, err := crypto.NormalizerFor(classify.Email)
	if err != nil {
		log.Fatal(err)
	}
	index, err := client.BlindIndex(ctx, crypto.BlindIndexConfig{
		Tenant: "acme", Field: "customer.email", Normalize: normalize,
	})
	if err != nil {
		log.Fatal(err)
	}
	stored, err := index.Append(ctx, nil, []byte("Jo@Example.com"))
	if err != nil {
		log.Fatal(err)
	}
	// SELECT … WHERE email_index = ANY($1)
	wanted, err := index.Values(ctx, []byte(" jo@example.com "))
	fmt.Println(len(stored), len(wanted), string(wanted[0]) == string(stored), err)
	// Output: 16 1 true <nil>
}

// Equal values have equal ciphertexts, which can be looked up and turned back. (Not run:
// AES-SIV refuses to where FIPS 140 is enforced, as these tests are too.)
func ExampleClient_Deterministic() {
	ctx := context.Background()
	client, done := open(ctx)
	defer done()

	refs, err := client.Deterministic(ctx, crypto.DeterministicConfig{Tenant: "acme", Field: "order.ref"})
	if err != nil {
		log.Fatal(err)
	}
	a, _ := refs.Encrypt(ctx, []byte("A-4711"))
	b, _ := refs.Encrypt(ctx, []byte("A-4711"))
	back, err := refs.Decrypt(ctx, a)
	fmt.Printf("%t %s %v\n", string(a) == string(b), back, err) // true A-4711 <nil>
}
