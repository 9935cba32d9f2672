package localkms_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

var root = kms.RootContext("acme")

func create(t testing.TB, passphrase string) (*localkms.KEK, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kek.json")
	k, err := localkms.Create(path, []byte(passphrase))
	require.NoError(t, err)
	return k, path
}

func TestWrapUnwrap(t *testing.T) {
	k, path := create(t, "")
	require.Equal(t, "file:"+path, k.URI())
	again, err := localkms.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, k.ID(), again.ID())
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	plaintext, err := again.Unwrap(t.Context(), wrapped, root)
	require.NoError(t, err)
	require.Equal(t, "a keyset", string(plaintext))
	second, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	require.NotEqual(t, wrapped, second)
}

func TestUnwrapRefuses(t *testing.T) {
	k, _ := create(t, "")
	other, _ := create(t, "")
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	refused := func(k *localkms.KEK, wrapped []byte, ec map[string]string, what string) {
		t.Helper()
		_, err := k.Unwrap(t.Context(), wrapped, ec)
		require.ErrorIs(t, err, kms.ErrInvalid, what)
		require.NotErrorIs(t, err, kms.ErrDenied)
		require.NotContains(t, err.Error(), "a keyset")
	}
	for i := range wrapped {
		refused(k, wrapped[:i], root, fmt.Sprintf("cut to %d bytes", i))
		for bit := range 8 {
			changed := bytes.Clone(wrapped)
			changed[i] ^= 1 << bit
			refused(k, changed, root, fmt.Sprintf("bit %d of byte %d", bit, i))
		}
	}
	refused(k, append(bytes.Clone(wrapped), 0), root, "a byte more")
	refused(k, wrapped, kms.RootContext("other"), "another tenant")
	refused(k, wrapped, map[string]string{"purpose": "roots", "tenant": "acme", "more": ""}, "a longer context")
	refused(k, wrapped, nil, "no context")
	refused(other, wrapped, root, "another key")
}

// Contexts that print alike are told apart.
func TestContextIsCanonical(t *testing.T) {
	a := kms.AppendContext(nil, map[string]string{"a": "b", "c": "d"})
	require.Equal(t, a, kms.AppendContext(nil, map[string]string{"c": "d", "a": "b"}))
	require.Equal(t, kms.AppendContext(nil, nil), kms.AppendContext(nil, map[string]string{}))
	for _, other := range []map[string]string{{"a": "bc", "": "d"}, {"ab": "", "c": "d"}, {"a": "b"}, {"a": "bcd"}, {"a": "b", "c": "d", "": ""}} {
		require.NotEqual(t, a, kms.AppendContext(nil, other), "%v", other)
	}
}

func TestKeysKeepToTheirPurpose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek.json")
	k, err := localkms.CreateFor(kms.Envelopes, path, nil)
	require.NoError(t, err)
	require.Equal(t, kms.Envelopes, k.Purpose())
	_, err = k.Wrap(t.Context(), []byte("x"), root)
	require.ErrorIs(t, err, kms.ErrInvalid)
	_, err = k.Wrap(t.Context(), []byte("x"), nil)
	require.NoError(t, err)
	k, err = localkms.Open(path, nil)
	require.NoError(t, err)
	require.Equal(t, kms.Envelopes, k.Purpose())
	_, err = localkms.CreateFor("everything", path+"2", nil)
	require.Error(t, err)

	roots, _ := create(t, "")
	require.Equal(t, kms.Roots, roots.Purpose())
	_, err = roots.Wrap(t.Context(), []byte("x"), nil)
	require.ErrorIs(t, err, kms.ErrInvalid)
	for _, n := range []int{0, kms.MaxPlaintext + 1} {
		_, err = roots.Wrap(t.Context(), make([]byte, n), root)
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
}

func TestCreateNeverOverwrites(t *testing.T) {
	k, path := create(t, "")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = localkms.Create(path, nil)
	require.ErrorIs(t, err, localkms.ErrExists)
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, fault.Config, fault.KindOf(err))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left behind")
	require.NotEmpty(t, k.ID())

	// A dangling link is in the way too.
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "nowhere"), link))
	_, err = localkms.Create(link, nil)
	require.ErrorIs(t, err, localkms.ErrExists)
}

func TestCreateRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek.json")
	var ids sync.Map
	var wins atomic.Int64
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			k, err := localkms.Create(path, nil)
			if err == nil {
				wins.Add(1)
			} else if k, err = localkms.Open(path, nil); err != nil {
				t.Errorf("the file is there and cannot be opened: %v", err)
				return
			}
			ids.Store(k.ID(), true)
		})
	}
	group.Wait()
	require.EqualValues(t, 1, wins.Load())
	n := 0
	ids.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n)
}

