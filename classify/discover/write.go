package discover

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/policy"
)

// write renders the proposal.
func (p *proposal) write() []byte {
	var b bytes.Buffer
	p.writeHead(&b)
	p.writeDefaults(&b)
	p.writePatterns(&b)
	b.WriteString("\ntables:")
	if !p.writeTables(&b) {
		b.WriteString(" {}\n")
	}
	p.writeRest(&b)
	return b.Bytes()
}

const head = `# privet.yaml: what every column of this database holds, and what becomes of it
# in a copy. Proposed from names and types alone; no row was read, so read it as
# you would read a colleague's first draft.
#
# Columns marked "undecided" stop a run. Decide each of them, for example
#   phone:  {class: confidential, type: phone, mask: phone}
#   rating: {keep: nobody's opinion, set by the editors}
# or give a whole table {rows: none} to copy its structure only.
#
`

func (p *proposal) writeHead(b *bytes.Buffer) {
	count := map[verdict]int{}
	columns := 0
	for _, t := range p.tables {
		for _, d := range t.columns {
			count[d.verdict]++
			columns++
		}
	}
	b.WriteString(head)
	fmt.Fprintf(b, "# %s in %s: %d masked, %d kept by pattern, %d kept by name, %d generated, %d undecided.\n",
		plural(columns, "column"), plural(len(p.tables), "table"),
		count[masked], count[byPattern], count[kept], count[generated], count[undecided])
	b.WriteString("version: 1\n\n")
	b.WriteString("# Whose data this is. Keys and pseudonyms belong to the tenant: another name gives\n# other pseudonyms. ")
	if column := p.sharedBy(); column != "" {
		fmt.Fprintf(b, "Most tables have a column %s: if it names the tenant of a\n# row, write {column: %s} instead.\n", printable(column), scalar(column))
	} else {
		b.WriteString("Where tenants share tables, write {column: NAME} instead.\n")
	}
	fmt.Fprintf(b, "tenant: %s\n\n", scalar(p.tenant))
	b.WriteString("# refuse stops a run while anything is undecided; empty lets it arrive as NULL.\nundecided: refuse\n")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeDefaults gives the types that occur their rule, for columns to come.
func (p *proposal) writeDefaults(b *bytes.Buffer) {
	rules := map[classify.Type]string{}
	for _, t := range p.tables {
		for _, d := range t.columns {
			if m := meaningOf(d.typ); d.verdict == masked && m != nil && d.typ != "" && d.rule.String() == m.rules[0] {
				rules[d.typ] = m.rules[0]
			}
		}
	}
	if len(rules) == 0 {
		return
	}
	b.WriteString("\n# The rule of a type, for columns that say their type and no rule.\ndefaults:\n")
	for i := range meanings {
		if rule := rules[meanings[i].typ]; rule != "" {
			fmt.Fprintf(b, "  %s: %s\n", meanings[i].typ, scalar(rule))
		}
	}
}

// writePatterns writes the patterns that catch something.
func (p *proposal) writePatterns(b *bytes.Buffer) {
	used := make([]bool, len(patterns))
	for _, t := range p.tables {
		for _, d := range t.columns {
			if d.verdict == byPattern {
				used[d.pattern] = true
			}
		}
	}
	if !slices.Contains(used, true) {
		return
	}
	b.WriteString("\n# What names and types make certain, in tables to come too. A column's own entry\n# goes first, then the first pattern that matches.\ncolumns:\n")
	for i, pt := range patterns {
		if used[i] {
			fmt.Fprintf(b, "  - {name: %s, sql: [%s], keep: %s}\n", scalar(pt.name), strings.Join(pt.sql, ", "), scalar(pt.why))
		}
	}
}

func (p *proposal) writeTables(b *bytes.Buffer) (any bool) {
	for _, t := range p.cat.Tables {
		tp := p.table(t)
		if tp == nil && (t.Kind != catalog.Foreign || t.IsPartition) {
			continue
		}
		b.WriteString("\n")
		any = true
		if tp == nil {
			fmt.Fprintf(b, "  # A foreign table: its rows are on another server and are not copied.\n  %s: {rows: none}\n", scalar(tableName(t)))
			continue
		}
		tp.write(b)
	}
	return any
}

func (t *tableProposal) write(b *bytes.Buffer) {
	var caught, computed []string
	var own []*decision
	for _, d := range t.columns {
		switch d.verdict {
		case byPattern:
			caught = append(caught, printable(d.column.Name))
		case generated:
			computed = append(computed, printable(d.column.Name))
		default:
			own = append(own, d)
		}
	}
	name := scalar(tableName(t.table))
	if t.table.Kind == catalog.Partitioned {
		b.WriteString("  # Its partitions follow it.\n")
	}
	if t.table.Parent != nil {
		fmt.Fprintf(b, "  # Inherits from %s.\n", printable(t.table.Parent.String()))
	}
	if t.subject == "" && len(own) == 0 {
		fmt.Fprintf(b, "  %s: {}\n", name)
	} else {
		fmt.Fprintf(b, "  %s:\n", name)
	}
	comment(b, "by pattern: ", caught)
	comment(b, "computed by the database: ", computed)
	if t.subject != "" {
		fmt.Fprintf(b, "    subject: %s\n", scalar(t.subject))
	}
	if len(own) > 0 {
		b.WriteString("    columns:\n")
	}
	for _, d := range own {
		d.write(b)
	}
}

// comment writes names as a comment of lines that are not too long.
func comment(b *bytes.Buffer, what string, names []string) {
	line := "    # " + what
	for i, n := range names {
		if i > 0 {
			line += ", "
		}
		if len(line)+len(n) > 100 && i > 0 {
			fmt.Fprintf(b, "%s\n", strings.TrimRight(line, " "))
			line = "    #   "
		}
		line += n
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "%s\n", line)
	}
}

