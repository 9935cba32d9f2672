package deployment

import (
	"context"
	"strings"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/pgstore"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/internal/fault"
)

// openKeystore opens the keystore that keys.keystore names. What an error of
// PostgreSQL's driver says holds no password.
func (c *Config) openKeystore(ctx context.Context) (keystore.Store, error) {
	var store keystore.Store
	var err error
	if path, ok := strings.CutPrefix(c.Keys.Keystore, "sqlite:"); ok {
		store, err = sqlitestore.Open(ctx, path)
	} else {
		if err := c.checkConnection(connection{"keys.keystore", c.Keys.Keystore}); err != nil {
			return nil, err
		}
		store, err = pgstore.Open(ctx, c.Keys.Keystore)
	}
	if err != nil {
		// The driver writes a line for every address it tried.
		e := c.fail("keys.keystore", "%s", strings.Join(strings.Fields(err.Error()), " "))
		e.Hint = fault.HintOf(err)
		return nil, e
	}
	return store, nil
}
