package localkms

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/fault"
)

const (
	fileFormat  = "privet local key"
	fileVersion = 1
	// maxFile bounds what is read before it is known to be a key file.
	maxFile = 16 << 10
)

// A keyFile is the file's JSON.
type keyFile struct {
	Format  string      `json:"format"`
	Version int         `json:"version"`
	ID      string      `json:"id"`
	Purpose kms.Purpose `json:"purpose"`
	Created time.Time   `json:"created"`
	Key     []byte      `json:"key,omitempty"`
	Locked  *lock       `json:"locked,omitempty"`
}

// ErrExists says that Create found a file; it matches [fs.ErrExist].
var ErrExists = fmt.Errorf("a file is there already: %w", fs.ErrExist)

// ErrLoose says that others than the owner may read or change the key file.
var ErrLoose = errors.New("others may read the key file")

// ErrFormat says that a file is not a key file of this format.
var ErrFormat = errors.New("not a key file")

// Create makes a key for roots and writes it to a new file, mode 0600, which appears
// under its name complete or not at all. Where passphrase is not empty, the file is
// locked with it. A file that is there is never touched: the error is [ErrExists].
//
// There is no other copy. Back the file up, apart from the keystore: without it,
// nothing under it can be decrypted.
func Create(path string, passphrase []byte) (*KEK, error) {
	return CreateFor(kms.Roots, path, passphrase)
}

// CreateFor is [Create] for a key of any purpose.
func CreateFor(purpose kms.Purpose, path string, passphrase []byte) (*KEK, error) {
	if !purpose.Valid() {
		return nil, fault.New(fault.Config, "localkms: unknown purpose %q", string(purpose)).
			WithHint("a key is for %q or for %q", kms.Roots, kms.Envelopes)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fileError(path, "cannot be named", "", err)
	}
	var id [idSize]byte
	rand.Read(id[:])
	key := make([]byte, keySize)
	rand.Read(key)
	defer clear(key)
	f := &keyFile{
		Format: fileFormat, Version: fileVersion, ID: hex.EncodeToString(id[:]),
		Purpose: purpose, Created: time.Now().UTC().Truncate(time.Second),
	}
	if len(passphrase) == 0 {
		f.Key = key
	} else if f.Locked, err = seal(f, key, passphrase); err != nil {
		return nil, fileError(path, "cannot be locked", "", err)
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fileError(path, "cannot be written", "", err)
	}
	if err := writeOnce(path, append(data, '\n')); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fileError(path, "is there already", "open it, or choose another name; a key file is never overwritten", ErrExists)
		}
		return nil, fileError(path, "cannot be written", "its folder must exist and be writable", err)
	}
	return newKEK(path, id, purpose, key)
}

// Open reads the key file at path. It refuses a file that others than its owner may
// read ([ErrLoose]), one that is malformed ([ErrFormat]), and a passphrase that is
// missing, wrong or given for a file without a lock ([ErrPassphrase]).
func Open(path string, passphrase []byte) (*KEK, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fileError(path, "cannot be named", "", err)
	}
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	f, id, err := parse(data)
	if err != nil {
		return nil, fileError(path, "is not a key file: "+err.Error(), "restore it from its backup; a key file is never edited", errors.Join(ErrFormat, err))
	}
	key := f.Key
	switch {
	case f.Locked == nil && len(passphrase) != 0:
		return nil, fileError(path, "has no lock, and a passphrase was given", "give none, or check that this is the file you mean", ErrPassphrase)
	case f.Locked != nil && len(passphrase) == 0:
		return nil, fileError(path, "is locked, and no passphrase was given", "give the passphrase it was created with", ErrPassphrase)
	case f.Locked != nil:
		if key, err = f.Locked.open(f, passphrase); err != nil {
			return nil, fileError(path, "cannot be unlocked: "+err.Error(), "give the passphrase it was created with", err)
		}
	}
	defer clear(key)
	return newKEK(path, id, f.Purpose, key)
}

// readFile reads a file that nobody but its owner may read.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileError(path, "does not exist", "create it once, then keep it; without it nothing encrypted under it can be read", err)
	}
	if err != nil {
		return nil, fileError(path, "cannot be opened", "the process must own it", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fileError(path, "cannot be examined", "", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fileError(path, "is not a regular file", "", ErrFormat)
	}
	// Windows keeps who may read a file elsewhere than in its mode.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fileError(path, fmt.Sprintf("may be read or changed by others (mode %04o)", mode), "chmod 600 "+path, ErrLoose)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileError(path, "cannot be read", "", err)
	}
	if len(data) > maxFile {
		return nil, fileError(path, "is too long for a key file", "", ErrFormat)
	}
	return data, nil
}

// parse reads the JSON strictly. Its errors name members, never what they hold.
func parse(data []byte) (f *keyFile, id [idSize]byte, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	f = &keyFile{}
	if err := d.Decode(f); err != nil {
		return nil, id, errors.New("the JSON does not fit")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, id, errors.New("something follows the JSON object")
	}
	raw, err := hex.DecodeString(f.ID)
	switch {
	case f.Format != fileFormat:
		return nil, id, errors.New(`"format" is another`)
	case f.Version != fileVersion:
		return nil, id, fmt.Errorf(`"version" is %d, and this program knows %d`, f.Version, fileVersion)
	case err != nil || len(raw) != idSize:
		return nil, id, errors.New(`"id" is not 8 bytes in hexadecimal`)
	case !f.Purpose.Valid():
		return nil, id, errors.New(`"purpose" is unknown`)
	case (f.Key == nil) == (f.Locked == nil):
		return nil, id, errors.New(`exactly one of "key" and "locked" must be there`)
	case f.Key != nil && len(f.Key) != keySize:
		return nil, id, errors.New(`"key" is not 32 bytes`)
	case f.Locked != nil:
		if err := f.Locked.check(); err != nil {
			return nil, id, err
		}
	}
	copy(id[:], raw)
	return f, id, nil
}

// writeOnce writes a new file: whole, on the disk, and never over another. It is
// written under a name of its own and then linked, which fails where the name is
// taken; a file system without links gets it by exclusive creation instead.
func writeOnce(path string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".privet-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := fill(tmp, data); err != nil {
		return err
	}
	err = os.Link(tmp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		if err := fill(f, data); err != nil {
			os.Remove(path)
			return err
		}
	} else if err != nil {
		return err
	}
	// The name must survive a crash too. Not every system can sync a folder.
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
	return nil
}

func fill(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func fileError(path, what, hint string, cause error) error {
	msg := fmt.Sprintf("localkms: the key file %s %s", path, what)
	return &fault.Error{Kind: fault.Config, Msg: msg, Hint: hint, Err: cause}
}
