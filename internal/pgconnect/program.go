package pgconnect

import (
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// passed are the connection parameters that decide how a libpq program reaches
// the server and that a parsed configuration no longer shows. Passwords are not
// among them: arguments are visible to every user of the machine.
var passed = []string{
	"service", "servicefile", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "sslsni", "sslnegotiation",
	"ssl_min_protocol_version", "ssl_max_protocol_version", "channel_binding", "require_auth",
	"gssencmode", "krbsrvname", "gsslib", "passfile", "connect_timeout",
}

// passThrough returns the parameters of a connection string that stand in passed.
func passThrough(connString string) map[string]string {
	all := keywords(connString)
	if strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://") {
		all = map[string]string{}
		if _, query, ok := strings.Cut(connString, "?"); ok {
			values, _ := url.ParseQuery(query) // the string was parsed before; what is broken here is left out
			for k := range values {
				all[k] = values.Get(k)
			}
		}
	}
	for k := range all {
		if !slices.Contains(passed, k) {
			delete(all, k)
		}
	}
	return all
}

// keywords splits libpq's keyword=value form: values may stand in single quotes,
// with backslash escapes.
func keywords(s string) map[string]string {
	out := map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t\n\r\f\v")
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out
		}
		rest = strings.TrimLeft(rest, " \t\n\r\f\v")
		quoted := strings.HasPrefix(rest, "'")
		if quoted {
			rest = rest[1:]
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest); i++ {
			c := rest[i]
			if c == '\\' && i+1 < len(rest) {
				i++
				value.WriteByte(rest[i])
				continue
			}
			if quoted && c == '\'' || !quoted && strings.IndexByte(" \t\n\r\f\v", c) >= 0 {
				break
			}
			value.WriteByte(c)
		}
		out[strings.TrimSpace(key)] = value.String()
		s = rest[min(i+1, len(rest)):]
	}
}

// ConnInfo returns the place as libpq keywords for the command line of
// PostgreSQL's programs. It holds no password: [Target.Env] does.
func (t *Target) ConnInfo() string {
	var b strings.Builder
	add := func(key, value string) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(key + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'")
	}
	add("host", t.config.Host)
	add("port", strconv.Itoa(int(t.config.Port)))
	add("user", t.config.User)
	add("dbname", t.config.Database)
	for _, k := range passed {
		if v, ok := t.extra[k]; ok {
			add(k, v)
		}
	}
	return b.String()
}

// Env returns this process's environment for a libpq program, with the password,
// the application name, the settings that decide how values print, and what load
// adds as in [Options].
func (t *Target) Env(appName string, load bool) []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		key, _, _ := strings.Cut(e, "=")
		return slices.Contains([]string{"PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "PGAPPNAME",
			"PGOPTIONS", "PGCLIENTENCODING", "PGDATESTYLE", "PGTZ", "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS", "LC_ALL", "LC_MESSAGES", "LANGUAGE"}, key)
	})
	options := "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 " +
		"-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
	if load {
		options += " -c default_transaction_read_only=off -c synchronous_commit=off -c maintenance_work_mem=" + loadMemory
	}
	env = append(env, "PGAPPNAME="+appName, "PGCLIENTENCODING=UTF8", "PGTZ=UTC", "LC_MESSAGES=C", "PGOPTIONS="+options)
	if t.config.Password != "" {
		env = append(env, "PGPASSWORD="+t.config.Password)
	}
	return env
}
