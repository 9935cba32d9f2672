package access

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAuthorize(t *testing.T) {
	a, err := New(map[string][]Rule{
		"writer": {{Do: []Operation{Encrypt, Tokenize}, Tenants: []string{"acme"}}},
		"reader": {
			{Do: []Operation{Decrypt}, Tenants: []string{"acme", "globex"}, Fields: []string{"customer.*"}},
			{Do: []Operation{Detokenize}, Tenants: []string{"*"}, Domains: []string{"cards"}},
		},
		"all": {{Do: []Operation{Mask}, Tenants: []string{"*"}}},
	})
	require.NoError(t, err)

	for _, c := range []struct {
		name  string
		roles []string
		op    Operation
		scope Scope
		rule  string // "" is a denial
		why   string
	}{
		{"own tenant", []string{"writer"}, Encrypt, Scope{Tenant: "acme", Field: "x"}, "writer[0]", ""},
		{"other tenant", []string{"writer"}, Encrypt, Scope{Tenant: "globex", Field: "x"}, "", "tenant is outside"},
		{"no tenant", []string{"all"}, Mask, Scope{}, "", "no tenant"},
		{"other operation", []string{"writer"}, Decrypt, Scope{Tenant: "acme", Field: "x"}, "", "no role of the caller"},
		{"second role", []string{"writer", "reader"}, Decrypt, Scope{Tenant: "acme", Field: "customer.email"}, "reader[0]", ""},
		{"field outside", []string{"reader"}, Decrypt, Scope{Tenant: "acme", Field: "order.note"}, "", "field or domain"},
		{"no field where one is needed", []string{"reader"}, Decrypt, Scope{Tenant: "acme"}, "", "field or domain"},
		{"domain", []string{"reader"}, Detokenize, Scope{Tenant: "any", Domain: "cards"}, "reader[1]", ""},
		{"domain outside", []string{"reader"}, Detokenize, Scope{Tenant: "any", Domain: "ibans"}, "", "field or domain"},
		{"every tenant", []string{"all"}, Mask, Scope{Tenant: "whoever"}, "all[0]", ""},
		{"a star is no tenant's name", []string{"writer"}, Encrypt, Scope{Tenant: "*"}, "", "tenant is outside"},
		{"unknown role", []string{"ghost"}, Mask, Scope{Tenant: "acme"}, "", "no role of the caller"},
		{"no role", nil, Mask, Scope{Tenant: "acme"}, "", "has no role"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := a.Authorize(Principal{ID: "uid:1", Roles: c.roles}, c.op, c.scope)
			require.Equal(t, c.rule != "", d.Allowed, "%+v", d)
			require.Equal(t, c.rule, d.Rule)
			require.Contains(t, d.Why, c.why)
		})
	}
}

func TestNothingIsConfigured(t *testing.T) {
	p := Principal{Roles: []string{"any"}}
	for _, a := range []*Authorizer{nil, {}} {
		require.False(t, a.Authorize(p, Mask, Scope{Tenant: "acme"}).Allowed)
		require.False(t, a.AuthorizeTenant(p, Mask, "acme").Allowed)
	}
}

func TestBadRoles(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		want string
	}{
		"no operation":      {Rule{Tenants: []string{"a"}}, `"do" lists no operation`},
		"unknown operation": {Rule{Do: []Operation{"decript"}, Tenants: []string{"a"}}, `did you mean "decrypt"?`},
		"no tenant":         {Rule{Do: []Operation{Mask}}, `"tenants" lists no tenant`},
		"empty tenant":      {Rule{Do: []Operation{Mask}, Tenants: []string{""}}, "empty name"},
		"star and others":   {Rule{Do: []Operation{Mask}, Tenants: []string{"a", "*"}}, `"*" beside other names`},
		"empty pattern":     {Rule{Do: []Operation{Mask}, Tenants: []string{"a"}, Fields: []string{""}}, "no empty pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(map[string][]Rule{"r": {c.rule}})
			require.ErrorIs(t, err, ErrRole)
			require.ErrorContains(t, err, "r[0]")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestRolesAreCopied(t *testing.T) {
	roles := map[string][]Rule{"r": {{Do: []Operation{Mask}, Tenants: []string{"acme"}}}}
	a, err := New(roles)
	require.NoError(t, err)
	roles["r"][0].Tenants[0] = "globex"
	require.False(t, a.Authorize(Principal{Roles: []string{"r"}}, Mask, Scope{Tenant: "globex"}).Allowed)
}

// No set of roles that names tenants ever lets a caller reach another tenant,
// whatever the operation, field or domain.
func TestTenantsNeverMix(t *testing.T) {
	name := rapid.StringMatching(`[a-c*.]{0,3}`)
	rapid.Check(t, func(t *rapid.T) {
		granted := map[string]bool{}
		roles := map[string][]Rule{}
		rule := rapid.Custom(func(t *rapid.T) Rule {
			r := Rule{
				Do:      rapid.SliceOfN(rapid.SampledFrom(operations), 1, 4).Draw(t, "do"),
				Tenants: rapid.SliceOfN(rapid.StringMatching(`[a-c]{1,2}\*?`), 1, 3).Draw(t, "tenants"),
				Fields:  rapid.SliceOfN(rapid.StringMatching(`[a-c*.]{1,3}`), 0, 2).Draw(t, "fields"),
			}
			for _, tenant := range r.Tenants {
				granted[tenant] = true
			}
			return r
		})
		for _, role := range []string{"r1", "r2"} {
			roles[role] = rapid.SliceOfN(rule, 0, 3).Draw(t, role)
		}
		a, err := New(roles)
		if err != nil {
			t.Fatal(err)
		}
		s := Scope{Tenant: name.Draw(t, "tenant"), Field: name.Draw(t, "field"), Domain: name.Draw(t, "domain")}
		op := rapid.SampledFrom(operations).Draw(t, "op")
		p := Principal{Roles: []string{"r1", "r2", "*"}}
		one, whole := a.Authorize(p, op, s), a.AuthorizeTenant(p, op, s.Tenant)
		if !granted[s.Tenant] && (one.Allowed || whole.Allowed) {
			t.Fatalf("tenant %q is in nobody's scope, and was allowed by %s", s.Tenant, one.Rule)
		}
		if one.Allowed && !whole.Allowed {
			t.Fatalf("an item is allowed where its tenant is not")
		}
	})
}

// The matcher against the regular expression that says the same.
func TestMatchAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{0,6}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "s")
		re := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$")
		if got, want := match(pattern, s), re.MatchString(s); got != want {
			t.Fatalf("match(%q, %q) = %v", pattern, s, got)
		}
	})
}

func TestAuthorizeDoesNotAllocate(t *testing.T) {
	a, err := New(map[string][]Rule{"r": {{Do: []Operation{Encrypt}, Tenants: []string{"acme"}, Fields: []string{"a.*.b"}}}})
	require.NoError(t, err)
	p, s := Principal{Roles: []string{"r"}}, Scope{Tenant: "acme", Field: "a.x.b"}
	require.True(t, a.Authorize(p, Encrypt, s).Allowed)
	require.Zero(t, testing.AllocsPerRun(100, func() { a.Authorize(p, Encrypt, s) }))
}
