package crypto

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
)

// subjectHash returns the name under which keystore, ledger and logs know a
// subject: HMAC-SHA-256 of its id under a key of the tenant, 32 bytes.
//
// The key is 32 bytes of the PRF of the tenant's domain keyset "privet/subjects",
// for the purpose "subject id". It is wrapped by the root and rewrapped like every
// keyring, and it is never rotated: all subject keyrings would lose their names.
func (c *Client) subjectHash(ctx context.Context, tenant, subject string, in intent) (string, error) {
	key, err := c.subkey(ctx, tenant, domainSubjects, "subject id", sha256.Size, in)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(subject))
	return string(mac.Sum(nil)), nil
}
