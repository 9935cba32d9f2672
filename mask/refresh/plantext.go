package refresh

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/privet-dev/privet/policy"
)

// WriteText writes the plan for a person: every table with what happens to each
// of its columns and which entry of the policy says so, then what is worth
// knowing, then what stands in the way.
func (p *Plan) WriteText(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s, PostgreSQL %d: %d tables, about %d rows, %s\n", p.Database, p.ServerVersion/10000, len(p.Tables), p.Rows, megabytes(p.Bytes))
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	parts := map[string][]PlanTable{}
	for _, pt := range p.Tables {
		if pt.PartitionOf != "" {
			parts[pt.PartitionOf] = append(parts[pt.PartitionOf], pt)
		}
	}
	for _, pt := range p.Tables {
		if pt.PartitionOf != "" { // one line under its root, whose decisions it follows
			continue
		}
		fmt.Fprintf(b, "\n%s%s\n", pt.Table, pt.heading())
		for _, part := range parts[pt.Table] {
			part.Tenant, part.Subject = "", "" // the root's
			fmt.Fprintf(b, "  partition %s%s\n", part.Table, part.heading())
		}
		for _, c := range pt.Columns {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", c.Column, c.SQL, c.what(), c.From)
			for _, j := range c.JSON {
				fmt.Fprintf(t, "    %s\t\t%s\t\n", j.Path, strings.TrimSpace(j.Action+" "+j.Rule))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	section(b, "decided by a pattern", p.ByPattern)
	section(b, "arrives empty, because nobody decided it", p.Empty)
	section(b, "entries of the policy that match nothing", p.Unused)
	section(b, "undecided", p.Undecided)
	section(b, "notes", p.Notes)
	if n := len(p.Problems); n > 0 {
		fmt.Fprintf(b, "\na run is not possible: %d problems, listed below\n", n)
	} else {
		fmt.Fprintf(b, "\na run is possible; it holds %d locks on the source at once, of %d there is room for\n", p.Locks, p.LocksMax)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *PlanTable) heading() string {
	if !t.Rows {
		if t.Why != "" {
			return "  structure only: " + t.Why
		}
		return "  structure only"
	}
	var parts []string
	if t.EstimatedRows >= 0 {
		parts = append(parts, fmt.Sprintf("about %d rows", t.EstimatedRows))
	}
	parts = append(parts, megabytes(t.Bytes))
	if t.Tenant != "" {
		parts = append(parts, "tenant "+t.Tenant)
	}
	if t.Subject != "" {
		parts = append(parts, "subject "+t.Subject)
	}
	if t.Into != "" {
		parts = append(parts, "loaded through "+t.Into)
	}
	return "  " + strings.Join(parts, ", ")
}

// what says in a few words what happens to the column.
func (c *PlanColumn) what() string {
	switch c.Action {
	case policy.Keep.String():
		return strings.TrimSuffix("keep: "+c.Why, ": ")
	case policy.Mask.String():
		text := "mask " + c.Rule
		if c.Rule == jsonRule {
			text = "mask by path"
		}
		if c.Output != "" {
			text += " (" + c.Output
			if c.Injective {
				text += ", stays unique"
			}
			text += ")"
		}
		return text
	}
	return strings.ToUpper(c.Action)
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s (%d)\n", title, len(lines))
	for _, l := range lines {
		fmt.Fprintf(b, "  %s\n", l)
	}
}

func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d kB", (n+1023)>>10)
	}
	return fmt.Sprintf("%d MB", n>>20)
}
