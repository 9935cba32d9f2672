package reencrypt_test

import (
	"context"
	"fmt"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/reencrypt"
)

// A column in clear gets an encrypted one beside it, with an index to search by.
func ExampleRun() {
	fill := func(ctx context.Context, client *crypto.Client) error {
		emails, err := crypto.NormalizerFor(classify.Email)
		if err != nil {
			return err
		}
		report, err := reencrypt.Run(ctx, "service=shop", reencrypt.Config{
			Client: client, Mode: reencrypt.Fill, Table: "public.customer",
			Plaintext: "email", Encrypted: "email_enc", Index: "email_idx",
			IndexConfig: crypto.BlindIndexConfig{Normalize: emails},
			Field:       "customer.email", TenantColumn: "org", SubjectColumn: "id",
			PerSecond: 5000,
		})
		if err != nil {
			return err // after fault and stop alike, the next run goes on
		}
		fmt.Println(report.Written, "rows were encrypted")
		return report.Err()
	}
	_ = fill
}
