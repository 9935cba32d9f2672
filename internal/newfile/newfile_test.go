package newfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
)

// names returns what is in a folder.
func names(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestCommit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := Create(path)
	require.NoError(t, err)
	_, err = f.Write([]byte("whole"))
	require.NoError(t, err)
	require.NoFileExists(t, path)
	require.NoError(t, f.Commit())
	require.NoError(t, f.Discard(), "does nothing any more")
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "whole", string(got))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	require.Equal(t, []string{"a"}, names(t, dir))
}

func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a"))
	require.NoError(t, err)
	_, err = f.Write([]byte("half"))
	require.NoError(t, err)
	require.NoError(t, f.Discard())
	require.NoError(t, f.Discard())
	require.Empty(t, names(t, dir))
}

func TestNothingIsOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := Create(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("another's"), 0o644)) // meanwhile
	err = f.Commit()
	require.ErrorIs(t, err, fs.ErrExist)
	require.Equal(t, fault.Config, fault.KindOf(err))
	_, err = Create(path)
	require.ErrorIs(t, err, fs.ErrExist)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "another's", string(got))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "b")))
	_, err = Create(filepath.Join(dir, "b"))
	require.ErrorIs(t, err, fs.ErrExist, "a link to nothing has the name too")
	require.Equal(t, []string{"a", "b"}, names(t, dir))
	_, err = Create(filepath.Join(dir, "no", "folder"))
	require.Equal(t, fault.Config, fault.KindOf(err))
}
