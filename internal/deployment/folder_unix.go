//go:build unix

package deployment

import (
	"os"
	"syscall"

	"github.com/privet-dev/privet/internal/fault"
)

// privateFolder refuses a folder that is another user's, or that others can read.
func privateFolder(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fault.New(fault.Config, "state folder: %v", err)
	}
	if !info.IsDir() {
		return fault.New(fault.Config, "state folder: %s is not a folder", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int64(st.Uid) != int64(os.Geteuid()) {
		return fault.New(fault.Config, "state folder: %s belongs to another user", dir).
			WithHint("set XDG_STATE_HOME to a folder of your own")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fault.New(fault.Config, "state folder: others can read %s (mode %04o), and keys are kept there", dir, info.Mode().Perm()).
			WithHint("chmod 700 %s", dir)
	}
	return nil
}
