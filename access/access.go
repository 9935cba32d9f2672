// Package access is the one authorizer: it decides whether a principal may do
// an operation on something of a tenant.
//
// A [Principal] has roles, a role is a list of [Rule]s, and a rule allows some
// operations within a scope: tenants, fields, domains. What no rule allows is
// denied. [New] checks the roles once; [Authorizer.Authorize] then answers
// without allocation, locks or input and output, and is safe for concurrent
// use. Every [Decision] names the rule that made it, so that a log can tell why.
//
// The package knows nothing of how a principal was authenticated, and nothing
// of the data: a scope holds names, never values.
package access

import (
	"errors"
	"fmt"
	"slices"
)

// A Rule allows operations within a scope.
type Rule struct {
	// Do lists the operations; at least one.
	Do []Operation
	// Tenants lists tenants by their exact names, or is the single entry "*",
	// which stands for every tenant. At least one: a rule without tenants is an
	// error, so that leaving the key out never means everybody.
	Tenants []string
	// Fields limits the rule to fields that match one of these patterns, where
	// "*" stands for any run of characters ("customer.*"). Empty: every field.
	Fields []string
	// Domains limits the rule to token and pseudonym domains that match one of
	// these patterns. Empty: every domain.
	Domains []string
}

// A Principal is who asks, after authentication.
type Principal struct {
	// ID says how it was recognized and as what: "uid:10001", "token:orders".
	ID string
	// Name is the caller's name in the deployment file.
	Name string
	// Roles are the names of its roles. A role that does not exist allows nothing.
	Roles []string
}

// A Scope is what an operation is done on. An empty Field or Domain means that
// the operation has none; a rule that is limited in that respect then does not
// apply, unless its pattern matches the empty name.
type Scope struct {
	Tenant string
	Field  string
	Domain string
}

// A Decision is an answer with its reason.
type Decision struct {
	// Allowed is the answer.
	Allowed bool
	// Rule names the rule that allowed it, as "role[index]" counted from 0; ""
	// where nothing did.
	Rule string
	// Why says in a few words what the decision rests on. It names roles and
	// operations, and nothing that the request brought along.
	Why string
}

// ErrRole is in every error of [New].
var ErrRole = errors.New("access: bad role")

// An Authorizer holds checked roles. The zero Authorizer and a nil one deny
// everything.
type Authorizer struct {
	roles map[string][]named
}

type named struct {
	Rule
	name string
}

// New checks roles and returns their authorizer. It keeps no reference to the
// map or its slices. Errors wrap [ErrRole] and name the rule.
func New(roles map[string][]Rule) (*Authorizer, error) {
	a := &Authorizer{roles: make(map[string][]named, len(roles))}
	for role, rules := range roles {
		for i, r := range rules {
			name := fmt.Sprintf("%s[%d]", role, i)
			if err := r.Check(); err != nil {
				return nil, fmt.Errorf("%w: %s: %w", ErrRole, name, err)
			}
			a.roles[role] = append(a.roles[role], named{name: name, Rule: Rule{
				Do: slices.Clone(r.Do), Tenants: slices.Clone(r.Tenants),
				Fields: slices.Clone(r.Fields), Domains: slices.Clone(r.Domains),
			}})
		}
	}
	return a, nil
}

// Check says what is wrong with a rule, or nil.
func (r Rule) Check() error {
	if len(r.Do) == 0 {
		return errors.New(`"do" lists no operation`)
	}
	for _, op := range r.Do {
		if _, err := ParseOperation(string(op)); err != nil {
			return err
		}
	}
	if len(r.Tenants) == 0 {
		return errors.New(`"tenants" lists no tenant; "*" stands for every one`)
	}
	for _, t := range r.Tenants {
		switch {
		case t == "":
			return errors.New(`"tenants" holds an empty name`)
		case t == "*" && len(r.Tenants) > 1:
			return errors.New(`"tenants" holds "*" beside other names`)
		}
	}
	if slices.Contains(r.Fields, "") || slices.Contains(r.Domains, "") {
		return errors.New(`"fields" and "domains" hold no empty pattern`)
	}
	return nil
}

// Authorize decides whether p may do op on s. An empty tenant is always denied.
func (a *Authorizer) Authorize(p Principal, op Operation, s Scope) Decision {
	return a.decide(p, op, s.Tenant, func(r *named) bool {
		return matchAny(r.Fields, s.Field) && matchAny(r.Domains, s.Domain)
	})
}

// AuthorizeTenant decides whether p may do op on anything at all of tenant. It
// is the first check of a batch, whose items are then authorized one by one.
func (a *Authorizer) AuthorizeTenant(p Principal, op Operation, tenant string) Decision {
	return a.decide(p, op, tenant, func(*named) bool { return true })
}

func (a *Authorizer) decide(p Principal, op Operation, tenant string, within func(*named) bool) Decision {
	switch {
	case a == nil || len(a.roles) == 0:
		return Decision{Why: "no roles are configured"}
	case tenant == "":
		return Decision{Why: "no tenant is named"}
	case len(p.Roles) == 0:
		return Decision{Why: "the caller has no role"}
	}
	why := "no role of the caller has the operation"
	for _, role := range p.Roles {
		rules := a.roles[role]
		for i := range rules {
			r := &rules[i]
			if !slices.Contains(r.Do, op) {
				continue
			}
			if r.Tenants[0] != "*" && !slices.Contains(r.Tenants, tenant) {
				why = "the tenant is outside the caller's scope"
				continue
			}
			if within(r) {
				return Decision{Allowed: true, Rule: r.name, Why: "allowed by the rule"}
			}
			why = "the field or domain is outside the caller's scope"
		}
	}
	return Decision{Why: why}
}

func matchAny(patterns []string, s string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return match(p, s) })
}
