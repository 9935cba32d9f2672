// Package catalog reads what a PostgreSQL database (14 to 18) holds: tables,
// columns with their types resolved, keys, sequences, extensions. No row of
// any table is read.
//
// Start with [Read]. It works in whatever transaction the connection is in, so
// that a caller who holds locks or a snapshot sees the schema that goes with
// them, and asks a fixed number of questions however many tables there are.
//
// Everything a Catalog holds is in a fixed order (bytes of schema and name,
// columns by number), so that two reads of one schema are equal.
package catalog

import (
	"cmp"
	"slices"
)

// MinVersion is the oldest server that [Read] accepts, as PostgreSQL's
// server_version_num.
const MinVersion = 140000

// A Catalog is one database's schema as one role sees it. It is read once and
// not changed afterwards; concurrent readers are safe.
type Catalog struct {
	// Database is the name of the database.
	Database string
	// ServerVersion is server_version_num: 150018 for 15.18.
	ServerVersion int
	// Tables holds everything that has rows of its own or above others:
	// ordinary, partitioned and foreign tables, partitions, materialized views.
	Tables []*Table
	// Views holds the plain views. They have no rows of their own.
	Views []View
	// ForeignKeys holds the foreign keys between Tables. Those of partitions
	// stand once, at the roots on both sides.
	ForeignKeys []*ForeignKey
	// Sequences holds the sequences, those behind serial and identity columns
	// included.
	Sequences []*Sequence
	// Extensions holds the names of the installed extensions. Tables, views and
	// sequences that belong to one are not listed above.
	Extensions []string

	byName map[qualified]*Table
}

type qualified struct{ schema, name string }

// Table returns the table of that schema and name (bytes as the catalog holds
// them, without quotes), or nil.
func (c *Catalog) Table(schema, name string) *Table {
	if c.byName != nil {
		return c.byName[qualified{schema, name}]
	}
	for _, t := range c.Tables {
		if t.Schema == schema && t.Name == name {
			return t
		}
	}
	return nil
}

// A View is a plain view: a query with a name.
type View struct {
	Schema, Name string
}

// String returns schema.name, without quotes.
func (v View) String() string { return v.Schema + "." + v.Name }

func compareNames(aSchema, aName, bSchema, bName string) int {
	return cmp.Or(cmp.Compare(aSchema, bSchema), cmp.Compare(aName, bName))
}

// arrange puts everything into its fixed order and builds the index by name.
func (c *Catalog) arrange() {
	slices.SortFunc(c.Tables, func(a, b *Table) int {
		return compareNames(a.Schema, a.Name, b.Schema, b.Name)
	})
	slices.SortFunc(c.Views, func(a, b View) int {
		return compareNames(a.Schema, a.Name, b.Schema, b.Name)
	})
	slices.SortFunc(c.Sequences, func(a, b *Sequence) int {
		return compareNames(a.Schema, a.Name, b.Schema, b.Name)
	})
	slices.SortFunc(c.ForeignKeys, func(a, b *ForeignKey) int {
		return cmp.Or(
			compareNames(a.Table.Schema, a.Table.Name, b.Table.Schema, b.Table.Name),
			cmp.Compare(a.Name, b.Name))
	})
	slices.Sort(c.Extensions)
	c.byName = make(map[qualified]*Table, len(c.Tables))
	for _, t := range c.Tables {
		c.byName[qualified{t.Schema, t.Name}] = t
	}
}
