package sidecar

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf returns the user and primary group of the process that connected
// (LOCAL_PEERCRED).
func peerOf(raw syscall.RawConn) (p peer, err error) {
	var cred *unix.Xucred
	cerr := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if cerr != nil {
		return peer{}, cerr
	}
	if err != nil {
		return peer{}, err
	}
	if cred.Ngroups < 1 {
		return peer{}, errors.New("the peer has no group")
	}
	return peer{uid: cred.Uid, gid: cred.Groups[0], known: true}, nil
}
