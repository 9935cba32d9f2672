package classify

import "fmt"

// A Level says how bad a leak would be. The zero Level is [Unclassified].
// Levels are ordered: a greater Level is a worse leak.
type Level uint8

// The levels, in rising order. Unclassified is what nobody has decided: it is
// treated as restricted wherever a value could leak.
const (
	Unclassified Level = iota
	Public             // meant for everybody
	Internal           // harmless alone, not for outsiders
	Confidential       // personal: harm to the person or the company
	Restricted         // grave harm: money, identity, health, secrets
)

var levelNames = [...]string{"unclassified", "public", "internal", "confidential", "restricted"}

// String returns the level's name in lower case.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return fmt.Sprintf("Level(%d)", uint8(l))
}

// MarshalText returns the level's name; "" for [Unclassified].
func (l Level) MarshalText() ([]byte, error) {
	if l == Unclassified {
		return nil, nil
	}
	if int(l) >= len(levelNames) {
		return nil, fmt.Errorf("classify: no level has the number %d", uint8(l))
	}
	return []byte(levelNames[l]), nil
}

// UnmarshalText accepts what [Level.MarshalText] writes.
func (l *Level) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*l = Unclassified
		return nil
	}
	v, ok := ParseLevel(string(text))
	if !ok {
		return fmt.Errorf("unknown level %q%s", text, didYouMean(string(text), Levels()))
	}
	*l = v
	return nil
}

// Levels returns the names of the levels a declaration may use, in rising order.
func Levels() []string {
	return append([]string(nil), levelNames[Public:]...)
}

// ParseLevel returns the level of that name. Names are lower case and exact;
// "unclassified" cannot be declared.
func ParseLevel(s string) (Level, bool) {
	for i, n := range levelNames[Public:] {
		if n == s {
			return Level(i) + Public, true
		}
	}
	return Unclassified, false
}
