package classify

import "strings"

// didYouMean returns `, did you mean "w"?` for the word that s was probably
// meant to be, or "" where more than a third of the letters differ. The package
// stands at the bottom of the house and imports nothing of it, so it has its own.
func didYouMean(s string, words []string) string {
	best, least := "", 0
	for _, w := range words {
		if d := edits(strings.ToLower(s), w); best == "" || d < least {
			best, least = w, d
		}
	}
	if best == "" || least > max(1, (max(len(s), len(best))+1)/3) {
		return ""
	}
	return `, did you mean "` + best + `"?`
}

// edits returns the Levenshtein distance of a and b in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
