package sidecar

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/privet-dev/privet/internal/fault"
)

const (
	minToken  = 32   // characters, so that nobody guesses one
	maxToken  = 4096 // characters
	maxTokens = 2    // valid at a time: the new one and the one it replaces
)

// slowestTick is the coarsest time of change that a file system keeps (FAT).
const slowestTick = 2 * time.Second

// A tokenFile holds the tokens of one caller, one a line, and is read again
// whenever it has changed. While it is missing or cannot be read no token is
// valid: taking the file away locks its caller out.
type tokenFile struct {
	path string

	mu     sync.Mutex
	info   fs.FileInfo         // of the file that sums and failed are of, nil where it is missing
	fresh  bool                // it had been changed so recently that another change may not show
	sums   [][sha256.Size]byte // of the tokens; the tokens themselves are not kept
	failed error
}

// openTokens reads the file for the first time.
func openTokens(path string) (*tokenFile, error) {
	t := &tokenFile{path: path}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.refresh(); t.failed != nil {
		return nil, fault.New(fault.Config, "sidecar: token file: %v", t.failed).
			WithHint("one token a line, at most %d, each of at least %d characters; chmod 0600", maxTokens, minToken)
	}
	return t, nil
}

// holds reports whether the file has the token whose SHA-256 is sum, in time that
// does not depend on the tokens, and any news about the file's state to log.
func (t *tokenFile) holds(sum [sha256.Size]byte) (ok bool, news error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.failed
	t.refresh()
	if t.failed != nil && before == nil {
		news = t.failed
	}
	var found int
	for i := range t.sums {
		found |= subtle.ConstantTimeCompare(t.sums[i][:], sum[:])
	}
	return found == 1, news
}

// refresh reads the file again where it is not the one that was read before: a
// rotation by rename or by symbolic link gives another file, one in place
// another time or size. Two tokens are of one size, and the clocks of file systems
// tick slowly: what was just changed is read once more, so that a token that was
// replaced within the tick is not taken for ever.
func (t *tokenFile) refresh() {
	info, err := os.Stat(t.path)
	if err == nil && t.info != nil && !t.fresh && os.SameFile(info, t.info) && info.ModTime().Equal(t.info.ModTime()) &&
		info.Size() == t.info.Size() && info.Mode() == t.info.Mode() {
		return
	}
	t.info, t.sums, t.failed = info, nil, err
	if err == nil {
		t.fresh = time.Since(info.ModTime()) < slowestTick
		t.sums, t.failed = readTokens(t.path)
	} else {
		t.info = nil
	}
}

func readTokens(path string) ([][sha256.Size]byte, error) {
	// A pipe in the file's place would make an open that waits hold up every caller.
	f, err := os.OpenFile(path, os.O_RDONLY|openAtOnce, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0:
		return nil, fmt.Errorf("%s has mode %04o; only its owner may write it, and only its owner and group read it", path, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(f, 4*maxToken))
	if err != nil {
		return nil, err
	}
	var sums [][sha256.Size]byte
	for line := range bytes.Lines(data) {
		token := bytes.TrimSpace(line)
		switch {
		case len(token) == 0:
			continue
		case len(token) < minToken || len(token) > maxToken || !isToken(token):
			return nil, fmt.Errorf("%s: a token is %d to %d printable characters without spaces", path, minToken, maxToken)
		case len(sums) == maxTokens:
			return nil, fmt.Errorf("%s holds more than %d tokens", path, maxTokens)
		}
		sums = append(sums, sha256.Sum256(token))
	}
	clear(data)
	if len(sums) == 0 {
		return nil, fmt.Errorf("%s holds no token", path)
	}
	return sums, nil
}

func isToken(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// createTokens writes a file with one new token of 256 random bits, unless there
// is a file already.
func createTokens(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	b := make([]byte, 32)
	rand.Read(b)
	// A file that another process is still writing must not be read half: it is
	// written under another name and linked, which fails where path is there.
	f, err := os.CreateTemp(filepath.Dir(path), ".token-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(b) + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
