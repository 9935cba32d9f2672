package crypto_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
)

func TestAssociatedData(t *testing.T) {
	require.Equal(t, string(benchAD), string(benchAt.AppendAssociatedData(nil)))
	at := crypto.Context{Tenant: "a", Subject: "bc", Field: "def"}
	require.Equal(t, "xprivet/1\x00\x00\x00\x01a\x00\x00\x00\x02bc\x00\x00\x00\x03def", string(at.AppendAssociatedData([]byte("x"))))
}

func TestCheckContext(t *testing.T) {
	for _, good := range []crypto.Context{
		benchAt, {Tenant: "bücher", Subject: "\x00\xff", Field: "f"}, {Tenant: strings.Repeat("x", 255), Subject: strings.Repeat("x", 1024), Field: strings.Repeat("x", 255)},
	} {
		require.NoError(t, good.Check())
	}
	for _, bad := range []crypto.Context{
		{}, {Tenant: "acme"}, {Field: "f"}, {Tenant: "a\x1f", Field: "f"}, {Tenant: "a\x7f", Field: "f"}, {Tenant: "a\u0085", Field: "f"},
		{Tenant: "\xff", Field: "f"}, {Tenant: strings.Repeat("x", 256), Field: "f"}, {Tenant: "acme", Field: strings.Repeat("x", 256)},
		{Tenant: "acme", Field: "f", Subject: strings.Repeat("x", 1025)},
	} {
		require.ErrorIs(t, bad.Check(), crypto.ErrContext)
	}
}
