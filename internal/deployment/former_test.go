package deployment

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

// A deployment whose key was replaced reads what the former one wrapped, until it is
// rewrapped.
func TestFormerKeys(t *testing.T) {
	dir := t.TempDir()
	load := func(kek, former string) *Config {
		t.Helper()
		c, err := Parse(filepath.Join(dir, "deployment.yaml"), fmt.Appendf(nil,
			"version: 1\nkeys:\n  kek: file:%s\n  former: [%s]\n  keystore: sqlite:keys.db\n", kek, former))
		require.NoError(t, err)
		return c
	}
	open := func(c *Config) *Deployment {
		t.Helper()
		d, err := Open(t.Context(), c, Options{})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, d.Close()) })
		return d
	}
	for _, name := range []string{"old.json", "new.json"} {
		_, err := localkms.Create(filepath.Join(dir, name), nil)
		require.NoError(t, err)
	}
	at := crypto.Context{Tenant: "acme", Field: "f"}
	ct, err := open(load("old.json", "")).Crypto.Encrypt(t.Context(), []byte("x"), at)
	require.NoError(t, err)

	_, err = open(load("new.json", "")).Crypto.Decrypt(t.Context(), ct, at)
	require.ErrorIs(t, err, crypto.ErrKeyring)
	c := load("new.json", "file:old.json, file:never.json, 'awskms:alias/former'")
	require.Equal(t, []string{"file:" + filepath.Join(dir, "old.json"), "file:" + filepath.Join(dir, "never.json"), "awskms:alias/former"}, c.Keys.Former)
	t.Setenv("AWS_REGION", "eu-central-1")
	d := open(c)
	_, err = d.Crypto.Decrypt(t.Context(), ct, at)
	require.NoError(t, err)
	report, err := d.Crypto.Rewrap(t.Context(), crypto.RewrapOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(1), report.RootsMoved)
	_, err = open(load("new.json", "")).Crypto.Decrypt(t.Context(), ct, at)
	require.NoError(t, err)
}

func TestFormerKeysAreChecked(t *testing.T) {
	_, err := Parse("deployment.yaml", []byte("version: 1\nkeys:\n  kek: file:/k\n  former:\n    - file:/old\n    - awskm:alias/x\n  keystore: sqlite:/s\n"))
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.ErrorContains(t, err, "deployment.yaml:6:7: keys.former[1]: ")
	require.ErrorContains(t, err, `did you mean "awskms"`)
}

func TestOtherKeys(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := Default("state")
	require.NoError(t, err)
	for _, uri := range []string{"", "file:", "gcpkms:x", "awskms:key"} {
		_, err := c.OpenKEK(t.Context(), uri)
		require.Equal(t, fault.Config, fault.KindOf(err), "%q", uri)
		_, err = c.CreateKEK(uri)
		require.Equal(t, fault.Config, fault.KindOf(err), "%q", uri)
	}
	gone, err := c.OpenKEK(t.Context(), "file:new.json")
	require.NoError(t, err)
	said, err := gone.(kms.Describer).Describe(t.Context())
	require.NoError(t, err)
	require.Equal(t, kms.Gone, said.State)
	_, err = gone.Unwrap(t.Context(), []byte("x"), nil)
	require.ErrorIs(t, err, kms.ErrDenied)
	_, err = gone.Wrap(t.Context(), []byte("x"), nil)
	require.ErrorIs(t, err, kms.ErrDenied)

	made, err := c.CreateKEK("file:new.json")
	require.NoError(t, err)
	_, err = c.CreateKEK("file:new.json")
	require.Error(t, err)
	wrapped, err := made.Wrap(t.Context(), []byte("x"), kms.RootContext("acme"))
	require.NoError(t, err)
	// A deployment that has a passphrase by now opens keys from before it had one.
	require.NoError(t, os.WriteFile("pass", []byte("correct horse"), 0o600))
	t.Setenv(EnvPassphraseFile, "pass")
	again, err := c.OpenKEK(t.Context(), "file:new.json")
	require.NoError(t, err)
	_, err = again.Unwrap(t.Context(), wrapped, kms.RootContext("acme"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("broken.json", []byte("{"), 0o600))
	_, err = c.OpenKEK(t.Context(), "file:broken.json")
	require.ErrorIs(t, err, localkms.ErrFormat)
}
