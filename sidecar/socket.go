package sidecar

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/privet-dev/privet/internal/fault"
)

// maxSocketPath is the longest path that every supported system can bind: 104
// bytes with a final NUL on macOS, 108 on Linux.
const maxSocketPath = 103

// A socket is a bound unix socket and the lock that keeps a second process from
// taking a live socket for a stale one.
type socket struct {
	net.Listener
	lock *os.File
}

// Close unlinks the socket and releases the lock.
func (s *socket) Close() error {
	err := s.Listener.Close()
	s.lock.Close()
	return err
}

// listenUnix binds a unix socket with mode 0660. A socket of a process that is
// gone is replaced; anything else at path is left alone and is an error.
func listenUnix(path string) (net.Listener, error) {
	fail := func(format string, args ...any) *fault.Error {
		return fault.New(fault.Config, "sidecar: unix socket: "+format, args...)
	}
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return nil, fail("%q is not an absolute path", path)
	}
	if len(path) > maxSocketPath {
		return nil, fail("%s is longer than the %d bytes a socket's path may have", path, maxSocketPath).
			WithHint("choose a shorter folder, such as one below /run")
	}
	dir := filepath.Dir(path)
	if err := ownFolder(dir); err != nil {
		return nil, fail("%v", err).WithHint("the socket needs a folder that only the sidecar's user can write; it is made with mode 0750 where it does not exist")
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, fail("%v", err).WithHint("another sidecar is running on this socket, or was given the same path")
	}
	l, err := bind(path)
	if err != nil {
		lock.Close()
		return nil, fail("%v", err)
	}
	return &socket{l, lock}, nil
}

// bind removes a stale socket and binds a new one.
func bind(path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, errors.New(path + " is there and is not a socket; it is left alone")
	default:
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			conn.Close()
			return nil, errors.New("a running process answers on " + path)
		} else if !isRefused(err) {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// Until here the mode was the umask's; the folder keeps others out meanwhile.
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// ownFolder makes dir with mode 0750, or checks that nobody but its owner could put
// a socket of their own there: whoever could would get the callers' values.
func ownFolder(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o750); err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New(dir + " is not a folder")
	}
	if !trustedOwner(info) {
		return errors.New("the folder " + dir + " belongs to another user")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write to the folder %s (mode %04o)", dir, info.Mode().Perm())
	}
	return nil
}
