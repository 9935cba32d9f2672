// Package tables holds the ledger's table, as migrations.
package tables

import (
	"embed"

	"github.com/privet-dev/privet/internal/db"
)

//go:embed sqlite postgres
var files embed.FS

// Schema is the ledger's.
var Schema = db.Schema{Name: "ledger", Files: files}
