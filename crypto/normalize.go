package crypto

import (
	"bytes"
	"errors"
	"unicode"
	"unicode/utf8"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/internal/fault"
)

// A Normalizer turns values that mean the same into the same bytes, before they are
// indexed. It must be deterministic, keep no value, and be safe for concurrent use.
type Normalizer interface {
	// Name is a stable name of the form, with a version: "email.1". It is part of the
	// index's key: whoever changes what AppendNormal returns changes the name, and the
	// index is filled anew. Letters, digits, "_", "-" and ".", 64 bytes at most.
	Name() string
	// AppendNormal appends the normal form of value to dst. Its error says why value
	// has none, without quoting it; it then returns dst as it was.
	AppendNormal(dst, value []byte) ([]byte, error)
}

// NormalizerFor returns what makes values of a type comparable. Nothing is checked
// beyond what is said here; check digits in particular are not.
//
//   - email: white space at both ends is dropped, and all letters, those before the @
//     too, are put in lower case, one by one (Unicode's simple mapping; no locale).
//     Dots and +suffixes stay, and so does the form of an internationalized domain.
//     There must be something on both sides of an @, and no white space or control
//     character within.
//   - card_number: 12 to 19 digits, us_ssn: 9 digits. Spaces, dots and hyphens are
//     dropped; anything else is refused.
//   - iban: two letters, two digits, 15 to 34 letters and digits in all, in upper case.
//     Spaces, dots and hyphens are dropped; anything else is refused.
//   - person_name, first_name, last_name, company, city, street_address: lower case,
//     white space at both ends dropped and each run of it within made one space.
//     Accents stay, and so does the difference between composed and decomposed ones.
//   - all other types: the value as it is.
//
// Telephone numbers need the numbering plans of the world, which this package does not
// link: for phone the error points to package [github.com/privet-dev/privet/crypto/e164].
func NormalizerFor(t classify.Type) (Normalizer, error) {
	switch t {
	case classify.Email:
		return email{}, nil
	case classify.CardNumber:
		return digits{"card.1", 12, 19}, nil
	case classify.USSSN:
		return digits{"us_ssn.1", 9, 9}, nil
	case classify.IBAN:
		return iban{}, nil
	case classify.PersonName, classify.FirstName, classify.LastName, classify.Company, classify.City, classify.StreetAddress:
		return text{}, nil
	case classify.Phone:
		return nil, fault.New(fault.Config, "crypto: telephone numbers are normalized by package crypto/e164").
			WithHint(`use e164.New("") or e164.New with the customers' region`)
	}
	if t != "" && t.Doc() == "" {
		return nil, fault.New(fault.Config, "crypto: %q is no information type", string(t)).
			WithHint("the types are those of package classify")
	}
	return exact{}, nil
}

// exact takes values as they are.
type exact struct{}

func (exact) Name() string { return "exact.1" }

func (exact) AppendNormal(dst, value []byte) ([]byte, error) { return append(dst, value...), nil }

type email struct{}

func (email) Name() string { return "email.1" }

var (
	errUTF8    = errors.New("it is not UTF-8")
	errAddress = errors.New("it is no e-mail address")
	errDigits  = errors.New("it has a wrong number of digits, or other characters among them")
	errIBAN    = errors.New("it has not the shape of an IBAN")
)

func (email) AppendNormal(dst, value []byte) ([]byte, error) {
	value = bytes.TrimSpace(value)
	at := bytes.LastIndexByte(value, '@')
	switch {
	case !utf8.Valid(value):
		return dst, errUTF8
	case at < 1 || at == len(value)-1,
		bytes.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return dst, errAddress
	}
	for _, r := range string(value) {
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
	}
	return dst, nil
}

type text struct{}

func (text) Name() string { return "text.1" }

func (text) AppendNormal(dst, value []byte) ([]byte, error) {
	if !utf8.Valid(value) {
		return dst, errUTF8
	}
	start, space := len(dst), false
	for _, r := range string(value) {
		if unicode.IsSpace(r) {
			space = true
			continue
		}
		if space && len(dst) > start {
			dst = append(dst, ' ')
		}
		space = false
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
	}
	return dst, nil
}

// digits are numbers that people group with separators.
type digits struct {
	name        string
	least, most int
}

func (d digits) Name() string { return d.name }

func (d digits) AppendNormal(dst, value []byte) ([]byte, error) {
	out := dst
	for _, c := range value {
		switch {
		case '0' <= c && c <= '9':
			out = append(out, c)
		case !groups(c):
			return dst, errDigits
		}
	}
	if n := len(out) - len(dst); n < d.least || n > d.most {
		return dst, errDigits
	}
	return out, nil
}

type iban struct{}

func (iban) Name() string { return "iban.1" }

func (iban) AppendNormal(dst, value []byte) ([]byte, error) {
	out := dst
	for _, c := range value {
		n := len(out) - len(dst)
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		letter, digit := 'A' <= c && c <= 'Z', '0' <= c && c <= '9'
		switch {
		case letter && (n < 2 || n >= 4), digit && n >= 2:
			out = append(out, c)
		case !groups(c):
			return dst, errIBAN
		}
	}
	if n := len(out) - len(dst); n < 15 || n > 34 {
		return dst, errIBAN
	}
	return out, nil
}

// groups reports whether people write c between groups of digits.
func groups(c byte) bool { return c == ' ' || c == '-' || c == '.' }
