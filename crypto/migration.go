package crypto

import "sync/atomic"

// A Migration lists fields whose plaintexts may still stand where ciphertexts belong,
// because the table was there before its encryption. While it lasts, [Client.Open] and
// the columns of package column read such a plaintext as it is, and count it.
//
// It is for the weeks between the first encrypted write and the end of the filling, and
// is a hole as long as it lasts: whoever can write to the table can put a plaintext of
// their choice in the place of a ciphertext, and it is believed. When the counters stand
// still, End it: from then on a plaintext is refused, as it always is without a
// Migration.
//
// A Migration is safe for concurrent use. Its methods may be called on nil, which admits
// nothing.
type Migration struct {
	fields map[string]*migrating
}

type migrating struct {
	reads atomic.Int64
	ended atomic.Bool
}

// NewMigration returns a migration of these fields, named as in [Context]: put it into
// [Config.Migration].
func NewMigration(fields ...string) *Migration {
	m := &Migration{fields: make(map[string]*migrating, len(fields))}
	for _, f := range fields {
		m.fields[f] = &migrating{}
	}
	return m
}

// Reads returns how often a plaintext of the field was read in this process.
func (m *Migration) Reads(field string) int64 {
	if m == nil || m.fields[field] == nil {
		return 0
	}
	return m.fields[field].reads.Load()
}

// End ends the migration of these fields, or of all where none is named, for good.
func (m *Migration) End(fields ...string) {
	if m == nil {
		return
	}
	for name, f := range m.fields {
		if len(fields) == 0 {
			f.ended.Store(true)
		}
		for _, end := range fields {
			if end == name {
				f.ended.Store(true)
			}
		}
	}
}

// Admit reports whether a plaintext of the field may be read now, and counts it where it
// may. It is for those who read columns themselves.
func (m *Migration) Admit(field string) bool {
	if m == nil {
		return false
	}
	f := m.fields[field]
	if f == nil || f.ended.Load() {
		return false
	}
	f.reads.Add(1)
	return true
}

// Migration returns the client's migration, nil where there is none.
func (c *Client) Migration() *Migration { return c.migration }
