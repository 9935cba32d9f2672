package deployment

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/privet-dev/privet/crypto/ledger"
	"github.com/privet-dev/privet/crypto/ledger/pgledger"
	"github.com/privet-dev/privet/crypto/ledger/sqliteledger"
	"github.com/privet-dev/privet/internal/fault"
)

// openLedger opens the erasure ledger that keys.ledger names; nil where it names
// none.
func (c *Config) openLedger(ctx context.Context) (ledger.Store, error) {
	if c.Keys.Ledger == "" {
		return nil, nil
	}
	var store ledger.Store
	var err error
	if path, ok := strings.CutPrefix(c.Keys.Ledger, "sqlite:"); ok {
		store, err = sqliteledger.Open(ctx, path)
	} else {
		if err := c.checkConnection(connection{"keys.ledger", c.Keys.Ledger}); err != nil {
			return nil, err
		}
		store, err = pgledger.Open(ctx, c.Keys.Ledger)
	}
	if err != nil {
		// The driver writes a line for every address it tried.
		e := c.fail("keys.ledger", "%s", strings.Join(strings.Fields(err.Error()), " "))
		e.Hint = fault.HintOf(err)
		return nil, e
	}
	return store, nil
}

// checkLedgerApart refuses a ledger in the keystore's own file or database: a restore
// would take both back to the same day, and nobody could tell.
func (c *Config) checkLedgerApart() error {
	if !sameStore(c.Keys.Keystore, c.Keys.Ledger) {
		return nil
	}
	return c.fail("keys.ledger", "the ledger is in the keystore's own file or database").
		WithHint("a restore would bring both back together; give the ledger a file or database of its own, better on another disk or server")
}

// sameStore reports whether two texts name one file or one database. What cannot be
// read here (a service that is not in the file) is told when it is opened.
func sameStore(a, b string) bool {
	if a == b {
		return true
	}
	if strings.HasPrefix(a, "sqlite:") || strings.HasPrefix(b, "sqlite:") {
		return false
	}
	ca, err := pgconn.ParseConfig(a)
	if err != nil {
		return false
	}
	cb, err := pgconn.ParseConfig(b)
	return err == nil && ca.Host == cb.Host && ca.Port == cb.Port && ca.Database == cb.Database
}
