package deployment

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
)

// An embedded deployment has a ledger in a file of its own, and a keystore that is
// put back from a copy is held against it.
func TestEmbeddedLedger(t *testing.T) {
	c := embedded(t)
	keystore := filepath.Join(c.StateDir(), keystoreFile)
	at := crypto.Context{Tenant: "acme", Subject: "42", Field: "customer.email"}
	var ciphertext, backup []byte
	for step := range 3 {
		d, err := Open(t.Context(), c, Options{})
		require.NoError(t, err)
		require.True(t, d.Crypto.HasLedger())
		switch step {
		case 0:
			ciphertext, err = d.Crypto.Encrypt(t.Context(), []byte("x"), at)
		case 1:
			_, err = d.Crypto.Shred(t.Context(), at.Tenant, at.Subject, crypto.ShredOptions{})
		case 2:
			_, err = d.Crypto.Decrypt(t.Context(), ciphertext, at)
			require.ErrorIs(t, err, crypto.ErrErased)
			err = nil
		}
		require.NoError(t, err)
		require.NoError(t, d.Close())
		switch step {
		case 0:
			backup, err = os.ReadFile(keystore)
		case 1:
			err = os.WriteFile(keystore, backup, 0o600)
		}
		require.NoError(t, err)
	}
	require.FileExists(t, filepath.Join(c.StateDir(), ledgerFile))
}

func TestLedgerInPostgreSQL(t *testing.T) {
	c := named(t, `kek: "file:key.json", keystore: "sqlite:keys.db", ledger: "`+pgtest.Database(t)+`"`, "")
	_, err := Open(t.Context(), c, Options{})
	require.ErrorContains(t, err, "keys.kek: the key file")
	e := embedded(t)
	e.Keys.Ledger = c.Keys.Ledger
	d, err := Open(t.Context(), e, Options{})
	require.NoError(t, err)
	defer d.Close()
	r, err := d.Crypto.Shred(t.Context(), "acme", "42", crypto.ShredOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Ledger)
}

func TestALedgerThatCannotBeReached(t *testing.T) {
	e := embedded(t)
	e.Keys.Ledger = "host=127.0.0.1 port=1 user=privet password=canary connect_timeout=2"
	_, err := Open(t.Context(), e, Options{})
	require.ErrorContains(t, err, "keys.ledger: ")
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.NotContains(t, err.Error()+fault.HintOf(err), "canary")
	e.Keys.Ledger = "postgresql://db.example.org/ledger"
	_, err = Open(t.Context(), e, Options{})
	require.ErrorContains(t, err, "without verified TLS")
}

func TestLedgerApartFromTheKeystore(t *testing.T) {
	t.Setenv("PGSERVICEFILE", filepath.Join(t.TempDir(), "none"))
	for _, tt := range []struct {
		keystore, ledger string
		same             bool
	}{
		{"sqlite:/a", "sqlite:/a", true},
		{"sqlite:/a", "sqlite:/b", false},
		{"sqlite:/a", "host=db dbname=a", false},
		{"service=privet", "service=privet", true},
		{"service=privet", "service=ledger", false},
		{"postgresql://db/privet", "host=db dbname=privet", true},
		{"postgresql://db/privet", "host=db user=other dbname=privet", true},
		{"postgresql://db/privet", "postgresql://db/ledger", false},
		{"postgresql://db/privet", "postgresql://db:5433/privet", false},
		{"postgresql://db/privet", "postgresql://other/privet", false},
	} {
		require.Equal(t, tt.same, sameStore(tt.keystore, tt.ledger), "%s and %s", tt.keystore, tt.ledger)
	}
}
