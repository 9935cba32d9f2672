package crypto

// Dropping takes keys out of this process's memory at once. A load that began
// before is answered to those who wait for it, and not kept; whoever asks after the
// drop does not join it.

// drop drops the keyring of a tenant's values, or of a subject where one is given.
func (c *Client) drop(tenant, subject string) {
	c.rings.dropKey(cacheKey{tenant, subject})
}

// dropDomain drops one domain keyset of a tenant.
func (c *Client) dropDomain(tenant, name string) {
	c.domains.dropKey(cacheKey{tenant, name})
}

// dropTenant drops the tenant's root and all that it wraps.
func (c *Client) dropTenant(tenant string) {
	of := func(k cacheKey) bool { return k.tenant == tenant }
	c.roots.drop(of)
	c.domains.drop(of)
	c.rings.drop(of)
}

// dropAll drops everything.
func (c *Client) dropAll() {
	all := func(cacheKey) bool { return true }
	c.roots.drop(all)
	c.domains.drop(all)
	c.rings.drop(all)
}
