package pgbin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
)

// install makes programs in dir that print a version as PostgreSQL's do.
func install(t *testing.T, dir string, major int, programs ...string) string {
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, p := range programs {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %d.3 (Debian %d.3-1)'\n", p, major, major)
		require.NoError(t, os.WriteFile(filepath.Join(dir, p), []byte(script), 0o755))
	}
	return dir
}

func onlyOnPath(t *testing.T, dirs ...string) {
	path := ""
	for _, d := range dirs {
		path += d + string(os.PathListSeparator)
	}
	t.Setenv("PATH", path)
	t.Setenv(pgbin.EnvDir, "")
}

func TestFindTakesPathFirst(t *testing.T) {
	root := t.TempDir()
	first, second := install(t, root+"/a", 14, "pg_dump"), install(t, root+"/b", 16, "pg_dump", "initdb", "postgres")
	onlyOnPath(t, first, second)

	got, err := pgbin.Find("pg_dump")
	require.NoError(t, err)
	require.Equal(t, first+"/pg_dump", got)
}

func TestFindPassesOverDebiansWrapperAndWhatCannotRun(t *testing.T) {
	root := t.TempDir()
	real := install(t, root+"/real", 15, "pg_dump")
	wrapped := root + "/wrapped"
	install(t, root+"/share", 0, "pg_wrapper")
	require.NoError(t, os.Mkdir(wrapped, 0o755))
	require.NoError(t, os.Symlink(root+"/share/pg_wrapper", wrapped+"/pg_dump"))
	plain := root + "/plain"
	require.NoError(t, os.MkdirAll(plain+"/dir/pg_dump", 0o755))
	require.NoError(t, os.WriteFile(plain+"/pg_dump", []byte("text"), 0o644))
	onlyOnPath(t, wrapped, plain, plain+"/dir", real)

	got, err := pgbin.Find("pg_dump")
	require.NoError(t, err)
	require.Equal(t, real+"/pg_dump", got)
}

func TestFindServerNeedsBothProgramsInOnePlace(t *testing.T) {
	root := t.TempDir()
	half := install(t, root+"/half", 16, "initdb")
	whole := install(t, root+"/whole", 15, "initdb", "postgres")
	links := root + "/links"
	require.NoError(t, os.Mkdir(links, 0o755))
	for _, p := range []string{"initdb", "postgres"} {
		require.NoError(t, os.Symlink(whole+"/"+p, links+"/"+p))
	}
	onlyOnPath(t, half, links)

	got, err := pgbin.FindServer()
	require.NoError(t, err)
	want, err := filepath.EvalSymlinks(whole)
	require.NoError(t, err)
	require.Equal(t, want, got, "where the programs really are")
}

func TestOneFolderByEnvironment(t *testing.T) {
	root := t.TempDir()
	onlyOnPath(t, install(t, root+"/path", 15, "psql", "pg_dump"))
	t.Setenv(pgbin.EnvDir, install(t, root+"/mine", 14, "psql"))

	got, err := pgbin.Find("psql")
	require.NoError(t, err)
	require.Equal(t, root+"/mine/psql", got)

	_, err = pgbin.Find("pg_dump")
	require.ErrorIs(t, err, pgbin.ErrNotFound)
	require.ErrorContains(t, err, root+"/mine")
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.NotEmpty(t, fault.HintOf(err))
}

func TestFindForTakesTheServersVersionElseTheNextNewer(t *testing.T) {
	root := t.TempDir()
	onlyOnPath(t,
		install(t, root+"/14", 14, "pg_dump"), install(t, root+"/18", 18, "pg_dump"), install(t, root+"/16", 16, "pg_dump"))
	// The usual places of this machine are searched as well: versions there do
	// not change the answers below.
	for _, tt := range []struct{ server, want int }{{14, 14}, {16, 16}, {18, 18}} {
		got, err := pgbin.FindFor(t.Context(), "pg_dump", tt.server)
		require.NoError(t, err)
		major, err := pgbin.Major(t.Context(), got)
		require.NoError(t, err)
		require.Equal(t, tt.want, major, "server %d", tt.server)
	}

	t.Setenv(pgbin.EnvDir, root+"/16")
	got, err := pgbin.FindFor(t.Context(), "pg_dump", 15)
	require.NoError(t, err)
	require.Equal(t, root+"/16/pg_dump", got)
	_, err = pgbin.FindFor(t.Context(), "pg_dump", 17)
	require.ErrorIs(t, err, pgbin.ErrNotFound)
	require.EqualError(t, err, "the server is PostgreSQL 17, the newest pg_dump on this machine is 16")
}

func TestMajorRefusesWhatIsNotPostgreSQL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pg_dump")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho banana\n"), 0o755))
	_, err := pgbin.Major(t.Context(), path)
	require.ErrorContains(t, err, "does not print a version")
}
