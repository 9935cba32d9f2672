package classify

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// lookupTag returns the text of the classify tag among all tags of a field.
// [reflect.StructTag.Lookup] finds nothing in a tag that is malformed, or whose
// key is misspelt; here both are errors, because a tag that does not count must
// not look as if it did.
func lookupTag(tag reflect.StructTag) (text string, found bool, err error) {
	rest := string(tag)
	malformed := func() (string, bool, error) {
		if strings.Contains(string(tag), TagKey) {
			return "", false, errors.New(`struct tag is malformed: tags are written key:"value" with a space between them`)
		}
		return "", false, nil
	}
	for {
		if rest = strings.TrimLeft(rest, " "); rest == "" {
			return text, found, nil
		}
		key, value, ok := strings.Cut(rest, ":")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return malformed()
		}
		quoted, err := strconv.QuotedPrefix(value)
		if err != nil || quoted[0] != '"' {
			return malformed()
		}
		rest = value[len(quoted):]
		if rest != "" && rest[0] != ' ' {
			return malformed()
		}
		if key != TagKey {
			if looksLikeTagKey(key) {
				return "", false, fmt.Errorf("struct tag has the key %q%s", key, didYouMean(key, []string{TagKey}))
			}
			continue
		}
		if found {
			return "", false, errors.New("struct tag has the key classify twice")
		}
		found = true
		if text, err = strconv.Unquote(quoted); err != nil {
			return malformed()
		}
	}
}

// looksLikeTagKey reports whether key is classify misspelt. "classified" and the
// like are words of their own, and may be the key of somebody else.
func looksLikeTagKey(key string) bool {
	return len(key) >= len(TagKey)-1 && len(key) <= len(TagKey)+1 && didYouMean(key, []string{TagKey}) != ""
}
