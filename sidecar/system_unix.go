//go:build unix

package sidecar

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// servesUnix says that this system has unix sockets whose peers can be known.
const servesUnix = true

// openAtOnce is the flag of an open that does not wait for a pipe's other end.
const openAtOnce = syscall.O_NONBLOCK

// takeLock locks the file at path, which it makes, until it is closed or the
// process ends.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is locked by a running process: %w", path, err)
	}
	return f, nil
}

// isRefused reports whether nobody listens on the socket that was dialled.
func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// trustedOwner reports whether a file belongs to this process's user or to root,
// who can do everything anyway.
func trustedOwner(info os.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (st.Uid == 0 || int64(st.Uid) == int64(os.Geteuid()))
}
