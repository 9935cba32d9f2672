package crypto

import (
	"context"
	"errors"
)

// An Item is one value of a batch: a plaintext or a ciphertext, and whose it is.
type Item struct {
	Data []byte
	At   Context
}

// A Result is what became of one item: the ciphertext or plaintext, or why there is
// none.
type Result struct {
	Data []byte
	Err  error
}

// EncryptBatch encrypts items of any number of tenants and subjects, and returns one
// result for each, in their order. Keyrings that are not in memory are read together
// by one call of the keystore, and those that do not exist yet are stored together;
// the key service is called at most once per tenant, as for a single value. An item
// that fails leaves the others alone; the errors are those of [Client.Encrypt].
func (c *Client) EncryptBatch(ctx context.Context, items []Item) []Result {
	return c.batch(ctx, items, create, func(r *keyring, item *Item, ad []byte) ([]byte, error) {
		return r.primary.seal(nil, item.Data, ad)
	})
}

// DecryptBatch is EncryptBatch for ciphertexts; the errors are those of
// [Client.Decrypt].
func (c *Client) DecryptBatch(ctx context.Context, items []Item) []Result {
	asked := c.clock.exact()
	return c.batch(ctx, items, read, func(r *keyring, item *Item, ad []byte) ([]byte, error) {
		if r.find(item.Data) == nil {
			newest, err := c.newer(ctx, &item.At, r, item.Data, asked)
			if errors.Is(err, errAbsent) {
				return nil, ErrDecrypt
			}
			if err != nil {
				return nil, err
			}
			r = newest
		}
		return r.open(nil, item.Data, ad)
	})
}

func (c *Client) batch(ctx context.Context, items []Item, in intent, do func(*keyring, *Item, []byte) ([]byte, error)) []Result {
	results := make([]Result, len(items))
	rings := c.ringsOf(ctx, items, in, results)
	var ad []byte
	for i := range items {
		if rings[i] == nil {
			if errors.Is(results[i].Err, errAbsent) {
				results[i].Err = ErrDecrypt
			}
			continue
		}
		ad = items[i].At.appendAD(ad[:0])
		results[i].Data, results[i].Err = do(rings[i], &items[i], ad)
	}
	return results
}

// ringsOf returns the keyring of each item, or nil where its result says why not.
func (c *Client) ringsOf(ctx context.Context, items []Item, in intent, results []Result) []*keyring {
	rings := make([]*keyring, len(items))
	var missing []cacheKey
	waiting := map[cacheKey][]int{} // the items that want a missing keyring
	for i := range items {
		at := &items[i].At
		k := cacheKey{at.Tenant, at.Subject}
		if results[i].Err = at.check(); results[i].Err != nil {
			continue
		}
		if rings[i] = c.rings.get(k); rings[i] != nil {
			continue
		}
		if _, ok := waiting[k]; !ok {
			if results[i].Err = checkName("tenant", at.Tenant); results[i].Err != nil {
				continue
			}
			missing = append(missing, k)
		}
		waiting[k] = append(waiting[k], i)
	}
	if len(missing) == 0 {
		return rings
	}
	loaded, errs := c.rings.loadAll(ctx, missing, in)
	for n, k := range missing {
		for _, i := range waiting[k] {
			rings[i], results[i].Err = loaded[n], errs[n]
		}
	}
	return rings
}
