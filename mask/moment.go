package mask

import (
	"bytes"
	"strconv"
)

// A moment is a date or timestamp as PostgreSQL prints it with DateStyle ISO:
// the day, and the rest (time and zone) as text.
type moment struct {
	day      int64 // days since 1970-01-01, proleptic Gregorian
	infinite bool  // infinity or -infinity
	rest     []byte
}

// Bounds of PostgreSQL's types in days: 4714-11-24 BC (Julian day 0) to
// 5874897-12-31 for dates, to 294276-12-31 for timestamps. Text is bounded to
// the years 1 to 9999, which every reader knows.
var (
	firstDay      = dayNumber(-4713, 11, 24)
	lastDate      = dayNumber(5874897, 12, 31)
	lastTimestamp = dayNumber(294276, 12, 31)
	firstText     = dayNumber(1, 1, 1)
	lastText      = dayNumber(9999, 12, 31)
)

// bounds returns the first and last day of a kind.
func dayBounds(kind sqlKind) (first, last int64) {
	switch kind {
	case kindDate:
		return firstDay, lastDate
	case kindText:
		return firstText, lastText
	}
	return firstDay, lastTimestamp
}

// parseMoment parses a value. problem says what is wrong, never the value.
func parseMoment(s []byte, kind sqlKind) (m moment, problem string) {
	const iso = "is not an ISO date (YYYY-MM-DD)"
	if kind != kindText && (string(s) == "infinity" || string(s) == "-infinity") {
		return moment{infinite: true}, ""
	}
	bc := false
	if kind != kindText {
		s, bc = bytes.CutSuffix(s, []byte(" BC"))
	}
	year, n := leadingNumber(s)
	if n < 4 || n > 7 || kind == kindText && n != 4 || len(s) < n+6 || s[n] != '-' || s[n+3] != '-' {
		return m, iso
	}
	month, monthDigits := leadingNumber(s[n+1 : n+3])
	day, dayDigits := leadingNumber(s[n+4 : n+6])
	if monthDigits != 2 || dayDigits != 2 || month < 1 || month > 12 || day < 1 || day > 31 || year == 0 {
		return m, iso
	}
	if bc {
		year = 1 - year
	}
	if day > daysIn(year, month) {
		return m, "is a day that its month does not have"
	}
	m.day = dayNumber(year, month, day)
	m.rest = s[n+6:]
	switch {
	case len(m.rest) == 0 && kind != kindTimestamp && kind != kindTimestampTZ:
	case len(m.rest) > 0 && kind != kindDate && isTime(m.rest):
	default:
		return m, "is not a " + kind.String() + " in ISO form"
	}
	if first, last := dayBounds(kind); m.day < first || m.day > last {
		return m, "is out of range"
	}
	return m, ""
}

// isTime accepts what follows a day: a blank or T, hours and minutes, and
// whatever seconds and zones are made of.
func isTime(s []byte) bool {
	if len(s) < 6 || len(s) > 32 || s[0] != ' ' && s[0] != 'T' || s[3] != ':' {
		return false
	}
	for i, c := range s[1:] {
		switch {
		case '0' <= c && c <= '9':
		case i < 5 && i != 2:
			return false
		case c == ':' || c == '.' || c == '+' || c == '-' || c == 'Z':
		default:
			return false
		}
	}
	return true
}

func leadingNumber(s []byte) (x int64, digits int) {
	for digits < len(s) && digits < 8 && '0' <= s[digits] && s[digits] <= '9' {
		x = x*10 + int64(s[digits]-'0')
		digits++
	}
	return x, digits
}

// append appends the moment as it was printed.
func (m moment) append(dst []byte) []byte {
	year, month, day := civil(m.day)
	bc := year <= 0
	if bc {
		year = 1 - year
	}
	for limit := int64(1000); year < limit && limit > 1; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, year, 10)
	dst = append(dst, '-', '0'+byte(month/10), '0'+byte(month%10), '-', '0'+byte(day/10), '0'+byte(day%10))
	dst = append(dst, m.rest...)
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// dayNumber returns the days from 1970-01-01 to a day of the proleptic Gregorian
// calendar, in which year 0 is 1 BC. Years are counted from March, so that the
// leap day is the last of its year.
func dayNumber(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

// daysIn returns the length of a month.
func daysIn(year, month int64) int64 {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)&1
}

// civil reverses dayNumber.
func civil(n int64) (year, month, day int64) {
	n += 719468
	era := floorDiv(n, 146097)
	dayOfEra := n - era*146097
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/146096) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*dayOfYear + 2) / 153
	year, month, day = yearOfEra+era*400, m+3, dayOfYear-(153*m+2)/5+1
	if month > 12 {
		year++
		month -= 12
	}
	return year, month, day
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
