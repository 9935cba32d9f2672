package refresh

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgconnect"
	"github.com/privet-dev/privet/mask/refresh/guard"
)

// ErrBusy is in the chain of the error of a run that finds another one of the
// same target under way.
var ErrBusy = errors.New("another run is under way")

func literal(s string) string { return guard.Literal(s) }

// openMaintenance connects to a database of the target's server in which
// databases can be created and renamed: the one named, else postgres, else
// template1.
func openMaintenance(ctx context.Context, target *pgconnect.Target, name, app string) (*pgx.Conn, error) {
	names := []string{name}
	if name == "" {
		names = []string{"postgres", "template1"}
	}
	var first error
	for _, n := range names {
		if n == target.Database() {
			continue
		}
		conn, err := target.WithDatabase(n).Open(ctx, pgconnect.Options{AppName: app})
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = fault.New(fault.Config, "the maintenance database cannot be the target itself").
			WithHint("name another database of the target's server, such as postgres")
	}
	return nil, first
}

// lockTarget takes the lock that one run of a target holds, for the life of the
// maintenance session. The lock belongs to the maintenance database, so all runs
// of one target must use the same.
func lockTarget(ctx context.Context, conn *pgx.Conn, target string) error {
	sum := sha256.Sum256([]byte("privet mask run\x00" + target))
	key := int64(binary.BigEndian.Uint64(sum[:8]))
	var ok bool
	if err := conn.QueryRow(ctx, "SELECT pg_catalog.pg_try_advisory_lock($1)", key).Scan(&ok); err != nil {
		return fmt.Errorf("target: take the run lock: %w", pgconnect.Redacted(err))
	}
	if !ok {
		e := fault.New(fault.Guard, "another run on target %q is under way", target).
			WithHint("wait until it is done; sessions of runs have an application_name that starts with privet")
		e.Err = ErrBusy
		return e
	}
	return nil
}

// An oldTarget is what the database to be replaced is, as the server's shared
// catalog says.
type oldTarget struct {
	oid        uint32
	name       string
	owner      string
	tablespace string // "" for the default
	comment    string
	limit      int
}

func readTarget(ctx context.Context, conn *pgx.Conn, name string) (oldTarget, error) {
	t := oldTarget{name: name}
	err := conn.QueryRow(ctx, `SELECT d.oid, pg_catalog.pg_get_userbyid(d.datdba)::text,
		CASE WHEN s.spcname = 'pg_default' THEN '' ELSE s.spcname::text END,
		coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), ''), d.datconnlimit
		FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace
		WHERE d.datname = $1`, name).Scan(&t.oid, &t.owner, &t.tablespace, &t.comment, &t.limit)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, fault.New(fault.Guard, "the target database %q is gone", name).
			WithHint("the target connection and the maintenance database must be on one server")
	}
	if err != nil {
		return t, fmt.Errorf("target: %w", pgconnect.Redacted(err))
	}
	return t, nil
}

// checkLoader refuses a role that could load the copy but not put it in place:
// better now than after hours.
func checkLoader(ctx context.Context, conn *pgx.Conn, old oldTarget) error {
	var super, createDB, member bool
	// From version 16 on, membership comes in parts: what is needed is to act as
	// the owner, and to give it something.
	err := conn.QueryRow(ctx, `SELECT r.rolsuper, r.rolcreatedb, pg_catalog.pg_has_role(r.oid, d.datdba, 'USAGE')
			AND CASE WHEN pg_catalog.current_setting('server_version_num')::int < 160000 THEN true ELSE pg_catalog.pg_has_role(r.oid, d.datdba, 'SET') END
		FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
		WHERE r.rolname = current_user AND d.oid = $1`, old.oid).Scan(&super, &createDB, &member)
	if err != nil {
		return fmt.Errorf("target: read the role's rights: %w", pgconnect.Redacted(err))
	}
	role := quote(conn.Config().User)
	switch {
	case super:
	case !createDB:
		return fault.New(fault.Config, "the target's role %s may not create databases", role).WithHint("ALTER ROLE %s CREATEDB", role)
	case !member:
		return fault.New(fault.Config, "the target's role %s may not replace database %q, which %s owns", role, old.name, quote(old.owner)).
			WithHint("GRANT %s TO %s (from version 16 on WITH INHERIT TRUE, SET TRUE)", quote(old.owner), role)
	}
	return nil
}
