package deployment

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/internal/fault"
)

// A connection is one store's connection text, with its path in the file.
type connection struct{ path, text string }

// connections returns the PostgreSQL connections the file names.
func (c *Config) connections() []connection {
	all := []connection{
		{"keys.keystore", c.Keys.Keystore}, {"keys.ledger", c.Keys.Ledger},
		{"vault", c.Vault}, {"audit", c.Audit},
	}
	var named []connection
	for _, conn := range all {
		if isPostgres(conn.text) {
			named = append(named, conn)
		}
	}
	return named
}

// isPostgres reports whether text has the form of a libpq connection: a URI, or
// keywords.
func isPostgres(text string) bool {
	if strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://") {
		return true
	}
	return keyword.MatchString(text)
}

var keyword = regexp.MustCompile(`^\s*[a-z_]+\s*=`)

// holdsPassword reports whether the text itself has a password, not one that a
// service or password file adds.
func holdsPassword(text string) bool {
	if u, err := url.Parse(text); err == nil && u.Scheme != "" {
		_, set := u.User.Password()
		return set || u.Query().Has("password") || u.Query().Has("sslpassword")
	}
	return passwordKeyword.MatchString(text)
}

var passwordKeyword = regexp.MustCompile(`(^|[\s/?&])(ssl)?password\s*=|://[^/@]*:[^/@]*@`)

// checkConnection refuses a connection that would send keys or values to
// another host without verified TLS, unless the file says why that is acceptable.
func (c *Config) checkConnection(conn connection) error {
	cfg, err := pgconn.ParseConfig(conn.text)
	if err != nil {
		// The cause's text may quote the connection, password and all.
		return c.fail(conn.path, "the PostgreSQL connection cannot be read").
			WithHint("a connection is a URI (postgresql://host/database) or keywords (host=db dbname=privet); a service must stand in the pg_service file")
	}
	if c.Insecure != "" {
		return nil
	}
	if !verified(cfg.Host, cfg) {
		return c.insecure(conn, cfg.Host)
	}
	for _, f := range cfg.Fallbacks {
		if !verified(f.Host, &pgconn.Config{TLSConfig: f.TLSConfig}) {
			return c.insecure(conn, f.Host)
		}
	}
	return nil
}

func (c *Config) insecure(conn connection, host string) *fault.Error {
	return c.fail(conn.path, "the connection to %s may go without verified TLS", host).
		WithHint("add sslmode=verify-full (and sslrootcert), or say `insecure: <why>` at the top of the file")
}

// verified reports whether traffic to host stays on this machine or goes over
// TLS whose certificate is checked. verify-ca does its check in a callback,
// with Go's own one off.
func verified(host string, cfg *pgconn.Config) bool {
	if strings.HasPrefix(host, "/") || host == "localhost" {
		return true
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return true
	}
	t := cfg.TLSConfig
	return t != nil && (!t.InsecureSkipVerify || t.VerifyPeerCertificate != nil || t.VerifyConnection != nil)
}
