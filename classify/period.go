package classify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Period is how long data is kept, in days or in calendar months or years.
// The zero Period says nothing.
type Period struct {
	// N is how many, 1 to 36525.
	N int
	// Unit is 'd' for days, 'm' for calendar months, 'y' for calendar years.
	Unit byte
}

// maxPeriod is the greatest number of days: a hundred years.
const maxPeriod = 36525

// ParsePeriod parses "730d", "6mo" or "10y": a number from 1 to 36525 and days,
// calendar months or calendar years. Nothing else is a period; "6m" is refused,
// since it is minutes elsewhere.
func ParsePeriod(s string) (Period, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := s[len(digits):]
	n, err := strconv.Atoi(digits)
	if err != nil || digits[0] == '+' || digits[0] == '-' {
		return Period{}, fmt.Errorf("%q is not a period such as 730d, 6mo or 10y", s)
	}
	switch unit {
	case "d", "y":
	case "mo":
	case "":
		return Period{}, fmt.Errorf("period %q has no unit: d, mo or y", s)
	case "m":
		return Period{}, fmt.Errorf("period %q: months are written mo", s)
	default:
		return Period{}, fmt.Errorf("period %q: the units are d, mo and y", s)
	}
	if n < 1 || n > maxPeriod {
		return Period{}, fmt.Errorf("period %q is not within 1 and %d", s, maxPeriod)
	}
	return Period{N: n, Unit: unit[0]}, nil
}

// IsZero reports whether p says nothing.
func (p Period) IsZero() bool { return p == Period{} }

// String returns the period as [ParsePeriod] reads it, "" for the zero Period.
func (p Period) String() string {
	switch p.Unit {
	case 0:
		return ""
	case 'm':
		return strconv.Itoa(p.N) + "mo"
	}
	return strconv.Itoa(p.N) + string(rune(p.Unit))
}

// MarshalText returns the period as [ParsePeriod] reads it.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText parses text with [ParsePeriod]; empty text gives the zero Period.
func (p *Period) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = Period{}
		return nil
	}
	v, err := ParsePeriod(string(text))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// Before returns the moment p before t in t's time zone. A day that its month
// does not have becomes the month's last: six months before 31 August is the
// last of February, never a day in March.
func (p Period) Before(t time.Time) time.Time {
	var months int
	switch p.Unit {
	case 'd':
		return t.AddDate(0, 0, -p.N)
	case 'm':
		months = p.N
	case 'y':
		months = 12 * p.N
	default:
		return t
	}
	day := t.AddDate(0, -months, 0)
	if day.Day() != t.Day() {
		day = day.AddDate(0, 0, -day.Day())
	}
	return day
}
