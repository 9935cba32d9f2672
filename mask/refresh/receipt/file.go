package receipt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/privet-dev/privet/internal/fault"
)

// ErrExists: the file is another run's receipt, or no receipt.
var ErrExists = errors.New("receipt: the file exists")

// WriteFile writes a document that Sign made, readable by its owner only. The
// file appears whole or not at all. A receipt of the same run is replaced;
// anything else that stands there is left alone, and the error wraps ErrExists.
func WriteFile(path string, document []byte) error {
	var mine struct {
		RunID string `json:"run_id"`
	}
	if err := json.Unmarshal(document, &mine); err != nil || mine.RunID == "" {
		return fmt.Errorf("%w: no receipt to write", ErrMalformed)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".privet-receipt-*") // created 0600
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(document)
	if err == nil {
		err = tmp.Sync()
	}
	if err1 := tmp.Close(); err == nil {
		err = err1
	}
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	// A link, unlike a rename, never replaces what is there.
	err = os.Link(tmp.Name(), path)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrExist):
		if err := replaceable(path, mine.RunID); err != nil {
			return err
		}
		err = os.Rename(tmp.Name(), path)
	default: // a file system without hard links
		if _, err1 := os.Lstat(path); errors.Is(err1, fs.ErrNotExist) {
			err = os.Rename(tmp.Name(), path)
		} else if err = replaceable(path, mine.RunID); err == nil {
			err = os.Rename(tmp.Name(), path)
		}
	}
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	// The name survives a crash only once its folder is written.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	defer dir.Close()
	_ = dir.Sync() // refused by some file systems
	return nil
}

// replaceable reports whether what stands at path is a receipt of the run.
func replaceable(path, run string) error {
	refuse := &fault.Error{Kind: fault.Guard, Msg: path + " exists and is not a receipt of this run: it is left as it is",
		Hint: "give another path for the receipt", Err: ErrExists}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if !info.Mode().IsRegular() {
		return refuse
	}
	old, err := os.ReadFile(path)
	if err != nil {
		return refuse
	}
	var theirs struct {
		RunID string `json:"run_id"`
	}
	if json.Unmarshal(old, &theirs) != nil || theirs.RunID != run {
		return refuse
	}
	return nil
}
