package refresh

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/pgconnect"
)

// carried is what a database hands on to the one that takes its place: what the
// server's shared catalog knows of it and its owner may set.
type carried struct {
	owner    string
	grants   []grant
	settings []setting
}

type grant struct {
	grantee   string // "" for PUBLIC
	privilege string
	option    bool
}

type setting struct {
	role string // "" for all
	name string
	text string
}

func readCarried(ctx context.Context, conn *pgx.Conn, old oldTarget) (carried, error) {
	c := carried{owner: old.owner}
	rows, err := conn.Query(ctx, `SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END,
			a.privilege_type, a.is_grantable
		FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
		WHERE d.oid = $1 AND a.grantee <> d.datdba ORDER BY 1, 2`, old.oid)
	if err != nil {
		return c, fmt.Errorf("target: read its privileges: %w", pgconnect.Redacted(err))
	}
	c.grants, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (g grant, err error) {
		err = row.Scan(&g.grantee, &g.privilege, &g.option)
		return g, err
	})
	if err != nil {
		return c, fmt.Errorf("target: read its privileges: %w", pgconnect.Redacted(err))
	}
	rows, err = conn.Query(ctx, `SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole)::text END, x.entry
		FROM pg_catalog.pg_db_role_setting s, LATERAL unnest(s.setconfig) WITH ORDINALITY x(entry, n)
		WHERE s.setdatabase = $1 ORDER BY 1, x.n`, old.oid)
	if err != nil {
		return c, fmt.Errorf("target: read its settings: %w", pgconnect.Redacted(err))
	}
	c.settings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s setting, err error) {
		var entry string
		err = row.Scan(&s.role, &entry)
		s.name, s.text, _ = strings.Cut(entry, "=")
		return s, err
	})
	if err != nil {
		return c, fmt.Errorf("target: read its settings: %w", pgconnect.Redacted(err))
	}
	return c, nil
}

// apply sets everything on the database that now has the target's name. What a
// role may not set (others' role settings need CREATEROLE, some settings a
// superuser) is told and left out; the owner and the privileges must succeed.
func (c carried) apply(ctx context.Context, tx pgx.Tx, name string, note func(string)) error {
	for _, g := range c.grants {
		sql := "GRANT " + g.privilege + " ON DATABASE " + quote(name) + " TO " + grantee(g.grantee)
		if g.option {
			sql += " WITH GRANT OPTION"
		}
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	for _, s := range c.settings {
		sql := "ALTER DATABASE " + quote(name) + " SET "
		if s.role != "" {
			sql = "ALTER ROLE " + quote(s.role) + " IN DATABASE " + quote(name) + " SET "
		}
		sql += settingName(s.name) + " TO " + settingLiteral(s.name, s.text)
		if err := try(ctx, tx, sql); err != nil {
			what := "setting " + s.name
			if s.role != "" {
				what += " of role " + quote(s.role)
			}
			note(fmt.Sprintf("%s in database %q could not be carried over: %s", what, name, pgconnect.SafeText(err)))
		}
	}
	_, err := tx.Exec(ctx, "ALTER DATABASE "+quote(name)+" OWNER TO "+quote(c.owner))
	return err
}

// try runs one statement that may fail without the transaction.
func try(ctx context.Context, tx pgx.Tx, sql string) error {
	return pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
		_, err := inner.Exec(ctx, sql)
		return err
	})
}

func grantee(role string) string {
	if role == "" {
		return "PUBLIC"
	}
	return quote(role)
}

// settingName quotes the parts of a setting's name: extensions' have two.
func settingName(name string) string {
	return pgx.Identifier(strings.Split(name, ".")).Sanitize()
}
