package deployment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

// EnvPassphraseFile names the environment variable with the path of the file
// that holds the passphrase of a local key file.
const EnvPassphraseFile = "PRIVET_PASSPHRASE_FILE"

// maxPassphrase is the most bytes a passphrase may have.
const maxPassphrase = 4096

// openKEK opens the key-encryption key that keys.kek names.
func (c *Config) openKEK(ctx context.Context) (kms.KEK, error) {
	scheme, rest, _ := strings.Cut(c.Keys.KEK, ":")
	if scheme == "awskms" {
		return c.openAWS(ctx, c.failing("keys.kek"), rest)
	}
	passphrase, err := c.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	kek, err := localkms.Open(rest, passphrase)
	if errors.Is(err, fs.ErrNotExist) && c.state != "" {
		kek, err = c.createKey(rest, passphrase)
	}
	switch {
	case err == nil:
		return kek, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, c.fail("keys.kek", "the key file %s does not exist", rest).
			WithHint("restore it from its backup; a key file that a deployment names is never made by itself, because nothing old could be opened with a new one")
	}
	e := c.fail("keys.kek", "%v", err)
	e.Hint = fault.HintOf(err)
	if errors.Is(err, localkms.ErrPassphrase) {
		e.Hint = "set keys.passphrase_file or " + EnvPassphraseFile + " to the file that holds the passphrase"
	}
	return nil, e
}

// createKey makes the key of an embedded deployment on first use. Where a
// keystore is there already, the key was lost, and a new one would open nothing.
func (c *Config) createKey(path string, passphrase []byte) (*localkms.KEK, error) {
	if store, ok := strings.CutPrefix(c.Keys.Keystore, "sqlite:"); ok {
		if _, err := os.Lstat(store); !errors.Is(err, fs.ErrNotExist) {
			return nil, fault.New(fault.Config, "the key file %s is gone, and the keystore %s is there", path, store).
				WithHint("restore the key file from its backup; without it, remove the keystore as well to begin anew, and lose what was encrypted")
		}
	}
	kek, err := localkms.Create(path, passphrase)
	if errors.Is(err, localkms.ErrExists) {
		// Another process was first.
		return localkms.Open(path, passphrase)
	}
	return kek, err
}

// passphrase reads the passphrase of the local key file; nil where none is set.
// The file's last line break does not count.
func (c *Config) passphrase() ([]byte, error) {
	path, at := os.Getenv(EnvPassphraseFile), EnvPassphraseFile
	if path == "" {
		path, at = c.Keys.PassphraseFile, c.At("keys.passphrase_file")
	}
	if path == "" {
		return nil, nil
	}
	fail := func(err error) error { return fault.New(fault.Config, "%s: passphrase file: %v", at, err) }
	f, err := os.Open(path)
	if err != nil {
		return nil, fail(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPassphrase+1))
	if err != nil {
		return nil, fail(err)
	}
	if len(data) > maxPassphrase {
		return nil, fail(fmt.Errorf("%s is longer than %d bytes", path, maxPassphrase))
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(data, []byte("\n")), []byte("\r"))
	if len(line) == 0 {
		return nil, fail(fmt.Errorf("%s is empty", path))
	}
	return line, nil
}