func (d *decision) write(b *bytes.Buffer) {
	var parts []string
	if d.class != classify.Unclassified {
		parts = append(parts, "class: "+d.class.String())
	}
	if d.typ != "" {
		parts = append(parts, "type: "+string(d.typ))
	}
	switch d.verdict {
	case masked:
		parts = append(parts, "mask: "+scalar(d.rule.String()))
	case kept:
		parts = append(parts, "keep: "+scalar(d.why))
	case undecided:
		parts = append(parts, "undecided: "+scalar(d.why))
	}
	fmt.Fprintf(b, "      %s: {%s}  # %s\n", scalar(d.column.Name), strings.Join(parts, ", "), describe(d.column))
}

// describe says a column's type as a comment.
func describe(c *catalog.Column) string {
	s := c.Type
	if c.Domain != "" {
		below := c.BaseType
		if c.MaxLen > 0 {
			below += fmt.Sprintf("(%d)", c.MaxLen)
		}
		if c.Array {
			below += "[]"
		}
		s += ", a domain over " + below
	}
	if len(c.Enum) > 0 {
		s += fmt.Sprintf(", an enum of %s", plural(len(c.Enum), "label"))
	}
	if c.NotNull {
		s += ", not null"
	}
	return printable(s)
}

// writeRest lists what needs no entry.
func (p *proposal) writeRest(b *bytes.Buffer) {
	list := func(what string, names []string) {
		if len(names) > 0 {
			fmt.Fprintf(b, "\n# %s\n", what)
			for _, n := range names {
				fmt.Fprintf(b, "#   %s\n", printable(n))
			}
		}
	}
	var parts, views, own []string
	for _, t := range p.cat.Tables {
		switch {
		case t.IsPartition:
			parts = append(parts, t.String()+", a partition of "+t.Root().String())
		case t.Kind == catalog.MatView:
			views = append(views, t.String())
		case t.Schema == policy.OwnSchema:
			own = append(own, t.String())
		}
	}
	list("Partitions follow the table they belong to:", parts)
	list("Materialized views are rebuilt from the masked tables:", views)
	list("privet's own state arrives without rows:", own)
}

// tableName writes a table as the policy names it: parts that would be taken for
// wildcards, or split, in double quotes.
func tableName(t *catalog.Table) string {
	part := func(s string) string {
		if strings.ContainsAny(s, `."*?`) {
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		return s
	}
	return part(t.Schema) + "." + part(t.Name)
}

var (
	plainScalar = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.()=/-]*( [A-Za-z0-9_.()=/-]+)*$`)
	notText     = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n|~|\.nan|\.inf)$`)
)

// scalar writes a text as a YAML scalar that is the same text inside and outside
// of { }: bare where that is certain, else quoted.
func scalar(s string) string {
	if plainScalar.MatchString(s) && !notText.MatchString(s) {
		return s
	}
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != ' ' || r == unicode.ReplacementChar }) < 0 {
		if !strings.Contains(s, `"`) && !strings.Contains(s, `\`) {
			return `"` + s + `"`
		}
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// printable makes a name safe for a comment: one line, nothing invisible.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
