package refresh

import (
	"context"

	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/mask/refresh/verify"
	"github.com/privet-dev/privet/policy"
)

// nullRule is what becomes of an undecided place in a document.
var nullRule = func() mask.Spec {
	s, err := mask.ParseSpec("null")
	if err != nil {
		panic(err) // the rule null is part of mask
	}
	return s
}()

// compileRule compiles the rule of a column, or the rules of its document.
func compileRule(ctx context.Context, m *maskedColumn, env mask.Env) (*mask.Rule, error) {
	if len(m.decision.JSON) == 0 {
		return m.decision.Rule.Compile(ctx, m.column, env)
	}
	var paths []mask.JSONPath
	for _, d := range m.decision.JSON {
		p := mask.JSONPath{Path: string(d.Path), Rule: d.Rule, Keep: d.Action == policy.Keep, Type: d.Type}
		if d.Action == policy.Empty {
			p.Rule = nullRule
		}
		paths = append(paths, p)
	}
	return mask.CompileJSON(ctx, m.column, env, paths)
}

// undecidedPaths reports whether part of a document is undecided, so that its
// rules cannot be compiled.
func undecidedPaths(cd *policy.ColumnDecision) bool {
	for _, d := range cd.JSON {
		if d.Action == policy.Undecided {
			return true
		}
	}
	return false
}

// jsonRule stands for the rules of a document's places.
const jsonRule = "json"

// ruleText is the rule as plans and receipts show it.
func ruleText(m *maskedColumn) string {
	if len(m.decision.JSON) > 0 {
		return jsonRule
	}
	return m.rule.String()
}

// verifyFields describes a masked column to the verifier: the column, or the
// masked places of its documents, each by the traits of its own rule.
func verifyFields(ctx context.Context, m *maskedColumn, env mask.Env) []verify.Column {
	if len(m.decision.JSON) == 0 {
		rule := m.rule.String()
		return []verify.Column{{Name: m.column.Name, Type: m.decision.Type, Rule: rule, Traits: m.rule.Traits(),
			Identifying: verify.Identifying(m.decision.Type, rule)}}
	}
	var out []verify.Column
	for _, d := range m.decision.JSON {
		v := verify.Column{Name: m.column.Name, Path: string(d.Path), Type: d.Type}
		switch d.Action {
		case policy.Empty:
			v.Rule, v.Traits = nullRule.String(), mask.Traits{Output: mask.OutputConstant}
		case policy.Mask:
			v.Rule, v.Traits = d.Rule.String(), m.rule.Traits()
			place := mask.Column{Table: m.column.Table, Name: m.column.Name + v.Path, Type: d.Type}
			if rule, err := d.Rule.Compile(ctx, place, env); err == nil {
				v.Traits = rule.Traits()
			}
		default:
			continue
		}
		v.Identifying = verify.Identifying(d.Type, v.Rule)
		out = append(out, v)
	}
	return out
}
