package envelope_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
)

var backup = crypto.Context{Tenant: "acme", Field: "backup"}

func sealStream(t testing.TB, c *envelope.Client, plaintext string, at crypto.Context) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := c.NewEncryptWriter(t.Context(), &out, at)
	require.NoError(t, err)
	_, err = w.Write([]byte(plaintext))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func openStream(t testing.TB, c *envelope.Client, sealed []byte, at crypto.Context) (string, error) {
	t.Helper()
	r, err := c.NewDecryptReader(t.Context(), bytes.NewReader(sealed), at)
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	return string(got), err
}

func TestStreams(t *testing.T) {
	if fips140.Enforced() {
		_, err := with(t, newKEK("mem:1")).NewEncryptWriter(t.Context(), io.Discard, backup)
		require.ErrorIs(t, err, crypto.ErrFIPS)
		return
	}
	here, there := newKEK("mem:here"), newKEK("mem:there")
	big := string(make([]byte, 3<<20))
	for _, keks := range [][]kms.KEK{{here}, {here, there}} {
		c := with(t, keks...)
		for _, plaintext := range []string{"", "x", big} {
			sealed := sealStream(t, c, plaintext, backup)
			for _, c := range []*envelope.Client{c, with(t, keks...), with(t, here)} {
				got, err := openStream(t, c, sealed, backup)
				require.NoError(t, err)
				require.True(t, plaintext == got)
				_, err = openStream(t, c, sealed, crypto.Context{Tenant: "umbrella", Field: "backup"})
				require.Equal(t, crypto.ErrDecrypt, err)
			}
		}
		sealed := sealStream(t, c, "forty-two", backup)
		for i := range sealed {
			got, err := openStream(t, c, sealed[:i], backup)
			require.ErrorIs(t, err, crypto.ErrDecrypt, "cut to %d", i)
			require.Empty(t, got)
			for bit := range 8 {
				changed := bytes.Clone(sealed)
				changed[i] ^= 1 << bit
				got, err := openStream(t, c, changed, backup)
				require.ErrorIs(t, err, crypto.ErrDecrypt, "bit %d of byte %d", bit, i)
				require.Empty(t, got)
			}
		}
		_, err := openStream(t, c, append(sealed, 0), backup)
		require.Equal(t, crypto.ErrDecrypt, err)
	}
}

func TestStreamsAskOncePerStream(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("streams are not approved")
	}
	k := newKEK("mem:1")
	c := with(t, k)
	sealed := sealStream(t, c, "x", backup)
	require.EqualValues(t, 1, k.wraps.Load())
	_, err := openStream(t, c, sealed, backup)
	require.NoError(t, err)
	require.EqualValues(t, 1, k.unwraps.Load())

	// A stream's key is 32 bare bytes: no data key of an envelope, nor the reverse.
	n := int(binary.BigEndian.Uint16(sealed[8:]))
	wrapped := sealed[10 : 10+n]
	_, err = c.Decrypt(t.Context(), append(bytes.Clone(wrapped), make([]byte, 40)...), backup)
	require.Equal(t, crypto.ErrDecrypt, err)
	message := seal(t, c, "x", backup)
	forged := append([]byte("privet\x01\x02\x00"), byte(4+12+34+16))
	forged = append(append(forged, message[:4+12+34+16]...), sealed[10+n:]...)
	_, err = openStream(t, c, forged, backup)
	require.Equal(t, crypto.ErrDecrypt, err)

	k.fail(kms.ErrDenied)
	_, err = openStream(t, c, sealed, backup)
	require.ErrorIs(t, err, kms.ErrDenied)
	_, err = c.NewEncryptWriter(t.Context(), io.Discard, backup)
	require.ErrorIs(t, err, kms.ErrDenied)
	_, err = c.NewEncryptWriter(t.Context(), io.Discard, crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"})
	require.ErrorIs(t, err, crypto.ErrContext)
	_, err = openStream(t, c, []byte("privet\x01\x01\x00\x01x"), backup)
	require.ErrorContains(t, err, "value keyring")
	require.ErrorIs(t, err, crypto.ErrDecrypt)
}

func TestTinkOpensOurStreams(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("streams are not approved")
	}
	k := newKEK("mem:1")
	sealed := sealStream(t, with(t, k), "forty-two", backup)
	n := 10 + int(binary.BigEndian.Uint16(sealed[8:]))
	key, err := k.Unwrap(t.Context(), sealed[14:n], nil)
	require.NoError(t, err)
	tink, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, 1<<20, 0)
	require.NoError(t, err)
	ad := append([]byte("privet/stream/1\x00\x00\x00\x04acme\x00\x00\x00\x00\x00\x00\x00\x06backup"), sealed[:n]...)
	r, err := tink.NewDecryptingReader(bytes.NewReader(sealed[n:]), ad)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "forty-two", string(got))
}
