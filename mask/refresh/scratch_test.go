package refresh

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A folder goes when nobody holds its lock any more; a living run's stays, and so
// does what is no run's.
func TestScratchFoldersOfTheDeadGo(t *testing.T) {
	temp := t.TempDir()
	living, err := newScratch(temp)
	require.NoError(t, err)
	dead := filepath.Join(temp, scratchPrefix+"dead")
	require.NoError(t, os.Mkdir(dead, 0o700))
	for _, file := range []string{"lock", "schema.dump"} {
		require.NoError(t, os.WriteFile(filepath.Join(dead, file), nil, 0o600))
	}
	other := filepath.Join(temp, scratchPrefix+"of-somebody")
	require.NoError(t, os.Mkdir(other, 0o700))

	next, err := newScratch(temp)
	require.NoError(t, err)
	require.NoDirExists(t, dead)
	require.DirExists(t, other)
	require.DirExists(t, living.dir)
	require.NotEqual(t, living.dir, next.dir)
	living.close()
	next.close()
	require.NoDirExists(t, living.dir)
	require.NoDirExists(t, next.dir)

	_, err = newScratch(filepath.Join(temp, "missing"))
	require.Error(t, err)
}
