package sidecar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/suggest"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/sidecar/api"
)

// sqlTypes are the types a client may name; a closed list, so that what it sent
// never gets into an error.
var sqlTypes = []string{
	"text", "varchar", "bpchar", "citext", "int2", "int4", "int8", "numeric", "float4", "float8",
	"uuid", "date", "timestamp", "timestamptz", "json", "jsonb", "bool", "inet", "bytea",
}

// A maskKey is what a compiled rule depends on within one request.
type maskKey struct {
	rule, typ, sqlType string
	maxLength          int
}

// A compiled rule, or why there is none.
type compiled struct {
	masker  mask.Masker
	problem *api.Problem
}

// mask answers POST /v1/mask: each value by its rule, deterministic under the
// tenant's keys. A rule is compiled once for all items of a request that have it,
// and not kept longer, so that no key is used beyond its life.
func (s *Server) mask(c *call) {
	tenant, items, p := decodeBatch(c.body.Bytes(), or(s.cfg.MaxItems, api.MaxItems), decodeMask)
	if p == nil {
		p = s.authorizeTenant(c, access.Mask, tenant)
	}
	if p != nil {
		c.problem(p)
		return
	}
	results, rules := make([]api.Result, len(items)), map[maskKey]compiled{}
	var scratch []byte
	for i := range items {
		item, result := &items[i], &results[i]
		result.Ref = item.Ref
		if c.r.Context().Err() != nil {
			result.Problem = api.NewProblem(api.DeadlineExceeded, "")
			continue
		}
		key := maskKey{item.Rule, item.Type, item.SQLType, item.MaxLength}
		rule, ok := rules[key]
		if !ok {
			rule = s.compile(c, tenant, key)
			rules[key] = rule
		}
		if result.Problem = rule.problem; result.Problem != nil {
			continue
		}
		out, null, err := rule.masker.Append(scratch[:0], []byte(item.Value), mask.Row{Subject: []byte(item.Subject)})
		switch {
		case err != nil:
			result.Problem = api.NewProblem(api.ValueRefused, err.Error())
		case !null:
			result.Value = new(string(out))
		}
		scratch = out
	}
	clear(scratch[:cap(scratch)])
	c.results(results)
}

// compile parses and compiles a rule.
func (s *Server) compile(c *call, tenant string, key maskKey) compiled {
	fail := func(code api.Code, format string, args ...any) compiled {
		return compiled{problem: api.NewProblem(code, fmt.Sprintf(format, args...))}
	}
	if key.sqlType != "" && !slices.Contains(sqlTypes, key.sqlType) {
		return fail(api.BadItem, "unknown sql_type%s", suggest.DidYouMean(key.sqlType, sqlTypes))
	}
	if _, ok := classify.ParseType(key.typ); !ok && key.typ != "" {
		return fail(api.BadItem, "unknown type%s", suggest.DidYouMean(key.typ, classify.Types()))
	}
	spec, err := mask.ParseSpec(key.rule)
	if err != nil {
		// The parser's own message repeats words of the rule, which may be a value
		// that was put into the wrong member.
		at := 0
		if e, ok := errors.AsType[*mask.ParseError](err); ok {
			at = e.Offset
		}
		return fail(api.BadRule, "it is wrong at byte %d%s", at, nearestRule(key.rule))
	}
	col := mask.Column{Name: "value", SQLType: key.sqlType, MaxLen: key.maxLength, Type: classify.Type(key.typ)}
	keys := &scopedKeys{Keys: s.cfg.Keys, allowed: func(domain string) access.Decision {
		return s.cfg.Access.Authorize(c.caller, access.Mask, access.Scope{Tenant: tenant, Domain: domain})
	}}
	rule, err := spec.Compile(c.r.Context(), col, mask.Env{Keys: keys, Tenant: tenant})
	switch {
	case err == nil:
		return compiled{masker: rule.NewMasker()}
	case keys.denied != "":
		return fail(api.Forbidden, "%s", keys.denied)
	case keys.failed != nil:
		return compiled{problem: s.keyProblem(c, keys.failed)}
	case fault.KindOf(err) == fault.Policy:
		return fail(api.RuleRefused, "%s", err)
	}
	s.log.Error("a rule could not be compiled", "request_id", c.id, "rule", spec.Name(), "kind", int(fault.KindOf(err)))
	return fail(api.Internal, "")
}

// nearestRule suggests a rule where the text begins with something like its name.
func nearestRule(text string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(text), "(")
	var names []string
	for _, r := range mask.Rules() {
		if names = append(names, r.Name); r.Name == name {
			return ""
		}
	}
	if len(name) > 64 {
		return ""
	}
	return suggest.DidYouMean(name, names)
}

// scopedKeys give a rule the keys of the domains that the caller may use. It is
// where the domain of a rule is known exactly, whatever its parameters.
type scopedKeys struct {
	mask.Keys
	allowed func(domain string) access.Decision
	denied  string
	failed  error
}

var errDenied = errors.New("sidecar: the domain is outside the caller's scope")

// Subkey asks for permission before it asks for the key.
func (k *scopedKeys) Subkey(ctx context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	if d := k.allowed(domain); !d.Allowed {
		k.denied = d.Why
		return nil, errDenied
	}
	key, err := k.Keys.Subkey(ctx, tenant, domain, purpose, n)
	if err != nil {
		k.failed = err
	}
	return key, err
}
