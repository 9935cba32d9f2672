//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// An account is the user that a server runs as; nil is the process's own.
type account struct{ uid, gid uint32 }

// unprivileged returns the account for servers: nil for an ordinary user. Root
// cannot run PostgreSQL and hands over to postgres, else to nobody.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("pgtest: user %s: %w", name, err)
		}
		return &account{uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errors.New("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// use makes cmd run as the account, in dir, in a session of its own (a Ctrl-C in
// the terminal is for the process, which then stops the server), and without the
// caller's PG* variables and locale.
func (a *account) use(cmd *exec.Cmd, dir string) {
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
}

// own hands a file over to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// kill ends the session that use made, the server included.
func (a *account) kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// maxSocketDir is how long a folder of unix sockets may be: the address holds 104
// bytes on macOS and 108 on Linux, and the socket's own name and its end take 20.
const maxSocketDir = 84

// shortTempDir returns a folder for temporary files that is short enough for a
// unix socket and, for a foreign account, open to it.
func shortTempDir(a *account) string {
	if dir := os.TempDir(); a == nil && len(dir)+len("/privet-pg0123456789") <= maxSocketDir {
		return dir
	}
	return "/tmp"
}
