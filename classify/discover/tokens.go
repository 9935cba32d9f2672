package discover

import (
	"strings"
	"unicode"
)

// folded spells letters with marks without them, so that "Straße" and "strasse",
// "prénom" and "prenom" are one word.
var folded = strings.NewReplacer(
	"ä", "a", "á", "a", "à", "a", "â", "a", "ã", "a", "å", "a", "ą", "a",
	"ç", "c", "ć", "c", "č", "c", "é", "e", "è", "e", "ê", "e", "ë", "e", "ę", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ı", "i", "ł", "l", "ñ", "n", "ń", "n",
	"ö", "o", "ó", "o", "ò", "o", "ô", "o", "õ", "o", "ø", "o", "ß", "ss", "ś", "s", "š", "s",
	"ü", "u", "ú", "u", "ù", "u", "û", "u", "ý", "y", "ž", "z", "ż", "z", "æ", "ae", "œ", "oe",
)

// tokens splits a name into its words, folded: at everything that is no letter,
// where a capital begins a new word (dateOfBirth, IPAddress), and between letters
// and digits. Digits are dropped: address2 is an address.
func tokens(name string) []string {
	var words []string
	runes := []rune(name)
	start := -1
	end := func(i int) {
		if start >= 0 {
			words = append(words, folded.Replace(strings.ToLower(string(runes[start:i]))))
			start = -1
		}
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			end(i)
			continue
		}
		if start >= 0 && unicode.IsUpper(r) {
			before := unicode.IsLower(runes[i-1])
			after := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			// "userID" splits before I, "IPAddress" before A, "IDs" not at all.
			plural := i+1 == len(runes)-1 && runes[i+1] == 's'
			if before || after && !plural {
				end(i)
			}
		}
		if start < 0 {
			start = i
		}
	}
	end(len(runes))
	return words
}

// find returns where phrase stands in words as a run of whole words, or -1.
func find(words, phrase []string) int {
	for i := 0; i+len(phrase) <= len(words); i++ {
		j := 0
		for j < len(phrase) && words[i+j] == phrase[j] {
			j++
		}
		if j == len(phrase) {
			return i
		}
	}
	return -1
}

// singular cuts a plural's ending off, well enough for names of tables.
func singular(word string) string {
	switch {
	case word == "people":
		return "person"
	case strings.HasSuffix(word, "ies"):
		return strings.TrimSuffix(word, "ies") + "y"
	case strings.HasSuffix(word, "ss"):
		return word
	}
	return strings.TrimSuffix(word, "s")
}
