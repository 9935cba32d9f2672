package discover

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/policy"
)

func TestTokens(t *testing.T) {
	for name, want := range map[string]string{
		"first_name": "first name", "firstName": "first name", "FirstName": "first name", "FIRST_NAME": "first name",
		"userID": "user id", "IPAddress": "ip address", "customerIDs": "customer ids", "address2": "address", "ipv4_addr": "ipv addr",
		"E-Mail": "e mail", "Straße": "strasse", "prénom": "prenom", "numéroTéléphone": "numero telephone", "ключ": "ключ",
		"": "", "__": "", "42": "", "a": "a", "A1b2": "a b",
	} {
		require.Equal(t, want, strings.Join(tokens(name), " "), name)
	}
}

func TestGuessName(t *testing.T) {
	for name, want := range map[string]string{
		"email": "email", "customer_email": "email", "e_mail": "email", "emailAddress": "email", "correo_electronico": "email",
		"ip_address": "ip_address", "mac_address": "mac_address", "address": "street_address", "billing_address_line_1": "street_address",
		"homePhone": "phone", "mobile": "phone", "Telefonnummer": "phone", "vorname": "first_name", "prénom": "first_name",
		"nachname": "last_name", "apellidos": "last_name", "card_holder": "person_name", "credit_card_number": "card_number",
		"geburtsdatum": "date_of_birth", "dob": "date_of_birth", "ssn": "us_ssn", "zip_code": "postcode", "plz": "postcode",
		"iban": "iban", "password": "password_hash", "password_hash": "password_hash", "api_key": "secret", "bemerkung": "free_text",
		"email_verified": "email not verified", "phone_count": "phone not count", "city_id": "city not id", "token_type": "secret not type",
		"emailed": "", "addressee": "", "mobility": "", "cardinality": "", "title": "", "shipping": "", "pinned": "", "tipping": "",
	} {
		g := guessName(tokens(name))
		got := ""
		if g.meaning != nil {
			got = string(g.typ)
		}
		if g.negative != "" {
			got += " not " + g.negative
		}
		require.Equal(t, want, got, name)
	}
}

func TestPlainNamesDependOnTheTable(t *testing.T) {
	for _, tc := range []struct{ table, column, want string }{
		{"customers", "name", "person_name"}, {"employee", "Name", "person_name"}, {"supplier", "name", "company"},
		{"companies", "name", "company"}, {"product", "name", ""}, {"city", "name", ""}, {"product", "supplier_name", "company"},
		{"orders", "driver_name", "person_name"}, {"kunde", "name", "person_name"}, {"people", "name", "person_name"}, {"customers", "named", ""},
	} {
		g := guessPlainName(tokens(tc.table), tokens(tc.column))
		got := ""
		if g.meaning != nil {
			got = string(g.typ)
		}
		require.Equal(t, tc.want, got, "%s.%s", tc.table, tc.column)
	}
}

func TestTheLexiconHoldsWhatItsReadersKnow(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range meanings {
		if m.typ != "" {
			_, ok := classify.ParseType(string(m.typ))
			require.True(t, ok, m.typ)
		}
		require.NotEqual(t, classify.Unclassified, m.class)
		require.True(t, (m.why == "") != (m.rules == nil), "%s: rules or a reason", m.typ)
		for _, rule := range m.rules {
			_, err := mask.ParseSpec(rule)
			require.NoError(t, err, rule)
		}
		for phrase := range strings.SplitSeq(m.phrases, "|") {
			require.False(t, seen[phrase], "%q stands in the lexicon twice", phrase)
			seen[phrase] = true
			require.Equal(t, phrase, strings.Join(tokens(phrase), " "), "phrases are folded words")
		}
	}
}

func TestPatternsHaveOneStar(t *testing.T) {
	for _, p := range patterns {
		require.LessOrEqual(t, strings.Count(p.name, "*"), 1, p.name)
		require.NotEmpty(t, strings.Trim(p.name, "*"), p.name)
		require.NotEmpty(t, p.sql)
		require.False(t, slices.Contains(p.sql, "text"))
	}
}

func TestTenantName(t *testing.T) {
	for database, want := range map[string]string{
		"shop_prod": "shop_prod", "2shop": "shop", "größe": "gre", "": "main", "12": "main", "a b": "ab",
		strings.Repeat("a", 200): "main",
	} {
		require.Equal(t, want, tenantName(database))
	}
}

// FuzzScalar checks that any text reads back from the YAML it is written as: as a
// key, as a value in { }, and before a comment.
func FuzzScalar(f *testing.F) {
	for _, s := range []string{"", "a", "true", "NULL", "1", "1e3", "a: b", "a #b", "-", "- a", "?", "{a}", "a,b", `"`, `\`, `'"`, "a\tb\n", " a", "a ", "é", "\u2028", "\U0001F600", "0x1", ".5", "&a", "*a", "!t", "%", "@", "`", "|", ">", "=", "<<", "~", "a(b=c)", "\u0085", "\ufeff", "\\n'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			return
		}
		text := fmt.Sprintf("%s: {k: %s}  # x\n", scalar(s), scalar(s))
		var got map[string]map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(text), &got), "%q", text)
		require.Equal(t, map[string]map[string]any{s: {"k": s}}, got, "%q", text)
	})
}

func TestProposeOnAnEmptyDatabase(t *testing.T) {
	text, err := Propose(&catalog.Catalog{Database: "fresh"})
	require.NoError(t, err)
	p, err := policy.Parse("privet.yaml", text)
	require.NoError(t, err, "%s", text)
	require.Equal(t, "fresh", p.Tenant.Name)
	require.Empty(t, p.Tables)
}

func TestProposeNamesTheColumnThatTenantsShareTablesBy(t *testing.T) {
	table := func(name string, columns ...string) *catalog.Table {
		tab := &catalog.Table{Schema: "public", Name: name}
		for _, c := range columns {
			tab.Columns = append(tab.Columns, &catalog.Column{Name: c, Type: "bigint", BaseType: "int8", TypeKind: 'b'})
		}
		return tab
	}
	cat := &catalog.Catalog{Database: "saas", Tables: []*catalog.Table{
		table("a", "id", "org_id"), table("b", "id", "org_id"), table("c", "id"),
	}}
	text, err := Propose(cat)
	require.NoError(t, err)
	require.Contains(t, string(text), "{column: org_id}")
	cat.Tables = append(cat.Tables, table("d"), table("e"))
	text, err = Propose(cat)
	require.NoError(t, err)
	require.NotContains(t, string(text), "org_id}")
}
