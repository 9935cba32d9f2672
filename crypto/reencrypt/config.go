package reencrypt

import (
	"fmt"
	"strings"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
)

// A Mode is what a run does.
type Mode string

// The modes.
const (
	// Fill encrypts where the encrypted column is NULL and the plaintext is not, and
	// writes the blind index with it.
	Fill Mode = "fill"
	// Refresh encrypts anew what is under older keys, and computes blind indexes that
	// are missing or under older keys.
	Refresh Mode = "refresh"
	// Clear sets the plaintext to NULL where the encrypted column opens to exactly it.
	Clear Mode = "clear"
)

// A Config says which columns are worked on, and how.
type Config struct {
	// Client encrypts and decrypts. Mandatory.
	Client *crypto.Client
	// Mode is what to do. Mandatory.
	Mode Mode

	// Table is schema.table as the catalog spells it, or with both names quoted:
	// public.customer, "my shop"."Customer". Mandatory.
	Table string
	// Plaintext is the column that Fill reads and Clear empties; Refresh needs none.
	// Its type is one whose text is what package column encrypts too: text types,
	// bytea, integers, numeric, boolean, uuid, json and jsonb, enums.
	Plaintext string
	// Encrypted is the column of the ciphertexts: bytea holds them as they are, text and
	// varchar hold the text form. Mandatory.
	Encrypted string
	// Index is the bytea column of the blind index, or "".
	Index string
	// IndexConfig is how index values are computed; Tenant is taken from the row, and
	// Field is Config.Field where it is "".
	IndexConfig crypto.BlindIndexConfig

	// Field is the field of the crypto.Context of all values. Mandatory.
	Field string
	// Tenant is whose rows all are; or TenantColumn names a column that says so.
	Tenant, TenantColumn string
	// SubjectColumn names the column with the subject's id; "" encrypts under the
	// tenant's value keyring, which no erasure reaches. Ids are their column's text in
	// PostgreSQL, and bytea in hexadecimal, as [crypto.Client.Seal] writes it too. What
	// the application puts into crypto.Context must be the same: it alone opens the
	// values, and Clear cannot know.
	SubjectColumn string

	// DryRun counts what would be done and changes no row. Fill then touches no keys,
	// and so cannot tell rows of erased subjects from others.
	DryRun bool
	// Restart begins at the first row though an earlier run was stopped.
	Restart bool
	// Batch is how many rows are read, converted and written together; 0 is 500.
	Batch int
	// PerSecond bounds the rows that are converted or checked in a second; 0 is no bound.
	PerSecond float64
	// Progress, where set, is called after each batch.
	Progress func(Progress)
	// Problem, where set, is called for each row that Report counts as Unreadable,
	// NoContext, Different, Unfilled or Changed, with its primary key and why.
	Problem func(key []string, why error)
	// Recorder is told at the end of a run that wrote, or was to write, what it did; nil
	// records nothing.
	Recorder event.Recorder
}

// check refuses what cannot be, before any connection is made.
func (c *Config) check() error {
	missing := func(name string) error {
		return fault.New(fault.Config, "reencrypt: no %s is named", name).WithHint("see 'privet reencrypt --help'")
	}
	switch {
	case c.Client == nil:
		return missing("crypto client")
	case c.Table == "":
		return missing("table")
	case c.Encrypted == "":
		return missing("encrypted column")
	case c.Field == "":
		return missing("field")
	case (c.Tenant == "") == (c.TenantColumn == ""):
		return fault.New(fault.Config, "reencrypt: name either one tenant or the column that says whose a row is")
	}
	switch c.Mode {
	case Refresh:
	case Fill, Clear:
		if c.Plaintext == "" {
			return missing("plaintext column")
		}
	default:
		modes := []string{string(Fill), string(Refresh), string(Clear)}
		return fault.New(fault.Config, "reencrypt: unknown mode %q%s", string(c.Mode), suggest.DidYouMean(string(c.Mode), modes)).
			WithHint("the modes are %s", strings.Join(modes, ", "))
	}
	seen := map[string]string{}
	for _, col := range []struct{ role, name string }{
		{"plaintext", c.Plaintext}, {"encrypted", c.Encrypted}, {"index", c.Index}, {"tenant", c.TenantColumn}, {"subject", c.SubjectColumn},
	} {
		if col.name == "" {
			continue
		}
		if other, ok := seen[col.name]; ok {
			return fault.New(fault.Config, "reencrypt: %q is named as the %s and as the %s column", col.name, other, col.role)
		}
		seen[col.name] = col.role
	}
	return nil
}

// job names the run for its checkpoint: another run of the same job goes on with it.
func (c *Config) job() string {
	return fmt.Sprintf("reencrypt %s %s %q %q %q %q, tenant %q %q, subject %q",
		c.Mode, c.Table, c.Plaintext, c.Encrypted, c.Index, c.Field, c.Tenant, c.TenantColumn, c.SubjectColumn)
}
