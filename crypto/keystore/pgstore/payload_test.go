package pgstore

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/keystore"
)

// Whatever is sent on the channel, by whomever, names one keyring exactly or stands
// for everything; only proofs mean nothing.
func FuzzNotification(f *testing.F) {
	for _, payload := range []string{`["acme","subject","00ff"]`, `["acme","root",""]`, `[]`, `ping x`, `["","",""]`, `{`, "", `["a","b","0"]`} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		var told []keystore.ID
		w := &watch{changed: func(id keystore.ID) { told = append(told, id) }}
		w.tell(payload)
		if strings.HasPrefix(payload, "ping ") {
			require.Empty(t, told)
			return
		}
		require.Len(t, told, 1)
		if id := told[0]; id != (keystore.ID{}) {
			var part []string
			require.NoError(t, json.Unmarshal([]byte(payload), &part))
			require.Equal(t, []string{id.Tenant, id.Purpose}, part[:2])
			require.Equal(t, hex.EncodeToString([]byte(id.Subject)), strings.ToLower(part[2]))
		}
	})
}
