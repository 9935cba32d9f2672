package discover

import (
	"slices"
	"strings"

	"github.com/privet-dev/privet/internal/catalog"
)

// A pattern is one line under the policy's columns: what it catches is kept in
// every table, also in those that come later.
type pattern struct {
	name string // with at most one *, at either end
	sql  []string
	why  string
}

var (
	integers = []string{"int2", "int4", "int8"}
	keyTypes = []string{"int2", "int4", "int8", "uuid"}
	moments  = []string{"timestamptz", "timestamp"}
	days     = []string{"timestamptz", "timestamp", "date"}
	booleans = []string{"bool"}
	uuids    = []string{"uuid"}
)

const (
	surrogate   = "surrogate key"
	bookkeeping = "row bookkeeping"
	yesOrNo     = "yes or no"
	aCount      = "a count"
)

// patterns are what names make certain. Only those that catch a column of the
// database are written.
var patterns = []pattern{
	{"id", keyTypes, surrogate},
	{"*_id", keyTypes, surrogate},
	{"ID", keyTypes, surrogate},
	{"*Id", keyTypes, surrogate},
	{"*ID", keyTypes, surrogate},
	{"uuid", uuids, surrogate},
	{"*_uuid", uuids, surrogate},
	{"*Uuid", uuids, surrogate},
	{"guid", uuids, surrogate},
	{"*_at", moments, bookkeeping},
	{"*At", moments, bookkeeping},
	{"last_update", days, bookkeeping},
	{"last_updated", days, bookkeeping},
	{"last_modified", days, bookkeeping},
	{"created", days, bookkeeping},
	{"updated", days, bookkeeping},
	{"modified", days, bookkeeping},
	{"deleted", days, bookkeeping},
	{"created_*", days, bookkeeping},
	{"create_date", days, bookkeeping},
	{"updated_*", days, bookkeeping},
	{"update_date", days, bookkeeping},
	{"modified_*", days, bookkeeping},
	{"is_*", booleans, yesOrNo},
	{"has_*", booleans, yesOrNo},
	{"is*", booleans, yesOrNo},
	{"has*", booleans, yesOrNo},
	{"*_count", integers, aCount},
	{"*Count", integers, aCount},
	{"version", integers, bookkeeping},
	{"revision", integers, bookkeeping},
	{"lock_version", integers, bookkeeping},
	{"position", integers, "an order of rows"},
	{"sort_order", integers, "an order of rows"},
	{"ordinal", integers, "an order of rows"},
	{"line_no", integers, "an order of rows"},
	{"quantity", integers, aCount},
	{"qty", integers, aCount},
}

// matches reports whether the pattern catches the column. Arrays are never caught.
func (p *pattern) matches(c *catalog.Column) bool {
	if c.Array || c.TypeKind != 'b' || !slices.Contains(p.sql, c.BaseType) {
		return false
	}
	if rest, ok := strings.CutPrefix(p.name, "*"); ok {
		return strings.HasSuffix(c.Name, rest)
	}
	if rest, ok := strings.CutSuffix(p.name, "*"); ok {
		return strings.HasPrefix(c.Name, rest)
	}
	return c.Name == p.name
}

// matchPattern returns the index of the first pattern that catches c, or -1.
func matchPattern(c *catalog.Column) int {
	return slices.IndexFunc(patterns, func(p pattern) bool { return p.matches(c) })
}

// foreignWords name systems of others: their numbers for a person are no
// surrogate keys of this database, but find the person there.
var foreignWords = wordSet("facebook google apple twitter github gitlab linkedin instagram microsoft stripe paypal adyen braintree " +
	"slack discord telegram whatsapp wechat salesforce hubspot zendesk intercom external ext remote social oauth openid")
