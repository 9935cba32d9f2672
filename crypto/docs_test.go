package crypto_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/cmac"
)

// The example in docs/crypto.md, from which readers in other languages are written,
// opens here and in plain Tink.
func TestExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/crypto.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```vector\n(.*?)```").FindStringSubmatch(string(page))
	require.NotNil(t, block)
	v := map[string]string{}
	for line := range strings.Lines(block[1]) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		require.True(t, ok, line)
		v[name] = value
	}
	bytesOf := func(name string) []byte {
		b, err := hex.DecodeString(v[name])
		require.NoError(t, err, name)
		require.NotEmpty(t, b, name)
		return b
	}
	at := crypto.Context{Tenant: v["tenant"], Subject: v["subject"], Field: v["field"]}
	ciphertext := bytesOf("ciphertext")
	require.Equal(t, bytesOf("ad"), at.AppendAssociatedData(nil))
	require.Equal(t, bytesOf("ad"), valueAD(at))
	require.Equal(t, v["text"], crypto.EncodeText(ciphertext))
	mac, err := cmac.New(bytesOf("key"))
	require.NoError(t, err)
	var derived []byte
	for i := range byte(2) {
		half := mac.Sum(append([]byte{0, i + 1, 'X', 0}, ciphertext[5:17]...))
		derived = append(derived, half[:]...)
	}
	require.Equal(t, bytesOf("derived"), derived)

	p, err := xaesgcm.NewParameters(xaesgcm.VariantTink, 12)
	require.NoError(t, err)
	key, err := xaesgcm.NewKey(secretdata.NewBytesFromData(bytesOf("key"), insecuresecretdataaccess.Token{}), binary.BigEndian.Uint32(bytesOf("id")), p)
	require.NoError(t, err)
	m := keyset.NewManager()
	id, err := m.AddKey(key)
	require.NoError(t, err)
	require.NoError(t, m.SetPrimary(id))
	h, err := m.Handle()
	require.NoError(t, err)
	got, err := newTinkAEAD(t, h).Decrypt(ciphertext, bytesOf("ad"))
	require.NoError(t, err)
	require.Equal(t, v["plaintext"], string(got))

	c := newWorld(t).client(t)
	sid, err := crypto.SubjectID(t.Context(), c, at.Tenant, at.Subject)
	require.NoError(t, err)
	require.NoError(t, crypto.PutKeyset(t.Context(), c, sid, h))
	got, err = c.Decrypt(t.Context(), ciphertext, at)
	require.NoError(t, err)
	require.Equal(t, v["plaintext"], string(got))
}
