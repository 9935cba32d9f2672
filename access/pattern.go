package access

import "strings"

// match reports whether s is of the pattern's form, where "*" stands for any
// run of characters, the empty one too. It takes time proportional to
// len(pattern) × len(s) at worst, whatever the pattern.
func match(pattern, s string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		part, tail, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, part)
		}
		// The first place is as good as any: what follows only needs a suffix.
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], tail
	}
}
