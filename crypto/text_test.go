package crypto_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{"": "pvt1.", "\x00": "pvt1.AA", "\xff\xfe\xfd": "pvt1.__79", "\x01\x02\x03\x04": "pvt1.AQIDBA"} {
		require.Equal(t, want, crypto.EncodeText([]byte(in)))
		require.Equal(t, len(want), crypto.TextLen(len(in)))
		require.Equal(t, "x"+want, string(crypto.AppendText([]byte("x"), []byte(in))))
		require.True(t, crypto.IsText(want))
		got, err := crypto.DecodeText(want)
		require.NoError(t, err)
		require.Equal(t, in, string(got))
	}
}

func TestDecodeTextRefuses(t *testing.T) {
	for _, s := range []string{
		"", "pvt1", "pvt2.AA", "Pvt1.AA", " pvt1.AA", "AA", "pvt1.A", "pvt1.AA==", "pvt1.AA ", "pvt1.A\nA", "pvt1.AA\r\n", "pvt1.AA\n",
		"pvt1.AB", // stray bits: another text of the same bytes
		"pvt1.//79", "pvt1.++79", "pvt1.AA.AA", "pvt1.ÄÄ",
	} {
		_, err := crypto.DecodeText(s)
		require.ErrorIs(t, err, crypto.ErrText, "%q", s)
		require.Equal(t, fault.Data, fault.KindOf(err))
	}
}

func FuzzDecodeText(f *testing.F) {
	for _, s := range []string{"pvt1.", "pvt1.AA", "pvt1.AB", "pvt1.__79", "x", "pvt1.A\nA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := crypto.DecodeText(s)
		if err == nil {
			require.Equal(t, s, crypto.EncodeText(b), "a ciphertext has one text")
		}
	})
}
