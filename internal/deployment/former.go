package deployment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

// openFormer opens the keys of keys.former.
func (c *Config) openFormer(ctx context.Context) ([]kms.KEK, error) {
	var keks []kms.KEK
	for i, uri := range c.Keys.Former {
		kek, err := c.openOther(ctx, c.failing("keys.former["+strconv.Itoa(i)+"]"), uri)
		if err != nil {
			return nil, err
		}
		keks = append(keks, kek)
	}
	return keks, nil
}

// OpenKEK opens a key-encryption key besides that of the file, such as the one that
// roots are to move to. The URI is written as keys.kek is; a relative path is taken
// from the working folder. A local key file that is not there stands for a key that
// was destroyed ([kms.GoneKEK]).
func (c *Config) OpenKEK(ctx context.Context, uri string) (kms.KEK, error) {
	if err := otherKEK(&uri); err != nil {
		return nil, err
	}
	return c.openOther(ctx, failingAs(uri), uri)
}

// CreateKEK makes a new local key file, "file:/path", locked by the deployment's
// passphrase where it has one. A file that is there is never overwritten.
func (c *Config) CreateKEK(uri string) (kms.KEK, error) {
	if err := otherKEK(&uri); err != nil {
		return nil, err
	}
	path, ok := strings.CutPrefix(uri, "file:")
	if !ok {
		return nil, fault.New(fault.Config, "%s is not a key file; only key files are made here", uri).
			WithHint("make the key in the key service")
	}
	passphrase, err := c.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	return localkms.Create(path, passphrase)
}

// otherKEK checks a URI that does not stand in the file.
func otherKEK(uri *string) (err error) {
	cerr := checkKEK(failingAs(*uri), uri, func(path string) string {
		var abs string
		abs, err = filepath.Abs(path)
		return abs
	})
	return errors.Join(cerr, err)
}

// failingAs tells of a key that the file does not name.
func failingAs(uri string) failing {
	return func(format string, args ...any) *fault.Error {
		e := fault.New(fault.Config, format, args...)
		e.Msg = fmt.Sprintf("key %q: %s", uri, e.Msg)
		return e
	}
}

// openOther opens a key that is not the deployment's own.
func (c *Config) openOther(ctx context.Context, fail failing, uri string) (kms.KEK, error) {
	scheme, rest, _ := strings.Cut(uri, ":")
	if scheme == "awskms" {
		return c.openAWS(ctx, fail, rest)
	}
	passphrase, err := c.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	kek, err := localkms.Open(rest, passphrase)
	if errors.Is(err, localkms.ErrPassphrase) && len(passphrase) > 0 {
		// The passphrase is the deployment's; this key may be from before it had one.
		if open, err := localkms.Open(rest, nil); err == nil {
			return open, nil
		}
	}
	switch {
	case err == nil:
		return kek, nil
	case errors.Is(err, fs.ErrNotExist):
		return kms.GoneKEK(uri), nil
	}
	e := fail("%v", err)
	e.Hint = fault.HintOf(err)
	return nil, e
}
