package policy

import (
	"fmt"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/mask"
)

// said is what an entry says of values.
type said struct {
	mask   mask.Spec
	keep   string
	typ    classify.Type
	marker Marker
}

// A verdict is what follows from it.
type verdict struct {
	action    Action
	rule      mask.Spec
	why, from string
}

// judge decides by what an entry says, or by the default of its type.
func (r *resolver) judge(place string, s said) verdict {
	def := r.p.Default(s.typ)
	switch {
	case s.marker == markedUndecided:
		return verdict{from: place, why: "marked undecided"}
	case s.marker != "":
		return verdict{from: place, why: "marked undecided: " + string(s.marker)}
	case !s.mask.IsZero():
		return verdict{action: Mask, rule: s.mask, from: place}
	case s.keep != "":
		return verdict{action: Keep, why: s.keep, from: place}
	case s.typ == "":
		return verdict{from: place, why: "its entry has neither mask nor keep nor a type"}
	case def.IsZero():
		return verdict{from: place, why: fmt.Sprintf("its entry has neither mask nor keep, and there is no default for type %s", s.typ)}
	}
	return verdict{action: Mask, rule: def, from: place + ", default of " + string(s.typ)}
}

// level is the declared level, else that of the type.
func level(l classify.Level, t classify.Type) classify.Level {
	if l != classify.Unclassified {
		return l
	}
	return t.Level()
}

func from(at Pos, what string) string { return at.String() + ": " + what }
