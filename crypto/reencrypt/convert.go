package reencrypt

import (
	"bytes"
	"errors"
	"slices"

	"github.com/privet-dev/privet/crypto"
)

func (p *page) fill() error {
	if p.DryRun {
		// Encrypting would make keys.
		p.updates = make([]update, len(p.ready))
		return nil
	}
	items := make([]crypto.Item, len(p.ready))
	for n, i := range p.ready {
		items[n] = crypto.Item{Data: p.rows[i].Values[plainAt], At: p.at[i]}
	}
	for n, result := range p.Client.EncryptBatch(p.ctx, items) {
		i := p.ready[n]
		if result.Err != nil {
			if err := p.failed(i, result.Err); err != nil {
				return err
			}
			continue
		}
		index, err := p.index(i, items[n].Data)
		if err != nil {
			return err
		}
		p.updates = append(p.updates, update{row: p.rows[i], enc: p.stored(result.Data), index: index})
	}
	return nil
}

func (p *page) refresh() error {
	plaintexts, err := p.open()
	if err != nil {
		return err
	}
	var stale []crypto.Item
	var of, row []int // the update and the row of each
	for n, i := range p.ready {
		if plaintexts[n] == nil {
			continue
		}
		ciphertext, err := p.ciphertext(i)
		if err != nil {
			return err
		}
		old, err := p.Client.Stale(p.ctx, ciphertext, p.at[i])
		if err != nil {
			if err := p.failed(i, err); err != nil {
				return err
			}
			continue
		}
		index, err := p.index(i, plaintexts[n])
		if err != nil {
			return err
		}
		if !old && bytes.Equal(index, p.rows[i].Values[indexAt]) {
			continue
		}
		if old {
			stale = append(stale, crypto.Item{Data: plaintexts[n], At: p.at[i]})
			of, row = append(of, len(p.updates)), append(row, i)
		}
		p.updates = append(p.updates, update{row: p.rows[i], enc: p.rows[i].Values[encAt], index: index})
	}
	if p.DryRun {
		return nil
	}
	for n, result := range p.Client.EncryptBatch(p.ctx, stale) {
		u := &p.updates[of[n]]
		if u.enc = p.stored(result.Data); result.Err != nil {
			u.enc = nil // erased since it was opened
			if err := p.failed(row[n], result.Err); err != nil {
				return err
			}
		}
	}
	p.updates = slices.DeleteFunc(p.updates, func(u update) bool { return u.enc == nil })
	return nil
}

func (p *page) clear() error {
	plaintexts, err := p.open()
	if err != nil {
		return err
	}
	for n, i := range p.ready {
		switch row := p.rows[i]; {
		case row.Values[encAt] == nil:
			p.leave(i, &p.counts.Unfilled, ErrUnfilled)
		case plaintexts[n] == nil: // counted already
		case !bytes.Equal(plaintexts[n], row.Values[plainAt]):
			p.leave(i, &p.counts.Different, ErrDifferent)
		default:
			p.updates = append(p.updates, update{row: row})
		}
	}
	return nil
}

// open returns the plaintexts of the rows that are ready, nil for those without a
// ciphertext and for those that are counted as left.
func (p *page) open() ([][]byte, error) {
	var items []crypto.Item
	var of []int
	for n, i := range p.ready {
		if p.rows[i].Values[encAt] == nil {
			continue
		}
		ciphertext, err := p.ciphertext(i)
		if err != nil {
			if err := p.failed(i, err); err != nil {
				return nil, err
			}
			continue
		}
		items = append(items, crypto.Item{Data: ciphertext, At: p.at[i]})
		of = append(of, n)
	}
	out := make([][]byte, len(p.ready))
	for k, result := range p.Client.DecryptBatch(p.ctx, items) {
		if result.Err != nil {
			if err := p.failed(p.ready[of[k]], result.Err); err != nil {
				return nil, err
			}
			continue
		}
		if out[of[k]] = result.Data; result.Data == nil {
			out[of[k]] = []byte{}
		}
	}
	return out, nil
}

// ciphertext returns the bytes of what the encrypted column holds.
func (p *page) ciphertext(i int) ([]byte, error) {
	stored := p.rows[i].Values[encAt]
	if p.raw(encAt) {
		return stored, nil
	}
	return crypto.DecodeText(string(stored))
}

// stored returns the form of a ciphertext that the encrypted column holds.
func (p *page) stored(ciphertext []byte) []byte {
	if p.raw(encAt) {
		return ciphertext
	}
	return crypto.AppendText(nil, ciphertext)
}

// index returns the index value of a plaintext, nil where it has none or there is no
// index column.
func (p *page) index(i int, plaintext []byte) ([]byte, error) {
	if p.of[indexAt] == nil {
		return nil, nil
	}
	tenant := p.at[i].Tenant
	x := p.indexes[tenant]
	if x == nil {
		cfg := p.IndexConfig
		if cfg.Tenant = tenant; cfg.Field == "" {
			cfg.Field = p.Field
		}
		var err error
		if x, err = p.Client.BlindIndex(p.ctx, cfg); err != nil {
			return nil, err
		}
		if len(p.indexes) >= maxIndexes {
			clear(p.indexes)
		}
		p.indexes[tenant] = x
	}
	value, err := x.Append(p.ctx, nil, plaintext)
	if errors.Is(err, crypto.ErrNormalize) {
		p.counts.NoIndex++
		return nil, nil
	}
	return value, err
}

// maxIndexes bounds how many tenants' index keys are kept.
const maxIndexes = 1024
