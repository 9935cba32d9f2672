package copytext

import (
	"fmt"

	"github.com/privet-dev/privet/mask"
)

// A tenantCache keeps the maskers of the tenants seen last. Rows of one tenant
// tend to stand together, so the last one is looked at first.
type tenantCache struct {
	limit int
	last  *tenant
	all   map[string]*tenant
}

type tenant struct {
	name    string
	maskers []mask.Masker
}

// tenantMaskers returns the maskers of the tenant that a raw column names. A
// name that is found allocates nothing.
func (r *Rewriter) tenantMaskers(raw []byte) ([]mask.Masker, error) {
	if IsNull(raw) {
		return nil, errNullTenant
	}
	name, err := r.plain(&r.value, raw)
	if err != nil {
		return nil, err
	}
	c := &r.tenants
	if c.last != nil && c.last.name == string(name) {
		return c.last.maskers, nil
	}
	t := c.all[string(name)]
	if t == nil {
		t = &tenant{name: string(name)}
		if t.maskers, err = r.layout.Maskers(t.name); err != nil {
			return nil, err
		}
		if len(t.maskers) != len(r.layout.Fields) {
			return nil, fmt.Errorf("the tenant has %d maskers for %d masked columns", len(t.maskers), len(r.layout.Fields))
		}
		c.keep(t)
	}
	c.last = t
	return t.maskers, nil
}

// keep adds a tenant; a full cache loses one of its tenants, whichever.
func (c *tenantCache) keep(t *tenant) {
	if c.all == nil {
		c.all = make(map[string]*tenant)
	}
	for k := range c.all {
		if len(c.all) < c.limit {
			break
		}
		delete(c.all, k)
	}
	c.all[t.name] = t
}
