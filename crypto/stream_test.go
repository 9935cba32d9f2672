package crypto_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

var backup = crypto.Context{Tenant: "acme", Field: "backup"}

// streams skips a test where streams do not run; TestStreamsAreNotApproved is about
// that.
func streams(t testing.TB) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("streams are not approved")
	}
}

func sealStream(t testing.TB, c *crypto.Client, plaintext []byte, at crypto.Context) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := c.NewEncryptWriter(t.Context(), &out, at)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// openStream returns what came before the error, which is nil where io.EOF came.
func openStream(t testing.TB, c *crypto.Client, sealed []byte, at crypto.Context) ([]byte, error) {
	t.Helper()
	r, err := c.NewDecryptReader(t.Context(), bytes.NewReader(sealed), at)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// numbered returns n bytes that tell where they stood.
func numbered(n int) []byte {
	b := make([]byte, 0, n+8)
	for i := uint64(0); len(b) < n; i++ {
		b = binary.BigEndian.AppendUint64(b, i)
	}
	return b[:n]
}

const segment = 1 << 20

func TestStreamRoundTrip(t *testing.T) {
	streams(t)
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	const first = segment - 40 - 16 // of plaintext in the first segment
	for _, n := range []int{0, 1, 1000, first - 1, first, first + 1, segment, first + segment - 16, first + segment - 15, 5*segment + 7} {
		plaintext := numbered(n)
		sealed := sealStream(t, a, plaintext, backup)
		for _, c := range []*crypto.Client{a, b} {
			got, err := openStream(t, c, sealed, backup)
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got), "%d bytes", n)
		}
	}
	x, y := sealStream(t, a, []byte("x"), backup), sealStream(t, a, []byte("x"), backup)
	require.NotEqual(t, x[15:], y[15:], "every stream has a key of its own")
}

func TestStreamContextIsBound(t *testing.T) {
	streams(t)
	c := newClient(t)
	sealed := sealStream(t, c, []byte("x"), backup)
	encrypt(t, c, "x", crypto.Context{Tenant: "umbrella", Field: "backup"})
	for _, other := range []crypto.Context{
		{Tenant: "umbrella", Field: "backup"}, {Tenant: "nobody", Field: "backup"}, {Tenant: "acme", Field: "backup2"},
	} {
		_, err := openStream(t, c, sealed, other)
		require.Equal(t, crypto.ErrDecrypt, err)
	}
	for _, bad := range []crypto.Context{{Tenant: "acme", Subject: "4711", Field: "backup"}, {Tenant: "acme"}, {Field: "backup"}} {
		_, err := c.NewEncryptWriter(t.Context(), io.Discard, bad)
		require.ErrorIs(t, err, crypto.ErrContext)
		_, err = c.NewDecryptReader(t.Context(), bytes.NewReader(sealed), bad)
		require.ErrorIs(t, err, crypto.ErrContext)
		require.NotContains(t, err.Error(), "4711")
	}
	// The key of a stream is no value, and a value no key of a stream.
	_, err := c.Decrypt(t.Context(), sealed[10:10+32+crypto.Overhead], backup)
	require.Equal(t, crypto.ErrDecrypt, err)
	forged := append([]byte("privet\x01\x01\x00"), byte(32+crypto.Overhead))
	forged = append(forged, encrypt(t, c, string(make([]byte, 32)), backup)...)
	forged = append(forged, sealed[len(forged):]...)
	_, err = openStream(t, c, forged, backup)
	require.Equal(t, crypto.ErrDecrypt, err)
}

func TestEveryChangeOfAStreamIsRefused(t *testing.T) {
	streams(t)
	c := newClient(t)
	plaintext := numbered(4*segment + 1000)
	sealed := sealStream(t, c, plaintext, backup)
	header := 10 + 32 + crypto.Overhead
	refused := func(changed []byte, what string, args ...any) {
		t.Helper()
		got, err := openStream(t, c, changed, backup)
		require.ErrorIs(t, err, crypto.ErrDecrypt, what, args)
		require.True(t, bytes.HasPrefix(plaintext, got), "only what is genuine and in place comes out")
	}
	small := sealStream(t, c, []byte("forty-two"), backup)
	for i := range small {
		got, err := openStream(t, c, small[:i], backup)
		require.ErrorIs(t, err, crypto.ErrDecrypt, "cut to %d", i)
		require.Empty(t, got)
		for bit := range 8 {
			changed := bytes.Clone(small)
			changed[i] ^= 1 << bit
			got, err := openStream(t, c, changed, backup)
			require.ErrorIs(t, err, crypto.ErrDecrypt, "bit %d of byte %d", bit, i)
			require.Empty(t, got)
		}
	}
	for _, n := range []int{header, header + 40, header + segment - 1, header + segment, header + segment + 1, header + 4*segment, len(sealed) - 1} {
		refused(sealed[:n], "cut to %d", n)
	}
	for _, i := range []int{header, header + 1, header + 33, header + 40, header + segment - 1, header + segment, header + 3*segment + 5, len(sealed) - 1} {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused(changed, "byte %d", i)
	}
	swapped := bytes.Clone(sealed)
	copy(swapped[header+segment:], sealed[header+2*segment:header+3*segment])
	refused(swapped, "one segment twice")
	copy(swapped[header+2*segment:], sealed[header+segment:header+2*segment])
	refused(swapped, "two segments swapped")
	refused(append(bytes.Clone(sealed[:header+segment]), sealed[header+2*segment:]...), "a segment taken out")
	refused(append(bytes.Clone(sealed), 0), "a byte more")
	refused(append(bytes.Clone(sealed), sealed...), "another stream behind it")
	refused(sealed[1:], "without the first byte")
	refused(nil, "nothing")
	refused([]byte("-- PostgreSQL database dump"), "something else")
	other := sealStream(t, c, plaintext, backup)
	refused(append(bytes.Clone(other[:header]), sealed[header:]...), "the header of another stream")
}

