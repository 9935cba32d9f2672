package crypto

import (
	"context"
	"crypto/ed25519"
)

// SigningKey returns the tenant's Ed25519 key (RFC 8032) of that name, made on
// first use: every process that shares the keystore gets the same. Receipts and
// audit checkpoints are signed with one.
//
// The seed is 32 bytes of the PRF of the tenant's domain keyset "privet/signing",
// for the purpose "ed25519/" and the name. The keyset is not rotated, so signatures
// stay verifiable; publish the public half ([ed25519.PrivateKey.Public]) where
// verifiers find it without asking this keystore.
func (c *Client) SigningKey(ctx context.Context, tenant, name string) (ed25519.PrivateKey, error) {
	if err := checkName("signing key", name); err != nil {
		return nil, err
	}
	seed, err := c.subkey(ctx, tenant, domainSigning, "ed25519/"+name, ed25519.SeedSize, create)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
