package deployment

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// useKMS points the AWS SDK's own configuration at a double.
func useKMS(t *testing.T) *kmstest.Server {
	server := kmstest.NewServer(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_KMS": server.URL, "AWS_REGION": kmstest.Region,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	return server
}

// Two processes of a fleet: one KMS key, one keystore in PostgreSQL.
func TestFleet(t *testing.T) {
	server := useKMS(t)
	server.CreateKey("alias/privet")
	c := named(t, `kek: "awskms:alias/privet", keystore: "`+pgtest.Database(t)+`"`, "")
	at := crypto.Context{Tenant: "acme", Subject: "42", Field: "customer.email"}
	var ct []byte
	for range 2 {
		d, err := Open(t.Context(), c, Options{})
		require.NoError(t, err)
		require.NoError(t, d.Ready(t.Context()))
		if ct == nil {
			ct, err = d.Crypto.Encrypt(t.Context(), []byte("jane"), at)
			require.NoError(t, err)
		}
		plain, err := d.Crypto.Decrypt(t.Context(), ct, at)
		require.NoError(t, err)
		require.Equal(t, "jane", string(plain))
		require.NoError(t, d.Close())
	}
	require.Positive(t, server.Calls("Encrypt"))
	require.Positive(t, server.Calls("Decrypt"))
}

func TestAKeystoreThatCannotBeReached(t *testing.T) {
	useKMS(t)
	c := named(t, `kek: "awskms:alias/privet", keystore: "host=127.0.0.1 port=1 user=privet password=canary connect_timeout=2"`, "")
	_, err := Open(t.Context(), c, Options{})
	require.ErrorContains(t, err, "deployment.yaml:2:36: keys.keystore: ")
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.NotContains(t, err.Error()+fault.HintOf(err), "canary")
	require.NotContains(t, err.Error(), "\n", "an error is one line")
}
