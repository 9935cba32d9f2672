package copytext

import (
	"os"
	"testing"

	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// maskFunc lets a function mask.
type maskFunc func(dst, src []byte, row mask.Row) ([]byte, bool, error)

func (f maskFunc) Append(dst, src []byte, row mask.Row) ([]byte, bool, error) {
	return f(dst, src, row)
}

// same masks nothing, but makes every value go through the codec.
var same = maskFunc(func(dst, src []byte, _ mask.Row) ([]byte, bool, error) {
	return append(dst, src...), false, nil
})

// withSubject puts the row's subject before the value.
var withSubject = maskFunc(func(dst, src []byte, row mask.Row) ([]byte, bool, error) {
	return append(append(append(dst, row.Subject...), ':'), src...), false, nil
})

// always masks everything by one text.
func always(text string) mask.Masker {
	return maskFunc(func(dst, _ []byte, _ mask.Row) ([]byte, bool, error) {
		return append(dst, text...), false, nil
	})
}
