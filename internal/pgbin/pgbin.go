// Package pgbin finds PostgreSQL's own programs (pg_dump, pg_restore, psql,
// initdb, postgres) on this machine.
//
// Programs are looked for in the folder that the environment variable
// PRIVET_PG_BIN names, then on PATH, then where distributions put them (newest
// version first). Debian's /usr/bin/pg_dump is passed over: it is a wrapper
// that picks a version by the local clusters, which have nothing to do with the
// server at the other end.
package pgbin

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// EnvDir names the environment variable that picks one folder of programs. Where
// it is set, no other folder is searched.
const EnvDir = "PRIVET_PG_BIN"

// ErrNotFound is in the chain of every error that says that a program, or a
// version of it, is not on this machine.
var ErrNotFound = errors.New("PostgreSQL program not found")

// places are where packages and installers put PostgreSQL, beside PATH.
var places = []string{
	"/usr/lib/postgresql/*/bin",   // Debian, Ubuntu
	"/usr/pgsql-*/bin",            // PGDG on Red Hat and its kin
	"/usr/libexec/postgresql*",    // Alpine
	"/usr/lib/postgresql*/bin",    // SUSE
	"/usr/local/pgsql/bin",        // from source
	"/opt/homebrew/opt/post*/bin", // Homebrew on Apple silicon
	"/opt/homebrew/opt/libpq/bin",
	"/usr/local/opt/post*/bin", // Homebrew on Intel
	"/usr/local/opt/libpq/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/Library/PostgreSQL/*/bin",      // EDB's installer
	"/opt/local/lib/postgresql*/bin", // MacPorts
}

// Find returns the path of the program name: the one in PRIVET_PG_BIN, else the
// first on PATH, else the newest in the usual places. The error is a
// [fault.Error] of kind Config with the line that installs it, and matches
// [ErrNotFound].
func Find(name string) (string, error) {
	return firstWith(name)
}

// FindServer returns the folder that holds both initdb and postgres, in the
// order of [Find].
func FindServer() (string, error) {
	p, err := firstWith("initdb", "postgres")
	if err != nil {
		return "", err
	}
	// A link on PATH says nothing about its neighbours: initdb itself looks for
	// postgres beside the file it really is.
	if real, err := filepath.EvalSymlinks(p); err == nil {
		p = real
	}
	return filepath.Dir(p), nil
}

// firstWith returns the path of the first name in the first folder that holds
// all names.
func firstWith(names ...string) (string, error) {
	for _, dir := range Dirs() {
		if p := filepath.Join(dir, names[0]); !slices.ContainsFunc(names, func(n string) bool { return !runnable(filepath.Join(dir, n)) }) {
			return p, nil
		}
	}
	where := "on PATH or in the usual places"
	if dir := os.Getenv(EnvDir); dir != "" {
		where = "in " + dir + ", which " + EnvDir + " names"
	}
	e := fault.New(fault.Config, "PostgreSQL's %s was not found %s", strings.Join(names, " and "), where).WithHint("%s", InstallHint())
	e.Err = ErrNotFound
	return "", e
}

// Dirs returns the folders that are searched, in order, each once.
func Dirs() []string {
	if dir := os.Getenv(EnvDir); dir != "" {
		return []string{dir}
	}
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // the patterns are constants and well formed
		slices.SortFunc(found, func(a, b string) int { return number(b) - number(a) })
		dirs = append(dirs, found...)
	}
	seen := make(map[string]bool, len(dirs))
	return slices.DeleteFunc(dirs, func(d string) bool {
		if d == "" || seen[d] {
			return true
		}
		seen[d] = true
		return false
	})
}

// number returns the first number in a folder's name, which is its major version.
func number(dir string) int {
	start := strings.IndexAny(dir, "0123456789")
	if start < 0 {
		return 0
	}
	end := start
	for end < len(dir) && dir[end] >= '0' && dir[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(dir[start:end]) // digits only; an absurd number sorts last
	return n
}

// runnable reports whether path is a program and not Debian's wrapper.
func runnable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || (info.Mode()&0o111 == 0 && runtime.GOOS != "windows") {
		return false
	}
	real, err := filepath.EvalSymlinks(path)
	return err == nil && filepath.Base(real) != "pg_wrapper"
}

// InstallHint is the one line that installs PostgreSQL's server and client
// programs on this machine.
func InstallHint() string {
	if runtime.GOOS == "darwin" {
		return "brew install postgresql@17"
	}
	for _, m := range []struct{ program, line string }{
		{"apt-get", "sudo apt-get install postgresql postgresql-client"},
		{"dnf", "sudo dnf install postgresql-server postgresql"},
		{"apk", "sudo apk add postgresql postgresql-client"},
		{"pacman", "sudo pacman -S postgresql"},
		{"zypper", "sudo zypper install postgresql-server postgresql"},
	} {
		for _, dir := range []string{"/usr/bin", "/sbin", "/bin"} {
			if runnable(filepath.Join(dir, m.program)) {
				return m.line
			}
		}
	}
	return "install PostgreSQL 14 or newer, or set " + EnvDir + " to the folder that holds its programs"
}
