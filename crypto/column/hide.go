package column

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/privet-dev/privet/crypto"
)

// shown stands for every value, whatever it holds.
const shown = "[encrypted]"

// String returns "[encrypted]".
func (e value[T]) String() string { return shown }

// GoString returns "[encrypted]".
func (e value[T]) GoString() string { return shown }

// Format writes "[encrypted]" for every verb.
func (e value[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, shown) }

// LogValue returns "[encrypted]", for log/slog.
func (e value[T]) LogValue() slog.Value { return slog.StringValue(shown) }

// MarshalJSON returns the text form of the ciphertext, or null for NULL. A value that
// was not sealed is [ErrNotSealed].
func (e value[T]) MarshalJSON() ([]byte, error) {
	ciphertext, err := e.Ciphertext()
	if err != nil {
		return nil, err
	}
	if ciphertext == nil {
		return []byte("null"), nil
	}
	return append(crypto.AppendText([]byte{'"'}, ciphertext), '"'), nil
}

// UnmarshalJSON takes what MarshalJSON writes. A text that is no ciphertext is
// [crypto.ErrText], during a migration too.
func (e *value[T]) UnmarshalJSON(b []byte) error {
	var text *string
	if json.Unmarshal(b, &text) != nil {
		// The error of encoding/json may quote the value.
		return fmt.Errorf("%w: it is no string", crypto.ErrText)
	}
	if text == nil {
		e.SetNull()
		return nil
	}
	if !crypto.IsText(*text) {
		return fmt.Errorf("%w: it does not begin with %s", crypto.ErrText, crypto.TextPrefix)
	}
	return e.Scan(*text)
}

// MarshalText returns the text form of the ciphertext, "" for NULL, for encodings other
// than JSON. A value that was not sealed is [ErrNotSealed].
func (e value[T]) MarshalText() ([]byte, error) {
	ciphertext, err := e.Ciphertext()
	if ciphertext == nil || err != nil {
		return nil, err
	}
	return crypto.AppendText(nil, ciphertext), nil
}
