package crypto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/internal/fault"
)

// A Scope names one keyring of a tenant: the tenant's value keyring, or, where one
// of them is set, its root, a subject's keyring or a domain's keyset.
type Scope struct {
	// Tenant is whose keyring it is. Mandatory.
	Tenant string
	// Root names the root, which wraps all others.
	Root bool
	// Subject names the keyring of a subject, by the subject's id.
	Subject string
	// Domain names the keyset of a domain.
	Domain string
}

// String returns the scope for messages; the subject's id is not shown.
func (s Scope) String() string {
	switch {
	case s.Root:
		return s.Tenant + "/" + purposeRoot
	case s.Subject != "":
		return s.Tenant + "/" + purposeSubject
	case s.Domain != "":
		return s.Tenant + "/" + purposeDomain + s.Domain
	}
	return s.Tenant + "/" + purposeValue
}

// check returns an error of the family ErrContext unless s names one keyring.
func (s Scope) check() error {
	if err := checkName("tenant", s.Tenant); err != nil {
		return err
	}
	named := 0
	for _, set := range []bool{s.Root, s.Subject != "", s.Domain != ""} {
		if set {
			named++
		}
	}
	switch {
	case named > 1:
		return contextError("the scope names several keyrings", "name the root, a subject or a domain, or nothing for the tenant's values")
	case len(s.Subject) > maxSubject:
		return contextError("the subject's id is longer than 1024 bytes", "use a surrogate id, such as a primary key")
	case s.Domain != "":
		return checkName("domain", s.Domain)
	}
	return nil
}

// id returns the stored name of the keyring.
func (c *Client) scopeID(ctx context.Context, s Scope) (keystore.ID, error) {
	if err := s.check(); err != nil {
		return keystore.ID{}, err
	}
	switch {
	case s.Root:
		return keystore.ID{Tenant: s.Tenant, Purpose: purposeRoot}, nil
	case s.Domain != "":
		return keystore.ID{Tenant: s.Tenant, Purpose: purposeDomain + s.Domain}, nil
	}
	id, err := c.ringID(ctx, s.Tenant, s.Subject, read)
	if errors.Is(err, errAbsent) {
		return keystore.ID{}, absent(s)
	}
	return id, err
}

// absent says that a keyring is not there.
func absent(s Scope) error {
	return &fault.Error{
		Kind: fault.Data,
		Msg:  fmt.Sprintf("crypto: there is no keyring %s", s),
		Hint: "keyrings are made when they are first needed; check tenant and name",
		Err:  ErrKeyring,
	}
}

// dropScope drops this process's copies of what s names.
func (c *Client) dropScope(s Scope) {
	switch {
	case s.Root:
		c.dropTenant(s.Tenant)
	case s.Domain != "":
		c.dropDomain(s.Tenant, s.Domain)
	default:
		c.drop(s.Tenant, s.Subject)
	}
}

// neverRotated are the domains whose keys other things hang on for ever: the stored
// names of all subject keyrings, and signatures that must stay verifiable.
var neverRotated = []string{domainSubjects, domainSigning}

// changeable refuses a scope whose keys must not change.
func (s Scope) changeable() error {
	if !slices.Contains(neverRotated, s.Domain) {
		return nil
	}
	return &fault.Error{
		Kind: fault.Guard,
		Msg:  fmt.Sprintf("crypto: the keys of the domain %q never change", s.Domain),
		Hint: "subjects would lose their keyrings, signatures their key; rotating the root and rewrapping protects these keys too",
		Err:  ErrFixed,
	}
}

// ErrFixed says that keys were to be rotated, disabled or enabled that never change.
var ErrFixed = errors.New("crypto: these keys never change")

// A KeyID is the id of one key of a keyring: what a ciphertext names it by. It is
// written as 8 hexadecimal digits.
type KeyID uint32

// String returns 8 hexadecimal digits.
func (k KeyID) String() string { return fmt.Sprintf("%08x", uint32(k)) }

// MarshalText returns what String does.
func (k KeyID) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// ParseKeyID reads 1 to 8 hexadecimal digits, with or without "0x".
func ParseKeyID(s string) (KeyID, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 32)
	if err != nil {
		return 0, fault.New(fault.Config, "crypto: %q is no key id", s).
			WithHint("a key id is 8 hexadecimal digits, as 'privet keys list --keys' prints them")
	}
	return KeyID(n), nil
}

// isDomain reports whether a stored purpose is that of a domain's keyset.
func isDomain(purpose string) bool { return strings.HasPrefix(purpose, purposeDomain) }
