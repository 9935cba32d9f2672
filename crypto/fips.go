package crypto

import (
	"crypto/fips140"
	"errors"

	"github.com/privet-dev/privet/internal/fault"
)

// ErrFIPS says that an operation is not approved, and that FIPS 140 is enforced in
// this process (GODEBUG=fips140=only).
var ErrFIPS = errors.New("crypto: not approved where FIPS 140 is enforced")

// approved returns an error that matches [ErrFIPS] where the process must not do
// what is not approved; what names it, in the plural.
func approved(what string) error {
	if !fips140.Enforced() {
		return nil
	}
	return &fault.Error{
		Kind: fault.Config,
		Msg:  "crypto: " + what + " are not FIPS 140 approved, and GODEBUG=fips140=only is set",
		Hint: "run this part in a process without fips140=only, or do without it",
		Err:  ErrFIPS,
	}
}
