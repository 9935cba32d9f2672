package pgconnect

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/fault"
)

// closeTimeout bounds how long Close waits for the server.
const closeTimeout = 5 * time.Second

// SafeText returns what a person may read of an error from PostgreSQL: its
// message, without DETAIL and CONTEXT, which quote rows. Messages that may quote
// values themselves are replaced by the SQLSTATE and, where the server names
// them, table and column: those of class 22 (data exceptions), and whatever a
// function raises, which is of class P0 or has a context of its own.
func SafeText(err error) string {
	if r, ok := errors.AsType[*redacted](err); ok {
		return r.text
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		where := ""
		if pe.TableName != "" {
			where = fmt.Sprintf(" in %s.%s", pe.SchemaName, pe.TableName)
			if pe.ColumnName != "" {
				where += "." + pe.ColumnName
			}
		}
		switch {
		case strings.HasPrefix(pe.Code, "22"):
			return fmt.Sprintf("a value does not fit its type%s (SQLSTATE %s)", where, pe.Code)
		case strings.HasPrefix(pe.Code, "P0"), pe.Where != "" && !strings.HasPrefix(pe.Where, "COPY "):
			return fmt.Sprintf("a function of the database raised an error%s (SQLSTATE %s)", where, pe.Code)
		}
		return fmt.Sprintf("%s (SQLSTATE %s)", pe.Message, pe.Code)
	}
	if ne, ok := errors.AsType[*net.OpError](err); ok {
		return ne.Error()
	}
	if ce, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		if inner := ce.Unwrap(); inner != nil {
			return inner.Error()
		}
	}
	return err.Error()
}

// Redacted returns err with its text replaced by [SafeText]. errors.As still
// finds the server's error, without the fields that quote rows. An error that is
// for a person already stays as it is.
func Redacted(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	pe, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	clean := *pe
	clean.Detail, clean.Where, clean.InternalQuery = "", "", ""
	clean.Message = SafeText(pe)
	return &redacted{text: clean.Message, pg: &clean}
}

type redacted struct {
	text string
	pg   *pgconn.PgError
}

func (r *redacted) Error() string { return r.text }

// Unwrap returns the server's error without the fields that quote rows.
func (r *redacted) Unwrap() error { return r.pg }

// Code returns the SQLSTATE in err's chain, or "".
func Code(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Code
	}
	return ""
}
