//go:build !unix

package sidecar

import (
	"errors"
	"os"
)

// servesUnix says that this system has unix sockets whose peers can be known.
const servesUnix = false

// takeLock refuses: unix sockets are served where peers can be known only.
func takeLock(string) (*os.File, error) {
	return nil, errors.New("unix sockets are not served on this system; listen on a loopback address")
}

const openAtOnce = 0

func isRefused(error) bool { return false }

func trustedOwner(os.FileInfo) bool { return true }
