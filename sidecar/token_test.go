package sidecar

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/sidecar/api"
	"github.com/privet-dev/privet/sidecar/client"
)

func TestTokenFilesThatAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	long := strings.Repeat("a", minToken)
	for text, want := range map[string]string{
		"":      "holds no token",
		"\n\n":  "holds no token",
		"short": "a token is",
		long + "\n" + long + "b\n" + long + "c\n": "more than 2 tokens",
		long + " " + long:                         "without spaces",
		long + "\x00":                             "without spaces",
		strings.Repeat("a", maxToken+1):           "a token is",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := openTokens(path)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "aaaa")
	}
	require.NoError(t, os.WriteFile(path, []byte(long), 0o600))
	for _, mode := range []os.FileMode{0o644, 0o604, 0o620, 0o666} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := openTokens(path)
		require.ErrorContains(t, err, "has mode")
	}
	for _, mode := range []os.FileMode{0o600, 0o400, 0o440, 0o640} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := openTokens(path)
		require.NoError(t, err, mode)
	}
	_, err := openTokens(filepath.Dir(path))
	require.ErrorContains(t, err, "not a regular file")
}

func TestTokensAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "token")
	first, second := strings.Repeat("1", minToken), strings.Repeat("2", minToken)
	put := func(text string) { // as a rotation by rename does
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	put(first)
	f, err := openTokens(path)
	require.NoError(t, err)
	valid := func() (all []string) {
		for _, s := range []string{first, second} {
			if ok, _ := f.holds(sha256.Sum256([]byte(s))); ok {
				all = append(all, s)
			}
		}
		return all
	}
	require.Equal(t, []string{first}, valid())
	put(second + "\r\n" + first + "\n")
	require.Equal(t, []string{first, second}, valid(), "both are valid during a rotation")
	put(second)
	require.Equal(t, []string{second}, valid())
	put("garbage")
	require.Empty(t, valid(), "nobody gets in by a file that cannot be read")
	put(first)
	require.Equal(t, []string{first}, valid())
	require.NoError(t, os.Remove(path))
	require.Empty(t, valid())
	require.NoError(t, os.WriteFile(path, []byte(second), 0o600))
	require.Equal(t, []string{second}, valid())
	require.NoError(t, os.Chmod(path, 0o644))
	require.Empty(t, valid())
}

func TestATokenThatIsReplacedWithinATick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	first, second := strings.Repeat("1", minToken), strings.Repeat("2", minToken)
	require.NoError(t, os.WriteFile(path, []byte(first), 0o600))
	info, err := os.Stat(path)
	require.NoError(t, err)
	f, err := openTokens(path)
	require.NoError(t, err)
	// In place, of the same size, at what the file system takes for the same time.
	require.NoError(t, os.WriteFile(path, []byte(second), 0o600))
	require.NoError(t, os.Chtimes(path, time.Time{}, info.ModTime()))
	ok, _ := f.holds(sha256.Sum256([]byte(first)))
	require.False(t, ok, "the replaced token is still valid")
	ok, _ = f.holds(sha256.Sum256([]byte(second)))
	require.True(t, ok)
}

func TestATokenFileThatBecomesGarbage(t *testing.T) {
	r := start(t, nil)
	c := r.client(t, "app")
	_, err := c.Encrypt(t.Context(), "acme", one)
	require.NoError(t, err)
	mine := filepath.Join(r.dir, "mine")
	require.NoError(t, os.WriteFile(mine, []byte(r.token(t, "app")), 0o600))
	c, err = client.New(client.Config{Socket: r.Socket(), TokenFile: mine})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, os.WriteFile(r.tokenFile("app"), []byte("canary garbage"), 0o600))
	for range 3 {
		_, err = c.Encrypt(t.Context(), "acme", one)
		require.Equal(t, api.Unauthenticated, codeOf(t, err))
	}
	require.Equal(t, 1, strings.Count(r.log.String(), "its caller is locked out"))
	require.NotContains(t, r.log.String(), "canary")
}

func TestTokensThatAreMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	require.NoError(t, createTokens(path))
	first, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, strings.TrimSpace(string(first)), 43)
	require.NoError(t, createTokens(path))
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, first, again)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left beside it")
}
