package refresh

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/privet-dev/privet/internal/catalog"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// checkNeeds refuses a schema that the target's server cannot take: roles that
// row security policies name, and extensions.
func checkNeeds(ctx context.Context, src, admin *pgx.Conn, cat *catalog.Catalog) error {
	roles, err := texts(ctx, src, `SELECT DISTINCT r.rolname::text FROM pg_catalog.pg_policy p, LATERAL unnest(p.polroles) x(oid)
		JOIN pg_catalog.pg_roles r ON r.oid = x.oid ORDER BY 1`)
	if err != nil {
		return fmt.Errorf("source: read the roles of policies: %w", pgconnect.Redacted(err))
	}
	missing, err := texts(ctx, admin, `SELECT x FROM unnest($1::text[]) x WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = x) ORDER BY 1`, roles)
	if err != nil {
		return fmt.Errorf("target: look for roles: %w", pgconnect.Redacted(err))
	}
	if len(missing) > 0 {
		return fault.New(fault.Config, "row security policies of the source name roles that the target's server does not have: %s", strings.Join(missing, ", ")).
			WithHint("CREATE ROLE %s NOLOGIN on the target's server", quote(missing[0]))
	}
	missing, err = texts(ctx, admin, `SELECT x FROM unnest($1::text[]) x WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = x) ORDER BY 1`, cat.Extensions)
	if err != nil {
		return fmt.Errorf("target: look for extensions: %w", pgconnect.Redacted(err))
	}
	if len(missing) > 0 {
		return fault.New(fault.Config, "the source uses extensions that the target's server does not offer: %s", strings.Join(missing, ", ")).
			WithHint("install their packages on the target's server")
	}
	return checkForced(ctx, admin, cat)
}

// checkForced refuses a loader that row security would keep from verifying what
// it has loaded: FORCE binds even the owner of a table.
func checkForced(ctx context.Context, admin *pgx.Conn, cat *catalog.Catalog) error {
	var forced []string
	for _, t := range cat.Tables {
		if t.RowSecurity && t.ForceRowSecurity {
			forced = append(forced, t.String())
		}
	}
	var bypass bool
	err := admin.QueryRow(ctx, "SELECT rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user").Scan(&bypass)
	if err != nil {
		return fmt.Errorf("target: read the role's rights: %w", pgconnect.Redacted(err))
	}
	if len(forced) > 0 && !bypass {
		role := quote(admin.Config().User)
		return fault.New(fault.Config, "row security is forced on %s, and would hide the loaded rows from the target's role %s", strings.Join(forced, ", "), role).
			WithHint("ALTER ROLE %s BYPASSRLS", role)
	}
	return nil
}

// texts returns the one text column of a query.
func texts(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]string, error) {
	for i, a := range args {
		if list, ok := a.([]string); ok && list == nil {
			args[i] = []string{}
		}
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

const populatedViews = `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
	FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind = 'm' AND c.relispopulated AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
		WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY c.oid`

// refreshViews fills the materialized views that the source has filled, from the
// masked tables. One that reads another which is still empty is tried again
// after it.
func refreshViews(ctx context.Context, src, conn *pgx.Conn, note func(string)) error {
	left, err := texts(ctx, src, populatedViews)
	if err != nil {
		return fmt.Errorf("source: list materialized views: %w", pgconnect.Redacted(err))
	}
	for len(left) > 0 {
		var again []string
		var last error
		for _, view := range left {
			_, err := conn.Exec(ctx, "REFRESH MATERIALIZED VIEW "+view)
			if pgconnect.Code(err) == "55000" {
				again, last = append(again, view), err
				continue
			}
			if err != nil {
				return fault.New(fault.Data, "target: refresh materialized view %s: %s", view, pgconnect.SafeText(err)).
					WithHint("the view's query fails on masked rows: change the view, or the rule of the column it reads")
			}
		}
		if len(again) == len(left) {
			note(fmt.Sprintf("materialized views left unfilled: %s: %s", strings.Join(again, ", "), pgconnect.SafeText(last)))
			return nil
		}
		left = again
	}
	return nil
}

// analyze gives the planner statistics of the masked rows.
func analyze(ctx context.Context, place *pgconnect.Target, app string, cat *catalog.Catalog, jobs int) error {
	queue := make(chan string, len(cat.Tables))
	for _, t := range cat.Tables {
		if t.Kind != catalog.Foreign && !t.IsPartition { // a root's ANALYZE takes its partitions along
			queue <- t.SQL()
		}
	}
	close(queue)
	group, ctx := errgroup.WithContext(ctx)
	for range jobs {
		group.Go(func() error {
			conn, err := place.Open(ctx, pgconnect.Options{AppName: app, Load: true})
			if err != nil {
				return err
			}
			defer pgconnect.Close(conn)
			for table := range queue {
				if _, err := conn.Exec(ctx, "ANALYZE "+table); err != nil {
					return fmt.Errorf("target: analyze %s: %w", table, pgconnect.Redacted(err))
				}
			}
			return nil
		})
	}
	return group.Wait()
}
