package pgstore

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/crypto/keystore"
)

// insufficientPrivilege is the SQLSTATE of a missing grant; the class 28 is that of
// refused credentials.
const insufficientPrivilege = "42501"

// wrap says what was being done. A server that refuses this role is told apart from
// one that does not answer.
func wrap(doing string, err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == insufficientPrivilege || strings.HasPrefix(pg.Code, "28")) {
		return fmt.Errorf("keystore (PostgreSQL): %s: %w: %w", doing, keystore.ErrDenied, err)
	}
	return fmt.Errorf("keystore (PostgreSQL): %s: %w", doing, err)
}
