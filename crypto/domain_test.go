package crypto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
)

func TestSubkeys(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	seen := map[string]string{}
	for _, tenant := range []string{"acme", "umbrella"} {
		for _, domain := range []string{"emails", "phones", "d"} {
			for _, purpose := range []string{"mask", "token", "d"} {
				x, err := a.Subkey(t.Context(), tenant, domain, purpose, 32)
				require.NoError(t, err)
				y, err := b.Subkey(t.Context(), tenant, domain, purpose, 32)
				require.NoError(t, err)
				require.Equal(t, x, y)
				name := tenant + "/" + domain + "/" + purpose
				require.Empty(t, seen[string(x)], "%s", name)
				seen[string(x)] = name
			}
		}
	}
	for name, tc := range map[string]struct {
		tenant, domain, purpose string
		n                       int
	}{
		"no tenant":       {"", "d", "p", 1},
		"no domain":       {"acme", "", "p", 1},
		"no purpose":      {"acme", "d", "", 1},
		"no bytes":        {"acme", "d", "p", 0},
		"negative":        {"acme", "d", "p", -1},
		"too many":        {"acme", "d", "p", 8161},
		"reserved domain": {"acme", "privet/subjects", "subject id", 32},
		"control":         {"acme", "d\n", "p", 32},
	} {
		_, err := a.Subkey(t.Context(), tc.tenant, tc.domain, tc.purpose, tc.n)
		require.ErrorIs(t, err, crypto.ErrContext, name)
	}
	most, err := a.Subkey(t.Context(), "acme", "d", "p", 8160)
	require.NoError(t, err)
	require.Len(t, most, 8160)
}

func TestSigningKey(t *testing.T) {
	w := newWorld(t)
	a, err := w.client(t).SigningKey(t.Context(), "acme", "receipts")
	require.NoError(t, err)
	b, err := w.client(t).SigningKey(t.Context(), "acme", "receipts")
	require.NoError(t, err)
	require.True(t, a.Equal(b))
	for _, other := range [][2]string{{"acme", "audit"}, {"umbrella", "receipts"}} {
		c, err := w.client(t).SigningKey(t.Context(), other[0], other[1])
		require.NoError(t, err)
		require.False(t, a.Equal(c))
	}
	_, err = w.client(t).SigningKey(t.Context(), "acme", "")
	require.ErrorIs(t, err, crypto.ErrContext)
}
