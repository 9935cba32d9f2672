// Package e164 turns telephone numbers, however they are written, into one form:
// that of ITU-T E.164, "+4930901820". It is the normalization of blind indexes over
// telephone numbers:
//
//	phones, err := e164.New("DE")
//	index, err := client.BlindIndex(ctx, crypto.BlindIndexConfig{
//		Tenant: "acme", Field: "customer.phone", Normalize: phones,
//	})
//
// It is a package of its own because it links the numbering plans of the world
// (github.com/nyaruka/phonenumbers, Google's libphonenumber in Go), some megabytes
// that package crypto does without.
package e164

import (
	"errors"
	"fmt"

	"github.com/nyaruka/phonenumbers"
)

// ErrNumber says that a text is no telephone number, or one that says no country
// where no region is set.
var ErrNumber = errors.New("e164: not a telephone number")

// longest bounds what is parsed, in bytes: E.164 has 15 digits, people add spaces,
// brackets and a word for the extension.
const longest = 64

// A Normalizer turns telephone numbers into the form of E.164. It is immutable and
// safe for concurrent use.
type Normalizer struct{ region string }

// New returns a normalizer that takes numbers without a country code to be of the
// region, an ISO 3166-1 code of two capital letters. With "" such numbers are
// refused, which is safest where customers live in several countries.
func New(region string) (*Normalizer, error) {
	if region != "" && !phonenumbers.GetSupportedRegions()[region] {
		return nil, fmt.Errorf("e164: %q is no region; use an ISO 3166-1 code such as DE or US", region)
	}
	return &Normalizer{region: region}, nil
}

// Name returns "e164.1". The region is no part of it: equal numbers have an equal
// form in all.
func (n *Normalizer) Name() string { return "e164.1" }

// AppendNormal appends the E.164 form of a number to dst: "+", the country code and
// the national number, without separators, trunk prefix or extension ("ext. 12" is
// dropped). What has a length that no number of its country has is refused with
// [ErrNumber]; whether a number is assigned is not asked, since that changes over the
// years and the form must not. On error dst is returned as it was.
func (n *Normalizer) AppendNormal(dst, value []byte) ([]byte, error) {
	form, ok := parse(string(value), n.region)
	if !ok {
		return dst, ErrNumber
	}
	// A few texts that are no numbers ("0000 0301") come out with a digit that a second
	// reading would take for a prefix.
	if again, ok := parse(form, ""); !ok || again != form {
		return dst, ErrNumber
	}
	return append(dst, form...), nil
}

// parse returns the form of a number, or false. The library's error, which may quote
// the number, is dropped.
func parse(text, region string) (string, bool) {
	if len(text) > longest {
		return "", false
	}
	number, err := phonenumbers.Parse(text, region)
	if err != nil || phonenumbers.IsPossibleNumberWithReason(number) != phonenumbers.IS_POSSIBLE {
		return "", false
	}
	return phonenumbers.Format(number, phonenumbers.E164), true
}
