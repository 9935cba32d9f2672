// Package tables holds the keystore's tables, as migrations, and what both SQL
// stores share.
package tables

import (
	"embed"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/internal/db"
)

//go:embed sqlite postgres
var files embed.FS

// Schema is the keystore's.
var Schema = db.Schema{Name: "keystore", Files: files}

// Refusal says why an update changed nothing, of the record as it is now: nil
// where there is none.
func Refusal(now *keystore.Record) error {
	switch {
	case now == nil:
		return keystore.ErrNotFound
	case now.State == keystore.Erased:
		return keystore.ErrErased
	}
	return keystore.ErrConflict
}
