package crypto

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// TextPrefix begins the text form of every ciphertext.
const TextPrefix = "pvt1."

// ErrText says that a string is not the text form of a ciphertext.
var ErrText = errors.New("crypto: not the text form of a ciphertext")

var textEncoding = base64.RawURLEncoding.Strict()

// EncodeText returns the text form of a ciphertext, for JSON and text columns:
// [TextPrefix] and unpadded base64url (RFC 4648, section 5).
func EncodeText(ciphertext []byte) string {
	return string(AppendText(make([]byte, 0, TextLen(len(ciphertext))), ciphertext))
}

// AppendText appends the text form of a ciphertext to dst.
func AppendText(dst, ciphertext []byte) []byte {
	return textEncoding.AppendEncode(append(dst, TextPrefix...), ciphertext)
}

// TextLen returns how many bytes the text form of n bytes takes.
func TextLen(n int) int { return len(TextPrefix) + textEncoding.EncodedLen(n) }

// IsText reports whether s begins like the text form of a ciphertext.
func IsText(s string) bool { return strings.HasPrefix(s, TextPrefix) }

// DecodeText returns the ciphertext whose text form is s. Every ciphertext has one
// text form: padding, line breaks, other alphabets and stray bits are refused with
// an error that matches [ErrText].
func DecodeText(s string) ([]byte, error) {
	body, ok := strings.CutPrefix(s, TextPrefix)
	if !ok {
		return nil, textError("it does not begin with " + TextPrefix)
	}
	// The decoder of the standard library skips line breaks.
	if strings.ContainsAny(body, "\r\n") {
		return nil, textError("it holds a line break")
	}
	ciphertext, err := textEncoding.DecodeString(body)
	if err != nil {
		return nil, textError("it is not unpadded base64url")
	}
	return ciphertext, nil
}

func textError(why string) error {
	return &fault.Error{
		Kind: fault.Data,
		Msg:  ErrText.Error() + ": " + why,
		Hint: "text columns and JSON hold " + TextPrefix + " and base64url; bytea columns hold the bytes themselves",
		Err:  ErrText,
	}
}
