package crypto

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// ErrVersion says that a domain has no such version, or that it was disabled.
var ErrVersion = errors.New("crypto: no such version of the domain")

// SubkeyVersion is [Client.Subkey] of one version of the domain, which stays what it
// was when the domain is rotated: version 1 is the key that the domain's keyset began
// with, each [Client.Rotate] adds the next. Version 0 means the newest. What must be
// found again later (pseudonyms, blind indexes) is stored with its version and asked
// for by it. A version that is not there, or is disabled, is [ErrVersion].
func (c *Client) SubkeyVersion(ctx context.Context, tenant, domain string, version int, purpose string, n int) ([]byte, error) {
	switch {
	case strings.HasPrefix(domain, reservedDomains):
		return nil, contextError(fmt.Sprintf("the domain %q is reserved", domain), `choose a name that does not begin with "privet/"`)
	case version == 0:
		return c.Subkey(ctx, tenant, domain, purpose, n)
	case n < 1 || n > maxSubkey:
		return nil, contextError(fmt.Sprintf("a subkey of %d bytes; 1 to %d are possible", n, maxSubkey), "")
	}
	if err := checkName("purpose", purpose); err != nil {
		return nil, err
	}
	d, err := c.domain(ctx, tenant, domain, create)
	if err != nil {
		return nil, err
	}
	if !d.knows(version) {
		// Another process may have rotated the domain since it was read.
		if d, err = c.renewDomain(ctx, tenant, domain, version); err != nil {
			return nil, err
		}
	}
	for i := range d.versions {
		if d.versions[i].version == version {
			return d.versions[i].compute(subkeyInput(tenant, domain, purpose), n)
		}
	}
	return nil, &fault.Error{
		Kind: fault.Data,
		Msg:  fmt.Sprintf("crypto: the domain %q of tenant %q has no version %d that may be used; the newest is %d", domain, tenant, version, d.newest()),
		Hint: "'privet keys rotate --domain' makes the next version, 'privet keys enable' brings a disabled one back",
		Err:  ErrVersion,
	}
}

// DomainVersion returns the newest version of a tenant's domain, the one that
// [Client.Subkey] works with, 1 until it is rotated for the first time. The keyset is
// made where there is none. A rotation by another process shows within the cache's
// life.
func (c *Client) DomainVersion(ctx context.Context, tenant, domain string) (int, error) {
	if strings.HasPrefix(domain, reservedDomains) {
		return 0, contextError(fmt.Sprintf("the domain %q is reserved", domain), `choose a name that does not begin with "privet/"`)
	}
	d, err := c.domain(ctx, tenant, domain, create)
	if err != nil {
		return 0, err
	}
	return d.newest(), nil
}

// newest returns the version of the primary key.
func (d *domain) newest() int { return d.versions[0].version }

// knows reports whether version was there when the keyset was read, disabled or not.
func (d *domain) knows(version int) bool {
	return version >= 1 && version <= d.newest()
}
