package deployment

import (
	"context"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/internal/fault"
)

// openAWS opens a key of AWS KMS. Region and credentials are those of the
// environment, as every AWS tool finds them.
func (c *Config) openAWS(ctx context.Context, fail failing, keyID string) (kms.KEK, error) {
	kek, err := awskms.Open(ctx, awskms.Config{KeyID: keyID})
	if err != nil {
		e := fail("%v", err)
		e.Hint = fault.HintOf(err)
		return nil, e
	}
	return kek, nil
}