// An exact Tink stream follows the header: Tink, given the key and the associated
// data, writes what we read and reads what we write.
func TestTinkOpensOurStreams(t *testing.T) {
	streams(t)
	c := newClient(t)
	context := []byte("privet/stream/1\x00\x00\x00\x04acme\x00\x00\x00\x00\x00\x00\x00\x06backup")
	plaintext := numbered(2*segment + 5)
	sealed := sealStream(t, c, plaintext, backup)
	size := 10 + int(binary.BigEndian.Uint16(sealed[8:]))
	header := sealed[:size]

	handle, err := c.InsecureExportKeyring(t.Context(), "acme", "")
	require.NoError(t, err)
	keyring, err := aead.New(handle)
	require.NoError(t, err)
	key, err := keyring.Decrypt(header[10:], context)
	require.NoError(t, err)
	tink, err := subtle.NewAESGCMHKDF(key, "SHA256", 32, 1<<20, 0)
	require.NoError(t, err)
	ad := append(bytes.Clone(context), header...)

	r, err := tink.NewDecryptingReader(bytes.NewReader(sealed[size:]), ad)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))

	theirs := bytes.NewBuffer(bytes.Clone(header))
	w, err := tink.NewEncryptingWriter(theirs, ad)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	got, err = openStream(t, c, theirs.Bytes(), backup)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))
}

func TestStreamOfAnEnvelopeKEKIsNamed(t *testing.T) {
	streams(t)
	_, err := openStream(t, newClient(t), []byte("privet\x01\x02\x00\x01x"), backup)
	require.ErrorIs(t, err, crypto.ErrDecrypt)
	require.ErrorContains(t, err, "envelope KEK")
	require.NotEmpty(t, fault.HintOf(err))
}

func TestUnclosedStreamIsRefused(t *testing.T) {
	streams(t)
	c := newClient(t)
	var out bytes.Buffer
	w, err := c.NewEncryptWriter(t.Context(), &out, backup)
	require.NoError(t, err)
	_, err = w.Write(numbered(3 * segment))
	require.NoError(t, err)
	_, err = openStream(t, c, out.Bytes(), backup)
	require.Equal(t, crypto.ErrDecrypt, err)
}

func TestStreamNeedsKeys(t *testing.T) {
	streams(t)
	w := newWorld(t)
	sealed := sealStream(t, w.client(t), []byte("x"), backup)
	down := errors.New("injected: the key service is away")
	w.kek.fail.Store(&down)
	_, err := openStream(t, w.client(t), sealed, backup)
	require.ErrorIs(t, err, down)
	require.NotErrorIs(t, err, crypto.ErrDecrypt)
	var out bytes.Buffer
	_, err = w.client(t).NewEncryptWriter(t.Context(), &out, backup)
	require.ErrorIs(t, err, down)
	require.Zero(t, out.Len())
}

// A stream of 256 MiB, or 64 in short mode, passes through a few MiB of memory.
func TestStreamTakesConstantMemory(t *testing.T) {
	streams(t)
	c := newClient(t)
	size := int64(256 << 20)
	if testing.Short() {
		size = 64 << 20
	}
	from, to := io.Pipe()
	go func() {
		w, err := c.NewEncryptWriter(t.Context(), to, backup)
		if err == nil {
			if _, err = io.CopyN(w, zeros{}, size); err == nil {
				err = w.Close()
			}
		}
		to.CloseWithError(err)
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := c.NewDecryptReader(t.Context(), from, backup)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
	require.Equal(t, size, n)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16<<20), "allocated, all in all")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Where FIPS 140 is enforced streams say so, before they touch a key or a byte.
func TestStreamsAreNotApproved(t *testing.T) {
	if !fips140.Enforced() {
		again := exec.Command(os.Args[0], "-test.run=^TestStreamsAreNotApproved$", "-test.v")
		again.Env = append(os.Environ(), "GODEBUG=fips140=only")
		out, err := again.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestStreamsAreNotApproved")
		return
	}
	w := newWorld(t)
	c := w.client(t)
	var out bytes.Buffer
	_, err := c.NewEncryptWriter(t.Context(), &out, backup)
	require.ErrorIs(t, err, crypto.ErrFIPS)
	require.ErrorContains(t, err, "fips140=only")
	_, err = c.NewDecryptReader(t.Context(), &out, backup)
	require.ErrorIs(t, err, crypto.ErrFIPS)
	require.Empty(t, w.all(t))
	require.Zero(t, out.Len())
}
