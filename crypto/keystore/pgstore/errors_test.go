package pgstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/internal/pgtest"
)

// A role whose grants are taken away is refused, which is not an outage.
func TestRefusedRoleIsToldApart(t *testing.T) {
	uri := pgtest.Database(t)
	require.NoError(t, open(t, uri).Close())
	service := pgtest.Role(t, uri, "keystore_service")
	pgtest.Exec(t, uri, `GRANT USAGE ON SCHEMA privet TO keystore_service;
		GRANT SELECT ON ALL TABLES IN SCHEMA privet TO keystore_service`)
	s := open(t, service)
	defer s.Close()
	ids := []keystore.ID{{Tenant: "acme", Purpose: "value"}}
	_, err := s.Get(t.Context(), ids)
	require.NoError(t, err)
	pgtest.Exec(t, uri, `REVOKE SELECT ON privet.keyring FROM keystore_service`)
	_, err = s.Get(t.Context(), ids)
	require.ErrorIs(t, err, keystore.ErrDenied)
}
