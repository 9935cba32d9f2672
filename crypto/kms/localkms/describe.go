package localkms

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/privet-dev/privet/crypto/kms"
)

var _ kms.Describer = (*KEK)(nil)

// Describe looks whether the key's file is still there. Copies of it, which nobody
// can know of, open what it wrapped as well.
func (k *KEK) Describe(ctx context.Context) (kms.Description, error) {
	d := kms.Description{ID: k.ID(), State: kms.Enabled}
	_, err := os.Lstat(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		d.State, err = kms.Gone, nil
	}
	return d, err
}
