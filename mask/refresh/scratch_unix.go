//go:build unix

package refresh

import (
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks an open file without waiting. The lock ends with the file.
func tryLock(f *os.File) bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }
