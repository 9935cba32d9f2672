package ff1

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// ErrAlphabet says that an alphabet cannot be one.
var ErrAlphabet = errors.New("ff1: not an alphabet")

// An Alphabet numbers the characters, which are Unicode code points, of a
// format: the first is numeral 0. It is immutable and safe for concurrent use.
type Alphabet struct {
	chars []rune
	ascii [utf8.RuneSelf]int32 // numeral + 1
	other map[rune]uint16
}

// NewAlphabet returns the alphabet of the characters of s in their order: 2 to
// 65536 of them, all different. Combining marks are refused: a string could
// gain or lose one without looking different.
func NewAlphabet(s string) (*Alphabet, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: invalid UTF-8", ErrAlphabet)
	}
	a := &Alphabet{}
	for _, r := range s {
		if len(a.chars) == MaxRadix {
			return nil, fmt.Errorf("%w: more than %d characters", ErrAlphabet, MaxRadix)
		}
		if unicode.Is(unicode.M, r) {
			return nil, fmt.Errorf("%w: %U is a combining mark", ErrAlphabet, r)
		}
		if _, twice := a.Numeral(r); twice {
			return nil, fmt.Errorf("%w: %U stands in it twice", ErrAlphabet, r)
		}
		if r < utf8.RuneSelf {
			a.ascii[r] = int32(len(a.chars)) + 1
		} else {
			if a.other == nil {
				a.other = make(map[rune]uint16)
			}
			a.other[r] = uint16(len(a.chars))
		}
		a.chars = append(a.chars, r)
	}
	if len(a.chars) < MinRadix {
		return nil, fmt.Errorf("%w: fewer than %d characters", ErrAlphabet, MinRadix)
	}
	return a, nil
}

// Radix returns the number of characters.
func (a *Alphabet) Radix() int { return len(a.chars) }

// Numeral returns the numeral of a character; ok is false for others.
func (a *Alphabet) Numeral(r rune) (n uint16, ok bool) {
	if uint32(r) < utf8.RuneSelf {
		x := a.ascii[r]
		return uint16(x - 1), x != 0
	}
	n, ok = a.other[r]
	return n, ok
}

// Char returns the character of a numeral, which must be below the radix.
func (a *Alphabet) Char(n uint16) rune { return a.chars[n] }

// AppendNumerals appends the numerals of text. A character outside the alphabet
// is an [ErrNumeral] that names its byte offset.
func (a *Alphabet) AppendNumerals(dst []uint16, text []byte) ([]uint16, error) {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		n, ok := a.Numeral(r)
		if !ok || r == utf8.RuneError && size == 1 {
			return dst, fmt.Errorf("%w %d: the character at byte %d is not in the alphabet", ErrNumeral, len(a.chars), i)
		}
		dst = append(dst, n)
		i += size
	}
	return dst, nil
}

// AppendText appends the characters of numerals below the radix.
func (a *Alphabet) AppendText(dst []byte, numerals []uint16) []byte {
	for _, n := range numerals {
		dst = utf8.AppendRune(dst, a.chars[n])
	}
	return dst
}

// EncryptString encrypts text over an alphabet of the cipher's radix.
func (c *Cipher) EncryptString(a *Alphabet, text string, tweak []byte) (string, error) {
	return c.crypt(a, text, tweak, c.AppendEncrypt)
}

// DecryptString reverses [Cipher.EncryptString].
func (c *Cipher) DecryptString(a *Alphabet, text string, tweak []byte) (string, error) {
	return c.crypt(a, text, tweak, c.AppendDecrypt)
}

func (c *Cipher) crypt(a *Alphabet, text string, tweak []byte, do func(dst, src []uint16, tweak []byte) ([]uint16, error)) (string, error) {
	if a.Radix() != c.Radix() {
		return "", fmt.Errorf("%w: the alphabet has %d characters and the cipher radix %d", ErrRadix, a.Radix(), c.radix)
	}
	numerals, err := a.AppendNumerals(make([]uint16, 0, 64), []byte(text))
	if err != nil {
		return "", err
	}
	if numerals, err = do(numerals[:0], numerals, tweak); err != nil {
		return "", err
	}
	return string(a.AppendText(make([]byte, 0, len(text)+8), numerals)), nil
}
