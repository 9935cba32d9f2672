// Package deployment reads deployment.yaml and opens what it names.
//
// The file belongs to the operator: where the keys and stores are, where the
// sidecar listens, who calls it and may do what, and which databases may be
// overwritten. [Load] reads it strictly (an unknown key is an error with its
// place and the nearest valid word) and [Open] wires the rooms below together.
// Without a file everything is embedded: a local key file and a SQLite keystore
// in the user's state folder, made on first use.
//
// No error of this package holds a password, a passphrase or a token.
package deployment

import (
	"github.com/privet-dev/privet/access"
)

// A Config is a checked deployment.yaml. Paths in it are absolute. Build one
// with [Load], [Parse] or [Default]; it is not changed after that.
type Config struct {
	Version  int               `yaml:"version" jsonschema:"enum=1" jsonschema_description:"Version of this format: 1."`
	Keys     Keys              `yaml:"keys,omitempty" jsonschema_description:"Where the keys are. Without: a local key file and a SQLite keystore in the user's state folder, made on first use."`
	Vault    string            `yaml:"vault,omitempty" jsonschema_description:"PostgreSQL connection of the token vault."`
	Audit    string            `yaml:"audit,omitempty" jsonschema_description:"PostgreSQL connection of the audit log."`
	Listen   Listen            `yaml:"listen,omitempty" jsonschema_description:"Where the sidecar listens."`
	Callers  map[string]Caller `yaml:"callers,omitempty" jsonschema_description:"Who may call the sidecar, by a name of your choice."`
	Roles    map[string][]Rule `yaml:"roles,omitempty" jsonschema_description:"What callers may do: each role is a list of rules. What no rule allows is denied."`
	Targets  map[string]Target `yaml:"targets,omitempty" jsonschema_description:"Databases that a refresh may overwrite. 'privet mask target mark' prints the entry."`
	Insecure string            `yaml:"insecure,omitempty" jsonschema_description:"Why connections without verified TLS to other hosts are acceptable here. Without a reason they are refused."`

	file   string           // the file's path, "" where everything is embedded
	state  string           // the state folder, where the keys are embedded
	places map[string]place // where each value stands in the file, by its path
}

// Keys says where the keys are.
type Keys struct {
	KEK            string   `yaml:"kek" jsonschema_description:"The key-encryption key: awskms:alias/NAME, awskms:ARN, or file:/path of a local key file."`
	Former         []string `yaml:"former,omitempty" jsonschema_description:"Former key-encryption keys, which open roots until 'privet keys rewrap' has moved them. Written as kek is; one that was destroyed may stay, so that 'privet keys status' can tell what that means for old backups."`
	Keystore       string   `yaml:"keystore" jsonschema_description:"The keystore: sqlite:/path, or a PostgreSQL connection (URI or keywords such as service=privet)."`
	Ledger         string   `yaml:"ledger,omitempty" jsonschema_description:"The erasure ledger, which a restored keystore is held against: sqlite:/path, or a PostgreSQL connection. Never the keystore's own file or database. Without it nobody notices that a restore brought erased keys back."`
	PassphraseFile string   `yaml:"passphrase_file,omitempty" jsonschema_description:"File with the passphrase of a local key file. PRIVET_PASSPHRASE_FILE wins over it."`
}

// Listen says where the sidecar listens.
type Listen struct {
	Unix        string `yaml:"unix,omitempty" jsonschema_description:"Path of the unix socket, in a folder of its own."`
	TCP         string `yaml:"tcp,omitempty" jsonschema_description:"Loopback address and port, such as 127.0.0.1:8765. Callers on it need a token_file."`
	Diagnostics string `yaml:"diagnostics,omitempty" jsonschema_description:"Loopback address and port of /livez, /readyz and /version."`
}

// A Caller is one client of the sidecar: how it is recognized, and its roles.
type Caller struct {
	UID       *uint32  `yaml:"uid,omitempty" jsonschema_description:"Numeric user id of the peer on the unix socket."`
	GID       *uint32  `yaml:"gid,omitempty" jsonschema_description:"Numeric primary group id of the peer on the unix socket; a caller with the peer's uid wins."`
	TokenFile string   `yaml:"token_file,omitempty" jsonschema_description:"File with the caller's bearer tokens, one a line, at most two."`
	Roles     []string `yaml:"roles" jsonschema_description:"Names of roles."`
}

// A Rule allows operations within a scope; it becomes an [access.Rule].
type Rule struct {
	Do      []string `yaml:"do" jsonschema_description:"Operations."`
	Tenants []string `yaml:"tenants" jsonschema_description:"Tenants by exact name, or '*' alone for every one."`
	Fields  []string `yaml:"fields,omitempty" jsonschema_description:"Patterns of field names, with * for any run of characters. Without: every field."`
	Domains []string `yaml:"domains,omitempty" jsonschema_description:"Patterns of token and pseudonym domains. Without: every domain."`
}

// A Target is a database that a refresh may overwrite.
type Target struct {
	Name string `yaml:"name" jsonschema_description:"The database's name on its server."`
	Mark string `yaml:"mark" jsonschema_description:"The mark in the database's comment: a date and a nonce."`
}

// File returns the path of the file, or "" where everything is embedded.
func (c *Config) File() string { return c.file }

// StateDir returns the state folder where the keys are embedded, or "".
func (c *Config) StateDir() string { return c.state }

// At returns "file:line:column" of a value by its path ("keys.kek",
// "callers.orders.uid"), or of the nearest thing around it that is in the file.
func (c *Config) At(path string) string {
	if c.file == "" {
		return "embedded defaults"
	}
	return positions(c.places).at(c.file, path)
}

// rules returns the roles as the authorizer takes them.
func (c *Config) rules() map[string][]access.Rule {
	roles := make(map[string][]access.Rule, len(c.Roles))
	for name, rules := range c.Roles {
		roles[name] = []access.Rule{}
		for _, r := range rules {
			roles[name] = append(roles[name], r.access())
		}
	}
	return roles
}

func (r Rule) access() access.Rule {
	rule := access.Rule{Tenants: r.Tenants, Fields: r.Fields, Domains: r.Domains}
	for _, op := range r.Do {
		rule.Do = append(rule.Do, access.Operation(op))
	}
	return rule
}