func TestOpenRefusesLoosePermissions(t *testing.T) {
	_, path := create(t, "")
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o666} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := localkms.Open(path, nil)
		require.ErrorIs(t, err, localkms.ErrLoose, "%o", mode)
		require.Contains(t, fault.HintOf(err), "chmod 600")
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := localkms.Open(path, nil)
		require.NoError(t, err, "%o", mode)
	}
	_, err := localkms.Open(filepath.Dir(path), nil)
	require.Error(t, err)
	_, err = localkms.Open(path+"x", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestPassphrase(t *testing.T) {
	if fips140.Enforced() {
		_, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), []byte("correct horse"))
		require.ErrorIs(t, err, localkms.ErrFIPS)
		return
	}
	k, path := create(t, "correct horse")
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	again, err := localkms.Open(path, []byte("correct horse"))
	require.NoError(t, err)
	_, err = again.Unwrap(t.Context(), wrapped, root)
	require.NoError(t, err)
	for _, p := range []string{"", "Correct horse", "correct horse "} {
		_, err := localkms.Open(path, []byte(p))
		require.ErrorIs(t, err, localkms.ErrPassphrase, "%q", p)
	}
	_, open := create(t, "")
	_, err = localkms.Open(open, []byte("correct horse"))
	require.ErrorIs(t, err, localkms.ErrPassphrase)
}

// edit changes the members of a key file.
func edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var m map[string]any
	require.NoError(t, json.Unmarshal(data, &m))
	change(m)
	data, err = json.Marshal(m)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data, 0o600))
}

func TestMalformedFiles(t *testing.T) {
	for name, change := range map[string]func(map[string]any){
		"format":         func(m map[string]any) { m["format"] = "x" },
		"version":        func(m map[string]any) { m["version"] = 2 },
		"id":             func(m map[string]any) { m["id"] = "zz" },
		"short id":       func(m map[string]any) { m["id"] = "0011" },
		"purpose":        func(m map[string]any) { m["purpose"] = "all" },
		"no key":         func(m map[string]any) { delete(m, "key") },
		"short key":      func(m map[string]any) { m["key"] = "AAAA" },
		"key no base64":  func(m map[string]any) { m["key"] = "!" },
		"unknown member": func(m map[string]any) { m["kay"] = 1 },
		"both":           func(m map[string]any) { m["locked"] = map[string]any{} },
	} {
		t.Run(name, func(t *testing.T) {
			_, path := create(t, "")
			secret := strings.Split(read(t, path), `"key": "`)[1][:20]
			edit(t, path, change)
			_, err := localkms.Open(path, nil)
			require.ErrorIs(t, err, localkms.ErrFormat)
			require.NotContains(t, err.Error(), secret)
		})
	}
	_, path := create(t, "")
	require.NoError(t, os.WriteFile(path, []byte(read(t, path)+"{}"), 0o600))
	_, err := localkms.Open(path, nil)
	require.ErrorIs(t, err, localkms.ErrFormat)
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	_, err = localkms.Open(path, nil)
	require.ErrorIs(t, err, localkms.ErrFormat)
}

func read(t *testing.T, path string) string {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// Nobody can give a lock weaker parameters, or parameters that this machine cannot
// bear.
func TestLockIsBound(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("a passphrase cannot be used under GODEBUG=fips140=only")
	}
	locked := func(m map[string]any) map[string]any { return m["locked"].(map[string]any) }
	for name, tc := range map[string]struct {
		change func(map[string]any)
		want   error
	}{
		"another id":      {func(m map[string]any) { m["id"] = "0011223344556677" }, localkms.ErrPassphrase},
		"another purpose": {func(m map[string]any) { m["purpose"] = "envelopes" }, localkms.ErrPassphrase},
		"less time":       {func(m map[string]any) { locked(m)["time"] = 1 }, localkms.ErrPassphrase},
		"less memory":     {func(m map[string]any) { locked(m)["memory_kib"] = 1024 }, localkms.ErrPassphrase},
		"much memory":     {func(m map[string]any) { locked(m)["memory_kib"] = 1 << 30 }, localkms.ErrFormat},
		"much time":       {func(m map[string]any) { locked(m)["time"] = 1 << 20 }, localkms.ErrFormat},
		"no threads":      {func(m map[string]any) { locked(m)["threads"] = 0 }, localkms.ErrFormat},
		"another kdf":     {func(m map[string]any) { locked(m)["kdf"] = "md5" }, localkms.ErrFormat},
		"short salt":      {func(m map[string]any) { locked(m)["salt"] = "AAAA" }, localkms.ErrFormat},
		"short key":       {func(m map[string]any) { locked(m)["sealed"] = "AAAA" }, localkms.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			_, path := create(t, "correct horse")
			edit(t, path, tc.change)
			_, err := localkms.Open(path, []byte("correct horse"))
			require.ErrorIs(t, err, tc.want)
		})
	}
}

// No way of printing a KEK shows its key.
func TestPrintsNoSecrets(t *testing.T) {
	k, path := create(t, "")
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "file:"+path, fmt.Sprintf(format, k))
	}
}

func FuzzOpen(f *testing.F) {
	_, path := create(f, "")
	data, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(data)
	f.Add([]byte(`{"format":"privet local key","version":1,"id":"0011223344556677","purpose":"roots","locked":{"kdf":"argon2id","time":1,"memory_kib":8,"threads":1,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","sealed":""}}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, fmt.Sprint(os.Getpid()))
		require.NoError(t, os.WriteFile(path, data, 0o600))
		k, err := localkms.Open(path, nil)
		if err != nil {
			require.Equal(t, fault.Config, fault.KindOf(err))
			return
		}
		wrapped, err := k.Wrap(t.Context(), []byte("x"), map[string]string{"purpose": string(k.Purpose()), "tenant": "acme"})
		if err == nil {
			_, err = k.Unwrap(t.Context(), wrapped, map[string]string{"purpose": string(k.Purpose()), "tenant": "acme"})
		}
		require.NoError(t, err)
	})
}
