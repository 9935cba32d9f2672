package receipt

import (
	"time"

	"github.com/privet-dev/privet/mask/refresh/verify"
)

// Format is the format member of the documents that this package writes.
const Format = "privet/receipt/1"

// A Receipt is the content of the document. It holds no value of any row and no
// secret; connection strings do not belong into it.
type Receipt struct {
	// Format is set by Sign.
	Format string `json:"format"`
	// RunID names the run, and is unique.
	RunID string `json:"run_id"`
	// Privet is the version of the program.
	Privet string `json:"privet"`
	// Started and Finished enclose the run, verification included.
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Policy is the privet.yaml that decided.
	Policy Policy `json:"policy"`
	// Keys names the keys that the deterministic rules used: the URI of their KEK,
	// which is no secret.
	Keys string `json:"keys,omitempty"`
	// Source and Target are the databases.
	Source Database `json:"source"`
	Target Database `json:"target"`
	// Snapshot is the exported snapshot that all rows were read in.
	Snapshot string `json:"snapshot"`
	// Lists is the fingerprint of the frozen word lists, as mask/fake prints it.
	Lists string `json:"lists"`
	// Schema is the SHA-256, in hexadecimal, of the schema that was copied.
	Schema string `json:"schema_sha256"`
	// Tables are all tables of the source, in the order of their names.
	Tables []Table `json:"tables"`
	// Columns are the columns of all tables with rows, by table and position.
	Columns []Column `json:"columns"`
	// Undecided are the columns, schema.table.column, that nobody had decided and
	// that arrived as NULL because the policy says `undecided: empty`.
	Undecided []string `json:"undecided"`
	// Verification is what verification found; nil where the run ended before.
	Verification *verify.Report `json:"verification"`
	// Signature is set by Sign, and by Verify.
	Signature *Signature `json:"signature,omitempty"`
}

// A Policy names a policy file and what was in it.
type Policy struct {
	// File is the file's name as it was given.
	File string `json:"file"`
	// SHA256 is of the file's bytes, in hexadecimal.
	SHA256 string `json:"sha256"`
}

// A Database is one side of the run.
type Database struct {
	// Server is host:port, or the socket's folder.
	Server   string `json:"server,omitempty"`
	Database string `json:"database"`
	// ServerVersion is PostgreSQL's, as in "15.18".
	ServerVersion string `json:"server_version"`
}

// A Table is what became of one table.
type Table struct {
	// Name is schema.table.
	Name string `json:"name"`
	// Rows and Bytes are what was copied, in bytes of COPY text.
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Decision is "rows", or "structure only".
	Decision string `json:"decision"`
}

// A Column is what became of one column.
type Column struct {
	// Table is schema.table.
	Table  string `json:"table"`
	Column string `json:"column"`
	// Path is a JSON pointer where the rule masks one place of documents.
	Path string `json:"path,omitempty"`
	// Action is "keep", "mask", "empty" or "generated".
	Action string `json:"action"`
	// Rule is the canonical text of the rule, or the reason of a keep.
	Rule string `json:"rule,omitempty"`
	// From says which entry of the policy decided.
	From string `json:"from,omitempty"`
	// Rows counts the values that were not NULL, Nulls the others, and Changed the
	// values that the rule made different. Zero for columns that are not masked.
	Rows    int64 `json:"rows"`
	Nulls   int64 `json:"nulls"`
	Changed int64 `json:"changed"`
}

// A Signature is the last member of the document.
type Signature struct {
	// Algorithm is "Ed25519".
	Algorithm string `json:"algorithm"`
	// KeyID says which key signed; see [KeyID].
	KeyID string `json:"key_id"`
	// Value is the signature in base64.
	Value string `json:"value"`
}
