package sidecar

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/sidecar/api"
)

// Whatever the body, the answer is a batch or a problem of the 400s; and a batch
// is what encoding/json reads from the same body.
func FuzzDecodeCrypt(f *testing.F) {
	for _, s := range []string{
		`{"tenant":"acme","items":[{"ref":"1","field":"f","subject":"s","value":"v","encoding":"base64"},{"field":"g","value":""}]}`,
		`{"items":[],"tenant":""}`, `{"tenant":"a","items":[{"field":"f","value":"v"},{"field":"f","value":"v"},{},{}]}`, `{"tenant":"a","tenant":"b"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		tenant, items, p := decodeBatch(body, 3, decodeCrypt)
		if p != nil {
			require.Contains(t, []api.Code{api.BadRequest, api.TooManyItems}, p.Code)
			require.Empty(t, items)
			return
		}
		var want api.EncryptRequest
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&want))
		require.Equal(t, want, api.EncryptRequest{Tenant: tenant, Items: items})
		require.LessOrEqual(t, len(items), 3)
	})
}

func FuzzDecodeMask(f *testing.F) {
	f.Add([]byte(`{"tenant":"acme","items":[{"ref":"1","rule":"fpe(keep_last=4)","value":"v","type":"card_number","sql_type":"text","max_length":20,"subject":"7"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		tenant, items, p := decodeBatch(body, 3, decodeMask)
		if p != nil {
			require.Contains(t, []api.Code{api.BadRequest, api.TooManyItems}, p.Code)
			return
		}
		var want api.MaskRequest
		require.NoError(t, json.Unmarshal(body, &want))
		require.Equal(t, want, api.MaskRequest{Tenant: tenant, Items: items})
	})
}

func TestRefsAreShort(t *testing.T) {
	ref := string(bytes.Repeat([]byte("r"), api.MaxRef+1))
	_, _, p := decodeBatch([]byte(`{"tenant":"a","items":[{"ref":"`+ref+`","field":"f","value":"v"}]}`), 1, decodeCrypt)
	require.Equal(t, "/items/0/ref", p.Pointer)
	_, items, p := decodeBatch([]byte(`{"tenant":"a","items":[{"ref":"`+ref[1:]+`","field":"f","value":"v"}]}`), 1, decodeCrypt)
	require.Nil(t, p)
	require.Equal(t, ref[1:], items[0].Ref)
}
