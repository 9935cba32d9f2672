package mask

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/suggest"
)

// positional is the key of a parameter that is written without one.
const positional = ""

// A param is one parameter of a rule.
type param struct {
	name string
	doc  string
	// preset is the canonical default, "" for none.
	preset   string
	required bool
	// check returns the canonical spelling of a value, or what is wrong with it.
	check func(value string) (canonical, problem string)
}

// domainParam is the parameter of every keyed rule.
func domainParam() param {
	return param{
		name: "domain",
		doc: "the namespace of the results: equal values in one domain have equal results, " +
			"in two domains unlinkable ones. By default the rule's name",
		check: func(v string) (string, string) {
			ok := v != "" && len(v) <= 64
			for i := range len(v) {
				c := v[i]
				ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || i > 0 && strings.IndexByte("_-.", c) >= 0)
			}
			if !ok {
				return "", "a domain is 1 to 64 of a-z, 0-9, and after the first _ - ."
			}
			return v, ""
		},
	}
}

// intParam takes a whole number from low to high.
func intParam(name, doc string, preset string, low, high int) param {
	return param{name: name, doc: doc, preset: preset, check: func(v string) (string, string) {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return "", fmt.Sprintf("must be a whole number from %d to %d", low, high)
		}
		return strconv.Itoa(n), ""
	}}
}

// choiceParam takes one of words; the first is the default unless preset says
// otherwise.
func choiceParam(name, doc, preset string, words ...string) param {
	return param{name: name, doc: doc, preset: preset, check: func(v string) (string, string) {
		if !slices.Contains(words, v) {
			return "", fmt.Sprintf("%q is not one of %s%s", v, strings.Join(words, ", "), suggest.DidYouMean(v, words))
		}
		return v, ""
	}}
}

// amountParam takes a positive decimal number of at most 15 digits.
func amountParam(name, doc string) param {
	return param{name: name, doc: doc, check: func(v string) (string, string) {
		const problem = "must be a positive decimal number of at most 15 digits, such as 10 or 2.5"
		whole, frac, point := strings.Cut(v, ".")
		if whole == "" || point && frac == "" || len(whole)+len(frac) > 15 {
			return "", problem
		}
		for i := range len(v) {
			if v[i] != '.' && (v[i] < '0' || v[i] > '9') || strings.Count(v, ".") > 1 {
				return "", problem
			}
		}
		whole = strings.TrimLeft(whole, "0")
		frac = strings.TrimRight(frac, "0")
		switch {
		case whole == "" && frac == "":
			return "", problem
		case whole == "":
			whole = "0"
		}
		if frac != "" {
			return whole + "." + frac, ""
		}
		return whole, ""
	}}
}

// charParam takes one printable character.
func charParam(name, doc, preset string) param {
	return param{name: name, doc: doc, preset: preset, check: func(v string) (string, string) {
		r, size := utf8.DecodeRuneInString(v)
		if size == 0 || size != len(v) || !unicode.IsGraphic(r) || unicode.Is(unicode.M, r) {
			return "", "must be one printable character"
		}
		return v, ""
	}}
}

// textParam takes any text.
func textParam(name, doc string) param {
	return param{name: name, doc: doc, check: func(v string) (string, string) { return v, "" }}
}

func (p param) must() param {
	p.required = true
	return p
}
