package crypto

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"hash"
)

// A subjectNamer computes the stored names of many subjects of one tenant, as
// [domain.subjectHash] does of one. It belongs to one goroutine.
type subjectNamer struct{ mac hash.Hash }

func newSubjectNamer(d *domain, tenant string) (*subjectNamer, error) {
	key, err := d.compute(subkeyInput(tenant, domainSubjects, "subject id"), sha256.Size)
	if err != nil {
		return nil, err
	}
	return &subjectNamer{hmac.New(sha256.New, key)}, nil
}

func (n *subjectNamer) name(subject string) string {
	n.mac.Reset()
	n.mac.Write([]byte(subject))
	return string(n.mac.Sum(nil))
}

// subjectNamers returns the namers of the tenants whose subjects are among keys, or
// why there is none.
func (c *Client) subjectNamers(ctx context.Context, in intent, keys []cacheKey) (map[string]*subjectNamer, map[string]error) {
	namers, errs := map[string]*subjectNamer{}, map[string]error{}
	var wanted []cacheKey
	for _, k := range keys {
		if _, ok := namers[k.tenant]; !ok && k.name != "" {
			namers[k.tenant] = nil
			wanted = append(wanted, cacheKey{k.tenant, domainSubjects})
		}
	}
	if len(wanted) == 0 {
		return namers, errs
	}
	domains, failed := c.domains.loadAll(ctx, wanted, in)
	for i, k := range wanted {
		err := failed[i]
		if err == nil {
			namers[k.tenant], err = newSubjectNamer(domains[i], k.tenant)
		}
		errs[k.tenant] = err
	}
	return namers, errs
}
