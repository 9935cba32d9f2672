// Package policy reads privet.yaml, the data map: one file, reviewed like code,
// that says of every table and column what it holds and what happens to it.
// Classification, masking and retention all read it.
//
//	p, err := policy.Load("privet.yaml")      // strict: file, line and column in every error
//	r, err := p.Resolve(cat)                  // held against a database's catalog
//	if err := r.Check(); err != nil { ... }   // names every column that nobody decided
//	for _, t := range r.Tables { ... }        // what happens to each column, and why
//
// # The file
//
//	version: 1
//	tenant: acme                       # or {column: org_id}, or {schema: "tenant_*"}
//	undecided: refuse                  # or empty: what is undecided arrives as NULL
//	defaults: {email: email}           # rule by type, where a column says none
//	columns:                           # patterns; the first that matches decides
//	  - {name: "*_id", sql: [int8, uuid], keep: surrogate key}
//	  - {name: "*email", class: confidential, type: email}
//	tables:
//	  public.customer:
//	    subject: customer_id
//	    columns:
//	      first_name: {class: confidential, type: person_name, mask: first_name}
//	      notes: undecided             # seen, not decided: stops a run
//	  "tenant_*.orders": {columns: {note: {mask: redact_text}}}
//	  public.audit_log: {rows: none}   # structure only
//
// # Who decides a column
//
// Every column is decided: by `mask`, by the default rule of its `type`, or by
// `keep` with a reason. Its own entry in its table comes first and counts alone;
// without one, the first of the patterns under `columns` that matches. A table
// whose name is written out takes that entry, any other the first entry whose
// wildcards match. What is left is undecided: with `undecided: refuse` it stops
// the run, with `undecided: empty` it arrives as NULL where the column allows
// that, and a table the file does not know arrives without rows. Nothing copies
// undecided data.
//
// Where a json or jsonb column has a `json` map, each path is decided like a
// column. A path is a JSON pointer in which `*` stands for any one key or index.
//
// Some relations are not decided column by column:
//
//   - A partition follows the table it is a partition of. An entry of its own
//     may say `rows: none` and nothing else; wildcards do not reach it.
//   - A child by plain inheritance is a table like any other.
//   - A generated column is computed by the database from what its neighbours
//     became.
//   - A materialized view is rebuilt from the masked tables and has no entry.
//   - A foreign table's rows are on another server, and whoever reads the copy
//     reads them there: it needs `rows: none`, which lets its definition through,
//     and is undecided without, also with `undecided: empty`.
//
// # Documents
//
// `documents` says the same of the JSON documents that services hand to the
// sidecar: where tenant and subject stand in them, and for each path `protect`
// (encrypt or tokenize, which reveal turns back), `mask` or `keep`.
//
// # Names
//
// Tables are written schema.table. `*` stands for any characters and `?` for
// one, in either part; a part in double quotes is taken literally. Case counts,
// as in the catalog.
//
// # What YAML is not used for
//
// One document; no anchors, aliases, merge keys or tags; no key twice. What a
// reviewer reads is what counts. A pattern such as *_id needs quotes, and so do
// rules with a comma inside { }: "date_shift(days=30, by=subject)".
package policy
