package deployment

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

func embedded(t *testing.T) *Config {
	t.Setenv(EnvPassphraseFile, "")
	c, err := Default(filepath.Join(t.TempDir(), "state"))
	require.NoError(t, err)
	return c
}

func TestEmbedded(t *testing.T) {
	ctx := t.Context()
	c := embedded(t)
	d, err := Open(ctx, c, Options{})
	require.NoError(t, err)
	info, err := os.Stat(c.StateDir())
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.NoError(t, d.Ready(ctx))

	at := crypto.Context{Tenant: "acme", Subject: "42", Field: "customer.email"}
	ct, err := d.Crypto.Encrypt(ctx, []byte("jane@example.com"), at)
	require.NoError(t, err)
	require.NoError(t, d.Close())

	d, err = Open(ctx, c, Options{})
	require.NoError(t, err)
	defer d.Close()
	plain, err := d.Crypto.Decrypt(ctx, ct, at)
	require.NoError(t, err, "what was encrypted before a restart opens after it")
	require.Equal(t, "jane@example.com", string(plain))

	dev := access.Principal{Roles: c.Callers["dev"].Roles}
	for _, op := range access.Operations() {
		require.True(t, d.Access.Authorize(dev, access.Operation(op), access.Scope{Tenant: "any"}).Allowed, op)
	}
}

// Several processes may meet an empty state folder at once: one key comes out.
func TestEmbeddedFirstUseAtOnce(t *testing.T) {
	c := embedded(t)
	at := crypto.Context{Tenant: "acme", Field: "f"}
	ds, cts := make([]*Deployment, 4), make([][]byte, 4)
	var wg sync.WaitGroup
	errs := make([]error, len(ds))
	for i := range ds {
		wg.Go(func() {
			if ds[i], errs[i] = Open(context.Background(), c, Options{}); errs[i] == nil {
				cts[i], errs[i] = ds[i].Crypto.Encrypt(context.Background(), []byte("x"), at)
			}
		})
	}
	wg.Wait()
	for i, d := range ds {
		require.NoError(t, errs[i])
		defer d.Close()
		for _, ct := range cts {
			_, err := d.Crypto.Decrypt(t.Context(), ct, at)
			require.NoError(t, err)
		}
	}
}

func TestEmbeddedRefusals(t *testing.T) {
	t.Run("others can read the state folder", func(t *testing.T) {
		c := embedded(t)
		require.NoError(t, os.Mkdir(c.StateDir(), 0o755))
		_, err := Open(t.Context(), c, Options{})
		require.ErrorContains(t, err, "others can read")
		require.Contains(t, fault.HintOf(err), "chmod 700")
	})
	t.Run("a file in its place", func(t *testing.T) {
		c := embedded(t)
		require.NoError(t, os.WriteFile(c.StateDir(), nil, 0o600))
		_, err := Open(t.Context(), c, Options{})
		require.ErrorContains(t, err, "is not a folder")
	})
	t.Run("the key is gone and the keystore is there", func(t *testing.T) {
		c := embedded(t)
		d, err := Open(t.Context(), c, Options{})
		require.NoError(t, err)
		_, err = d.Crypto.Encrypt(t.Context(), nil, crypto.Context{Tenant: "acme", Field: "f"})
		require.NoError(t, err)
		require.NoError(t, d.Close())
		require.NoError(t, os.Remove(filepath.Join(c.StateDir(), keyFile)))
		_, err = Open(t.Context(), c, Options{})
		require.ErrorContains(t, err, "is gone, and the keystore")
		require.NoFileExists(t, filepath.Join(c.StateDir(), keyFile))
	})
}

func TestStoresOfLaterVersionsAreRefused(t *testing.T) {
	for name, line := range map[string]string{"audit": "audit: service=a", "vault": "vault: service=v"} {
		c, err := Parse("d.yaml", []byte("version: 1\nkeys: {kek: \"file:/k\", keystore: \"sqlite:/s\"}\n"+line+"\n"))
		require.NoError(t, err)
		_, err = Open(t.Context(), c, Options{})
		require.ErrorContains(t, err, "d.yaml:3:1: "+name+": this version of privet has no")
		require.Equal(t, fault.Config, fault.KindOf(err))
	}
}

// named writes a deployment file whose paths are below a fresh folder.
func named(t *testing.T, keys, rest string) *Config {
	t.Setenv(EnvPassphraseFile, "")
	path := filepath.Join(t.TempDir(), "deployment.yaml")
	require.NoError(t, os.WriteFile(path, []byte("version: 1\nkeys: {"+keys+"}\n"+rest), 0o600))
	c, err := Load(path)
	require.NoError(t, err)
	return c
}

func TestAKeyFileThatIsNamedIsNeverMade(t *testing.T) {
	c := named(t, `kek: "file:key.json", keystore: "sqlite:keys.db"`, "")
	_, err := Open(t.Context(), c, Options{})
	require.ErrorContains(t, err, "deployment.yaml:2:8: keys.kek: the key file")
	require.ErrorContains(t, err, "does not exist")
	require.NoFileExists(t, filepath.Join(filepath.Dir(c.File()), "key.json"))
}

func TestPassphrase(t *testing.T) {
	c := named(t, `kek: "file:key.json", keystore: "sqlite:keys.db", passphrase_file: pass`, "")
	dir := filepath.Dir(c.File())
	_, err := Open(t.Context(), c, Options{})
	require.ErrorContains(t, err, "passphrase file:")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "pass"), []byte("canary horse\r\n"), 0o600))
	got, err := c.passphrase()
	require.NoError(t, err)
	require.Equal(t, "canary horse", string(got))

	t.Setenv(EnvPassphraseFile, filepath.Join(dir, "other"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte("battery staple"), 0o600))
	got, err = c.passphrase()
	require.NoError(t, err)
	require.Equal(t, "battery staple", string(got))

	for name, text := range map[string]string{"is empty": "\n", "is longer than": string(make([]byte, maxPassphrase+1))} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte(text), 0o600))
		_, err = c.passphrase()
		require.ErrorContains(t, err, name)
	}
}

func TestTargets(t *testing.T) {
	c := embedded(t)
	c.Targets = map[string]Target{"staging": {Name: "shop_staging", Mark: "m"}}
	d, err := Open(t.Context(), c, Options{})
	require.NoError(t, err)
	defer d.Close()
	require.Equal(t, map[string]guard.Target{"staging": {Name: "shop_staging", Mark: "m"}}, d.Targets)
}

func TestConnectionsNeedVerifiedTLS(t *testing.T) {
	for conn, ok := range map[string]bool{
		"host=/var/run/postgresql dbname=privet":                       true,
		"postgresql://localhost/privet?sslmode=disable":                true,
		"host=127.0.0.1 sslmode=disable":                               true,
		"postgresql://[::1]/privet":                                    true,
		"postgresql://db.example.org/privet?sslmode=verify-full":       true,
		"postgresql://db.example.org/privet":                           false, // prefer falls back
		"postgresql://db.example.org/privet?sslmode=require":           false,
		"postgresql://db.example.org/privet?sslmode=disable":           false,
		"postgresql://localhost,db.example.org/privet?sslmode=disable": false,
	} {
		c := &Config{file: "d.yaml", places: positions{}}
		err := c.checkConnection(connection{"keys.keystore", conn})
		require.Equal(t, ok, err == nil, "%s: %v", conn, err)
		c.Insecure = "a lab"
		require.NoError(t, c.checkConnection(connection{"keys.keystore", conn}))
	}
}
