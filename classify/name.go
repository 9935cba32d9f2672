package classify

import "errors"

// ErrName is the error for a name that cannot stand for a field or a domain.
var ErrName = errors.New(`a name starts with a letter and holds letters, digits, "_", "-" and "." only, 128 bytes at most`)

// CheckName returns [ErrName] unless s can name an encrypted field
// (customer.card) or a token domain (cards): ASCII letters, digits, "_", "-"
// and ".", a letter first, 128 bytes at most. Such names go into the associated
// data of ciphertexts and into key derivation, so they are stable and never
// made from Go identifiers.
func CheckName(s string) error {
	if s == "" || len(s) > 128 || !isLetter(s[0]) {
		return ErrName
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isLetter(c) && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.' {
			return ErrName
		}
	}
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
