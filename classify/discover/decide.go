package discover

import (
	"fmt"
	"slices"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
)

// decideTable decides the columns of one table, each for itself. What ties
// columns together comes after all tables are decided.
func (p *proposal) decideTable(t *catalog.Table) *tableProposal {
	tp := &tableProposal{table: t}
	split := p.partitionKeys(t)
	for _, c := range t.Columns {
		d := p.decideColumn(t, c)
		if d.verdict == masked && split[c.Name] {
			d.undecide(whyPartitionKey)
		}
		tp.columns = append(tp.columns, d)
	}
	return tp
}

func (d *decision) undecide(why string) {
	d.verdict, d.why = undecided, why
}

// partitionKeys returns the columns by which t or a partition of it is split.
func (p *proposal) partitionKeys(t *catalog.Table) map[string]bool {
	keys := map[string]bool{}
	for _, part := range p.cat.Tables {
		if part.Root() == t {
			for _, k := range part.PartitionKey {
				keys[k] = true
			}
		}
	}
	return keys
}

func (p *proposal) decideColumn(t *catalog.Table, c *catalog.Column) *decision {
	d := &decision{table: t, column: c}
	if c.Generated {
		d.verdict = generated
		return d
	}
	words := tokens(c.Name)
	g := guessName(words)
	if g.meaning == nil {
		g = guessPlainName(tokens(t.Name), words)
	}
	if m := meaningOfType(c); m != nil && (g.meaning == nil || !plausible(g.typ, c)) {
		g = guess{meaning: m}
	}
	if g.meaning != nil && plausible(g.typ, c) {
		// What a yes or no or a label is about says as much: is_pregnant, health_status.
		if s := shape(c); g.negative == "" || s == shapeBool || s == shapeEnum {
			p.followGuess(d, g)
			return d
		}
		if shape(c) == shapeText {
			d.class = classify.Internal
			d.undecide(fmt.Sprintf("the name speaks of %s, and of %q", spoken(g), g.negative))
			return d
		}
	}
	if i := matchPattern(c); i >= 0 {
		if patterns[i].why == surrogate && slices.ContainsFunc(words, func(w string) bool { return foreignWords[w] }) {
			d.class = classify.Confidential
			d.undecide("an id that another system gave finds its person there")
			return d
		}
		d.verdict, d.pattern = byPattern, i
		return d
	}
	if why := certain(t, c, words); why != "" {
		d.verdict, d.why = kept, why
		return d
	}
	d.undecide(doubt(c))
	return d
}

// followGuess proposes what the lexicon says, as far as a rule fits the column.
func (p *proposal) followGuess(d *decision, g guess) {
	d.class, d.typ = g.class, g.typ
	if g.rules == nil {
		d.undecide(g.why)
		return
	}
	rules := g.rules
	if d.column.BaseType == "uuid" {
		rules = []string{"null", "uuid"}
	}
	d.rule = p.firstThatFits(rules, d.table, d.column, g.typ)
	switch {
	case !d.rule.IsZero():
		d.verdict = masked
	case p.unique[d.column]:
		d.undecide(fmt.Sprintf("no rule for %s fits the type, the length and the unique index", spoken(g)))
	default:
		d.undecide(fmt.Sprintf("no rule for %s fits the type and the length", spoken(g)))
	}
}

// spoken names what a guess is about.
func spoken(g guess) string {
	if g.typ == "" {
		return "a special category of data"
	}
	return string(g.typ)
}

// meaningOfType returns what a column's type alone says.
func meaningOfType(c *catalog.Column) *meaning {
	switch c.BaseType {
	case "inet", "cidr":
		return meaningOf(classify.IPAddress)
	case "macaddr", "macaddr8":
		return meaningOf(classify.MACAddress)
	case "geometry", "geography":
		return meaningOf(classify.GeoLocation)
	}
	return nil
}

// safeCodes are names of text columns that hold a code of a few letters, where
// the column has room for no more.
var safeCodes = wordSet("currency locale language lang timezone")

// closedLists are names of enumerations that describe a row's state, not a person.
var closedLists = wordSet("status state type kind category mode rating priority currency language locale channel method visibility role")

// certain returns why a column that no pattern catches is kept, or "".
func certain(t *catalog.Table, c *catalog.Column, words []string) string {
	switch shape(c) {
	case shapeBool:
		return yesOrNo
	case shapeEnum:
		if len(words) > 0 && closedLists[words[len(words)-1]] && !c.Array {
			return fmt.Sprintf("one of the %d labels of an enumeration", len(c.Enum))
		}
	case shapeInteger:
		if slices.Contains(t.PrimaryKey, c.Name) && (c.Identity || c.HasDefault) {
			return surrogate
		}
		if c.Array && len(words) > 1 && words[len(words)-1] == "ids" {
			return "surrogate keys"
		}
	case shapeUUID:
		if slices.Contains(t.PrimaryKey, c.Name) {
			return surrogate
		}
	case shapeText:
		if c.MaxLen > 0 && c.MaxLen <= 10 && !c.Array && len(words) > 0 && safeCodes[words[0]] &&
			(len(words) == 1 || len(words) == 2 && words[1] == "code") {
			return "a code"
		}
	}
	return ""
}

// doubt says why a column is undecided, by what its type can hold.
func doubt(c *catalog.Column) string {
	switch {
	case c.TypeKind == 'c':
		return "a composite: no rule reaches its fields"
	case c.Array && shape(c) == shapeDocument:
		return "documents in an array: mask it whole, or keep it with a reason"
	}
	switch shape(c) {
	case shapeText:
		return "text, and the name does not say whose"
	case shapeDocument:
		return "a document: decide its paths under json, or mask it whole"
	case shapeEnum:
		return "an enumeration whose name does not say what it is about"
	case shapeInteger, shapeDecimal:
		return "a number, and the name does not say of what"
	case shapeDate:
		return "a moment in somebody's life or in the business: keep it with a reason, or date_shift"
	case shapeUUID:
		return "a UUID that may be known to other systems"
	case shapeBytes:
		return "bytes, which may be anything"
	}
	switch c.BaseType {
	case "tsvector":
		return "a search index repeats the words of other columns"
	case "xml", "hstore":
		return "a document: mask it whole, or keep it with a reason"
	}
	return "no rule reaches into this type"
}
