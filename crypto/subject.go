package crypto

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"

	"github.com/privet-dev/privet/crypto/keystore"
)

// subjectHash returns the name under which keystore, ledger and logs know a
// subject: HMAC-SHA-256 of its id under a key of the tenant, 32 bytes.
//
// The key is 32 bytes of the PRF of the tenant's domain keyset "privet/subjects",
// for the purpose "subject id". It is wrapped by the root and rewrapped like every
// keyring, and it is never rotated: all subject keyrings would lose their names.
func (c *Client) subjectHash(ctx context.Context, tenant, subject string, in intent) (string, error) {
	d, err := c.domain(ctx, tenant, domainSubjects, in)
	if err != nil {
		return "", err
	}
	return d.subjectHash(tenant, subject)
}

// subjectHash is that of the client, where d is the tenant's domain.
func (d *domain) subjectHash(tenant, subject string) (string, error) {
	key, err := d.compute(subkeyInput(tenant, domainSubjects, "subject id"), sha256.Size)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(subject))
	return string(mac.Sum(nil)), nil
}

// subjectsID names the keyset that gives a tenant's subjects their names.
func subjectsID(tenant string) keystore.ID {
	return keystore.ID{Tenant: tenant, Purpose: purposeDomain + domainSubjects}
}
