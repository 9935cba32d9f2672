package crypto

import (
	"encoding/binary"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/fault"
)

// A Context says whose value is encrypted and which value it is. It selects the
// key (tenant, subject) and is bound to the ciphertext as associated data: it is
// not stored there, and a ciphertext opens under an equal Context only.
type Context struct {
	// Tenant is whose data it is, at most 255 bytes of UTF-8 without control
	// characters. It reaches the key service's logs. Mandatory.
	Tenant string
	// Subject is the surrogate id of the person the value is about, at most 1024
	// bytes, or "" where it is about nobody. Values of one subject are encrypted
	// under keys of its own, which can be destroyed with it.
	Subject string
	// Field is a stable name of the value, "customer.email", at most 255 bytes.
	// Whoever renames it loses what was encrypted under the old name, so it is never
	// derived from a Go identifier. Mandatory.
	Field string
}

// Limits of names in bytes.
const (
	maxName    = 255
	maxSubject = 1024
)

const (
	valueLabel   = "privet/1"
	keyringLabel = "privet/keyring/1"
)

// check returns an error of the family ErrContext unless c can be used. It looks
// at lengths only: what a tenant's name is made of is checked once, when its keys
// are loaded.
func (c *Context) check() error {
	if c.Tenant == "" || c.Field == "" || len(c.Tenant) > maxName || len(c.Field) > maxName || len(c.Subject) > maxSubject {
		return c.describe()
	}
	return nil
}

func (c *Context) describe() error {
	switch {
	case c.Tenant == "":
		return contextError("the context names no tenant", "say whose data the value is")
	case c.Field == "":
		return contextError("the context names no field", `give the value a stable name, such as "customer.email"`)
	case len(c.Tenant) > maxName:
		return contextError("the tenant's name is longer than 255 bytes", "use a short id")
	case len(c.Field) > maxName:
		return contextError("the field's name is longer than 255 bytes", "use a short name")
	}
	return contextError("the subject's id is longer than 1024 bytes", "use a surrogate id, such as a primary key")
}

func contextError(msg, hint string) error {
	return &fault.Error{Kind: fault.Data, Msg: "crypto: " + msg, Hint: hint, Err: ErrContext}
}

// checkName returns an error of the family ErrContext unless name can name a
// tenant, domain or key: what names it is said in kind.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return contextError(fmt.Sprintf("the %s has no name", kind), "")
	case len(name) > maxName:
		return contextError(fmt.Sprintf("the %s's name is longer than 255 bytes", kind), "use a short id")
	case !utf8.ValidString(name):
		return contextError(fmt.Sprintf("the %s's name is not UTF-8", kind), "")
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return contextError(fmt.Sprintf("the %s's name holds a control character", kind), "")
		}
	}
	return nil
}

// appendAD appends the associated data of a value. [contract]
func (c *Context) appendAD(dst []byte) []byte {
	dst = append(dst, valueLabel...)
	dst = appendPrefixed(dst, c.Tenant)
	dst = appendPrefixed(dst, c.Subject)
	return appendPrefixed(dst, c.Field)
}

// appendKeyringAD appends the associated data of a wrapped keyring; subject is the
// keyed hash, or "". [contract]
func appendKeyringAD(dst []byte, tenant, subject, purpose string, parent uint32) []byte {
	dst = append(dst, keyringLabel...)
	dst = appendPrefixed(dst, tenant)
	dst = appendPrefixed(dst, subject)
	dst = appendPrefixed(dst, purpose)
	return binary.BigEndian.AppendUint32(dst, parent)
}

// appendPrefixed appends the length of s as a big-endian uint32, then s.
func appendPrefixed(dst []byte, s string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(s)))
	return append(dst, s...)
}
