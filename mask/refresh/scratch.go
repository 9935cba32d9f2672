package refresh

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/internal/fault"
)

// scratchPrefix begins the name of every folder that a run makes for its files.
const scratchPrefix = "privet-refresh-"

// A scratch is a run's folder for files, readable by its user only. A lock on a
// file in it says that the run lives: the lock goes with the process, however
// that ends, and holds across containers that share the folder.
type scratch struct {
	dir  string
	lock *os.File
}

// newScratch makes the folder in tempDir ("" means the system's), after it has
// removed those of this user's runs that were killed: they hold the source's
// structure.
func newScratch(tempDir string) (*scratch, error) {
	if tempDir == "" {
		tempDir = os.TempDir()
	}
	sweep(tempDir)
	for range 3 {
		dir, err := os.MkdirTemp(tempDir, scratchPrefix)
		if err != nil {
			return nil, fault.New(fault.Config, "make a folder for the schema: %v", err).WithHint("TMPDIR names the folder for temporary files")
		}
		lock, err := os.OpenFile(lockOf(dir), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			_ = os.RemoveAll(dir) // the first error is the one that counts
			return nil, fmt.Errorf("make a folder for the schema: %w", err)
		}
		// Another run that sweeps may take the folder for a dead one's as long as
		// it is not locked.
		if tryLock(lock) {
			if _, err := os.Stat(lockOf(dir)); err == nil {
				return &scratch{dir: dir, lock: lock}, nil
			}
		}
		_ = lock.Close()
	}
	return nil, fault.New(fault.Unexpected, "folders for the schema in %s vanish as soon as they are made", tempDir)
}

func lockOf(dir string) string { return filepath.Join(dir, "lock") }

// sweep removes the folders whose run is dead. What cannot be removed is left to
// the next run.
func sweep(tempDir string) {
	dirs, _ := filepath.Glob(filepath.Join(tempDir, scratchPrefix+"*")) // a strange tempDir matches nothing
	for _, dir := range dirs {
		lock, err := os.OpenFile(lockOf(dir), os.O_RDWR, 0)
		if err != nil {
			continue // another user's, or not ours at all
		}
		if tryLock(lock) {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}

func (s *scratch) close() {
	_ = os.RemoveAll(s.dir) // the folder is the user's own and holds no rows
	_ = s.lock.Close()
}
