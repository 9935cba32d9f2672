package refresh

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks an open file without waiting. The lock ends with the file.
func tryLock(f *os.File) bool {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped)) == nil
}
