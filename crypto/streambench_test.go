package crypto_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// BenchmarkStream encrypts and decrypts 256 MiB beside Tink's own stream.
func BenchmarkStream(b *testing.B) {
	if testing.Short() {
		b.Skip("256 MiB a run")
	}
	const size = 256 << 20
	streams(b)
	chunk := make([]byte, 64<<10)
	fill := func(b *testing.B, w io.WriteCloser, err error) {
		for n := 0; err == nil && n < size; n += len(chunk) {
			_, err = w.Write(chunk)
		}
		if err == nil {
			err = w.Close()
		}
		require.NoError(b, err)
	}
	drain := func(b *testing.B, r io.Reader, err error) {
		n := 0
		for err == nil {
			var m int
			m, err = r.Read(chunk)
			n += m
		}
		require.Equal(b, io.EOF, err)
		require.Equal(b, size, n)
	}
	tink, err := subtle.NewAESGCMHKDF(make([]byte, 32), "SHA256", 32, 1<<20, 0)
	require.NoError(b, err)
	c := newClient(b)
	b.Run("encrypt/Tink", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w, err := tink.NewEncryptingWriter(io.Discard, benchAD)
			fill(b, w, err)
		}
	})
	b.Run("encrypt/client", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			w, err := c.NewEncryptWriter(b.Context(), io.Discard, backup)
			fill(b, w, err)
		}
	})
	b.Run("decrypt/Tink", func(b *testing.B) {
		var sealed bytes.Buffer
		w, err := tink.NewEncryptingWriter(&sealed, benchAD)
		fill(b, w, err)
		b.SetBytes(size)
		for b.Loop() {
			r, err := tink.NewDecryptingReader(bytes.NewReader(sealed.Bytes()), benchAD)
			drain(b, r, err)
		}
	})
	b.Run("decrypt/client", func(b *testing.B) {
		var sealed bytes.Buffer
		w, err := c.NewEncryptWriter(b.Context(), &sealed, backup)
		fill(b, w, err)
		b.SetBytes(size)
		for b.Loop() {
			r, err := c.NewDecryptReader(b.Context(), bytes.NewReader(sealed.Bytes()), backup)
			drain(b, r, err)
		}
	})
}
