package sidecar

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf returns the user and primary group of the process that connected, as
// they were when it did (SO_PEERCRED). The process id is of no use: it is 0 for
// peers in other PID namespaces.
func peerOf(raw syscall.RawConn) (p peer, err error) {
	var cred *unix.Ucred
	cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if cerr != nil {
		return peer{}, cerr
	}
	if err != nil {
		return peer{}, err
	}
	return peer{uid: cred.Uid, gid: cred.Gid, known: true}, nil
}
