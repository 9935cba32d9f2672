//go:build unix

package sidecar

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// An open of a pipe waits for the other end, and with it would wait every caller.
func TestATokenFileThatIsAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	token := strings.Repeat("1", minToken)
	require.NoError(t, os.WriteFile(path, []byte(token), 0o600))
	f, err := openTokens(path)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	ok, news := f.holds(sha256.Sum256([]byte(token)))
	require.False(t, ok)
	require.ErrorContains(t, news, "not a regular file")
	_, err = openTokens(path)
	require.ErrorContains(t, err, "not a regular file")
}
