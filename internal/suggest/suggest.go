// Package suggest finds the word that was probably meant.
package suggest

import "strings"

// Nearest returns the word nearest to s by edit distance, or "" where none is
// near enough to be worth suggesting: more than a third of its letters differ.
func Nearest(s string, words []string) string {
	best, bestDist := "", 1<<30
	for _, w := range words {
		// s may be anybody's input, of any length: the distance is at least that of
		// the lengths.
		far := max(1, (max(len(s), len(w))+1)/3)
		if max(len(s)-len(w), len(w)-len(s)) > far {
			continue
		}
		if d := distance(strings.ToLower(s), strings.ToLower(w)); d < bestDist && d <= far {
			best, bestDist = w, d
		}
	}
	return best
}

// DidYouMean returns `, did you mean "w"?` for the nearest word, or "".
func DidYouMean(s string, words []string) string {
	if w := Nearest(s, words); w != "" {
		return `, did you mean "` + w + `"?`
	}
	return ""
}

// distance is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours count one each.
func distance(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
