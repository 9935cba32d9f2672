// Package newfile writes files that appear under their name whole or not at all,
// and never in the place of another.
package newfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/internal/fault"
)

// A File is being written. Its bytes are in a file beside it, ".NAME.*.tmp", mode
// 0600, until Commit; a process that is killed leaves that one behind.
type File struct {
	path string
	tmp  *os.File
	done bool
}

// Create begins a file. Where something has its name already, the error matches
// fs.ErrExist.
func Create(path string) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, taken(path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return nil, fault.New(fault.Config, "%s cannot be written: %v", path, err)
	}
	return &File{path: path, tmp: tmp}, nil
}

// Write appends to the file.
func (f *File) Write(p []byte) (int, error) { return f.tmp.Write(p) }

// Commit gives the file its name, once all of it is on the disk. Where something has
// taken the name meanwhile, the error matches fs.ErrExist and the file is discarded.
func (f *File) Commit() (err error) {
	defer func() { err = errors.Join(err, f.Discard()) }()
	if err := f.tmp.Sync(); err != nil {
		return err
	}
	if err := f.tmp.Close(); err != nil {
		return err
	}
	f.done = true
	if err := name(f.tmp.Name(), f.path); err != nil {
		return errors.Join(err, remove(f.tmp.Name()))
	}
	// The name must survive a crash too. Not every system can sync a folder.
	if dir, err := os.Open(filepath.Dir(f.path)); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
	return nil
}

// name moves a file to a name that nothing has. A link fails where the name is
// taken; a file system without links is looked at first and then renamed on, which
// leaves a moment between the two.
func name(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case err == nil:
		return remove(tmp)
	case errors.Is(err, fs.ErrExist):
		return taken(path)
	}
	if _, err := os.Lstat(path); err == nil {
		return taken(path)
	}
	return os.Rename(tmp, path)
}

// Discard ends a file that was not committed and leaves nothing of it. After Commit
// it does nothing.
func (f *File) Discard() error {
	if f.done {
		return nil
	}
	f.done = true
	_ = f.tmp.Close() // what it would say is lost with the file
	return remove(f.tmp.Name())
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func taken(path string) error {
	return &fault.Error{
		Kind: fault.Config, Msg: fmt.Sprintf("%s exists and is not overwritten", path),
		Hint: "name another file", Err: fs.ErrExist,
	}
}
