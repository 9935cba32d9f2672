package deployment

import (
	"context"
	"crypto/ed25519"
)

// operator is the tenant that keys of the deployment itself belong to. It is
// nobody's data: a tenant of an application has another name.
const operator = "privet"

// ReceiptKey returns the key that receipts of this deployment are signed with,
// made on first use. Its public half is what auditors get.
func (d *Deployment) ReceiptKey(ctx context.Context) (ed25519.PrivateKey, error) {
	return d.Crypto.SigningKey(ctx, operator, "receipts")
}
