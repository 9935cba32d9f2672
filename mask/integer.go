package mask

import (
	"bytes"
	"strconv"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/tokenize/ff1"
)

// typeLimits are the largest values of integer types, and where ranges that are
// permuted apart end: a value that int4 can hold stays one, in an int8 column
// too, so that foreign keys between the two hold.
var typeLimits = [...]uint64{1<<31 - 1, 1<<63 - 1}

// region returns the bounds of the range of n-digit numbers that x is permuted
// in.
func region(x uint64, n int) (low, high uint64) {
	low, high = 1, 9
	for range n - 1 {
		low *= 10
		if high > (1<<64-1-9)/10 {
			high = 1<<64 - 1
		} else {
			high = high*10 + 9
		}
	}
	for _, limit := range typeLimits {
		if x <= limit {
			return low, min(high, limit)
		}
		low = max(low, limit+1)
	}
	return low, high
}

// integerMasker masks integers within their number of digits: int4 and int8
// columns, and whole numbers in numeric ones, whose decimal places stay.
type integerMasker struct{ fpeMasker }

func (m *integerMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	if len(src) == 0 {
		return dst, false, nil
	}
	digits, places := src, []byte(nil)
	if src[0] == '-' {
		digits = src[1:]
	}
	if point := bytes.IndexByte(digits, '.'); point >= 0 && m.r.col.kind() == kindDecimal && len(bytes.Trim(digits[point+1:], "0")) == 0 {
		digits, places = digits[:point], digits[point:]
	}
	x, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil || m.r.col.SQLType == "int4" && x > typeLimits[0] || len(digits) > 1 && digits[0] == '0' {
		return dst, false, fault.New(fault.Data, "%s: rule fpe cannot mask a value: it is not a whole number that its type and int8 can hold with either sign", m.r.col)
	}
	if err := m.read(digits); err != nil {
		return dst, false, err
	}
	n := len(m.numerals)
	if m.r.first == 0 && !m.r.card && n-m.r.last <= m.r.least {
		// Without a leading zero, six digits are less than a million numbers.
		return dst, false, fault.New(fault.Data, "%s: a value has %s to encrypt and rule fpe needs %d in an integer column (10^6 possibilities)", m.r.col, count(n-m.r.last, "digit"), m.r.least+1).
			WithHint("use fpe(length=any), which may change the number of digits, or keep fewer digits")
	}
	low, high := region(x, n)
	// Walking the permutation's cycle until it is back in the range permutes the
	// range (Black and Rogaway, 2002).
	for first := true; first || x < low || x > high; first = false {
		if err := m.encrypt(); err != nil {
			return dst, false, err
		}
		x = m.value()
	}
	m.spoil()
	if x = m.value(); x > high {
		return dst, false, fault.New(fault.Data, "%s: rule fpe cannot mask a card number this near the largest of its type", m.r.col)
	}
	if src[0] == '-' {
		dst = append(dst, '-')
	}
	return append(strconv.AppendUint(dst, x, 10), places...), false, nil
}

// value returns the number that the numerals spell.
func (m *integerMasker) value() (x uint64) {
	for _, d := range m.numerals {
		x = x*10 + uint64(d)
	}
	return x
}

// anyIntegerMasker masks integer columns within two ranges: what int4 holds,
// and what only int8 does.
type anyIntegerMasker struct {
	col      Column
	worker   *ff1.Worker
	numerals [63]uint16
	tweak    [1]byte
}

func (m *anyIntegerMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	if len(src) == 0 {
		return dst, false, nil
	}
	v, err := strconv.ParseInt(string(src), 10, 64)
	if err != nil || m.col.SQLType == "int4" && v != int64(int32(v)) {
		return dst, false, fault.New(fault.Data, "%s: a value is not an integer of the column's type", m.col)
	}
	// -1, -2, … are numbered 0, 1, …: both signs have as many values.
	m.tweak[0] = 0
	x := uint64(v)
	if v < 0 {
		m.tweak[0], x = 1, ^x
	}
	width := 31
	if x > typeLimits[0] {
		width = 63
	}
	for first := true; first || width == 63 && x <= typeLimits[0]; first = false {
		n := m.numerals[:width]
		for i := range n {
			n[i] = uint16(x >> (width - 1 - i) & 1)
		}
		if n, err = m.worker.AppendEncrypt(n[:0], n, m.tweak[:]); err != nil {
			return dst, false, fault.New(fault.Unexpected, "%s: rule fpe: %v", m.col, err)
		}
		x = 0
		for _, b := range n {
			x = x<<1 | uint64(b)
		}
	}
	if m.tweak[0] == 1 {
		x = ^x
	}
	return strconv.AppendInt(dst, int64(x), 10), false, nil
}
