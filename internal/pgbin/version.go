package pgbin

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/privet-dev/privet/internal/fault"
)

// versionLine is what every program of PostgreSQL prints for --version.
var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// Major returns the major version of the program at path, which it runs with
// --version.
func Major(ctx context.Context, path string) (int, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return 0, fmt.Errorf("%s --version: %w", path, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("%s --version does not print a version of PostgreSQL", path)
	}
	return strconv.Atoi(string(m[1]))
}

// FindFor returns the program name in the version that fits a server of the
// given major version (15, not 150004): the same, else the nearest newer one.
// pg_dump refuses servers newer than itself, and what a much newer one writes
// uses settings that an older server does not know. The error is a
// [fault.Error] of kind Config that lists what there is, and matches
// [ErrNotFound].
func FindFor(ctx context.Context, name string, serverMajor int) (string, error) {
	if _, err := Find(name); err != nil {
		return "", err
	}
	best, bestMajor, newest := "", 0, 0
	for _, dir := range Dirs() {
		path := filepath.Join(dir, name)
		if !runnable(path) {
			continue
		}
		major, err := Major(ctx, path)
		if err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			continue
		}
		newest = max(newest, major)
		if major >= serverMajor && (best == "" || major < bestMajor) {
			best, bestMajor = path, major
		}
	}
	if best == "" {
		e := fault.New(fault.Config, "the server is PostgreSQL %d, the newest %s on this machine is %d", serverMajor, name, newest).
			WithHint("install the client programs of PostgreSQL %d, or set %s to the folder that holds them", serverMajor, EnvDir)
		e.Err = ErrNotFound
		return "", e
	}
	return best, nil
}
