package refresh

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// maxName is the longest name of a database, in bytes (NAMEDATALEN - 1).
const maxName = 63

// besideName returns the name of a run's own database: the target's, cut where
// it must be, and the run's short id.
func besideName(target, infix, id string) string {
	suffix := infix + id
	for len(target)+len(suffix) > maxName {
		_, size := utf8.DecodeLastRuneInString(target)
		target = target[:len(target)-size]
	}
	return target + suffix
}

// A locale is what a database fixes at its creation.
type locale struct {
	encoding, collate, ctype string
	provider                 string // "c", "i", "b"
	name, rules              string // of the provider, where it is not libc
}

func readLocale(ctx context.Context, conn *pgx.Conn) (locale, error) {
	var l locale
	// The columns' names changed from version to version; a row as JSON shows
	// those that are there.
	err := conn.QueryRow(ctx, `SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate::text, datctype::text,
		coalesce(j->>'datlocprovider', 'c'), coalesce(j->>'datlocale', j->>'daticulocale', ''), coalesce(j->>'daticurules', '')
		FROM (SELECT d.encoding, d.datcollate, d.datctype, pg_catalog.to_jsonb(d) AS j
			FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()) x`).
		Scan(&l.encoding, &l.collate, &l.ctype, &l.provider, &l.name, &l.rules)
	if err != nil {
		return l, fmt.Errorf("source: read the database's locale: %w", pgconnect.Redacted(err))
	}
	return l, nil
}

// clause returns the options of CREATE DATABASE on a server of that version.
func (l locale) clause(serverVersion int) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, " ENCODING %s LC_COLLATE %s LC_CTYPE %s", literal(l.encoding), literal(l.collate), literal(l.ctype))
	switch {
	case l.provider == "c":
		if serverVersion >= 150000 {
			b.WriteString(" LOCALE_PROVIDER libc")
		}
	case l.provider == "i" && serverVersion >= 150000:
		fmt.Fprintf(&b, " LOCALE_PROVIDER icu ICU_LOCALE %s", literal(l.name))
		if l.rules != "" && serverVersion >= 160000 {
			fmt.Fprintf(&b, " ICU_RULES %s", literal(l.rules))
		}
	case l.provider == "b" && serverVersion >= 170000:
		fmt.Fprintf(&b, " LOCALE_PROVIDER builtin BUILTIN_LOCALE %s", literal(l.name))
	default:
		return "", fault.New(fault.Config, "the source's database uses locale provider %q, which the target's server (%d) does not know", l.provider, serverVersion/10000).
			WithHint("use a target server that is at least as new as the source's")
	}
	return b.String(), nil
}

// createDatabase makes the run's own database: empty, marked as loading, open to
// nobody but its owner. It refuses connections until CONNECT is revoked, so that
// nobody slips in.
func createDatabase(ctx context.Context, conn *pgx.Conn, name string, l locale, tablespace string, s state) error {
	var version int
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.current_setting('server_version_num')::int").Scan(&version); err != nil {
		return fmt.Errorf("target: %w", pgconnect.Redacted(err))
	}
	clause, err := l.clause(version)
	if err != nil {
		return err
	}
	if tablespace != "" {
		clause += " TABLESPACE " + quote(tablespace)
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE template0 ALLOW_CONNECTIONS false"+clause)
	if err != nil {
		return createFault(err)
	}
	for _, step := range []string{
		"REVOKE ALL ON DATABASE " + quote(name) + " FROM PUBLIC",
		"COMMENT ON DATABASE " + quote(name) + " IS " + literal(s.comment()),
		"ALTER DATABASE " + quote(name) + " ALLOW_CONNECTIONS true",
	} {
		if _, err := conn.Exec(ctx, step); err != nil {
			// Unmarked, the next run would not know it: it goes at once.
			clean, cancel := cleanup()
			defer cancel()
			_ = dropDatabase(clean, conn, name) // the first error is the one that counts
			return fmt.Errorf("target: prepare database %q: %w", name, pgconnect.Redacted(err))
		}
	}
	return nil
}

func createFault(err error) error {
	text := pgconnect.SafeText(err)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		text = pe.Message // no row is near: what it may quote is a locale or a name
	}
	e := fault.New(fault.Config, "target: create the new database: %s", text)
	e.Err = pgconnect.Redacted(err)
	switch pgconnect.Code(err) {
	case "42501":
		return e.WithHint("ALTER ROLE ... CREATEDB for the target's role (and CREATE on its tablespace)")
	case "42809", "22023":
		return e.WithHint("the target's server must know the encoding and the locale of the source's database")
	case "53100":
		return e.WithHint("the target's disk must hold the old and the new database at the same time")
	}
	return e
}

// cleanup returns a context for putting things away after a failure: the run's
// own may be cancelled already.
func cleanup() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// refuseConnections makes a run's database unusable and says why in its comment.
func refuseConnections(ctx context.Context, conn *pgx.Conn, name string, s state) error {
	_, err := conn.Exec(ctx, "ALTER DATABASE "+quote(name)+" ALLOW_CONNECTIONS false")
	if err == nil {
		err = setState(ctx, conn, name, s)
	}
	if err != nil {
		return fmt.Errorf("target: close database %q: %w", name, pgconnect.Redacted(err))
	}
	return nil
}
