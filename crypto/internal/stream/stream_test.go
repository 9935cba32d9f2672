package stream

import (
	"bytes"
	"crypto/fips140"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
)

var errRefused = errors.New("refused")

func TestHeader(t *testing.T) {
	h, err := NewHeader(ByEnvelope, []byte("wrapped"))
	require.NoError(t, err)
	require.Equal(t, "privet\x01\x02\x00\x07wrapped", string(h.Raw))
	r := bytes.NewReader(append(bytes.Clone(h.Raw), "more"...))
	got, err := ReadHeader(iotest.OneByteReader(r), errRefused)
	require.NoError(t, err)
	require.Equal(t, h, got)
	require.Equal(t, 4, r.Len(), "no byte more is read")
	for i := range h.Raw {
		_, err := ReadHeader(bytes.NewReader(h.Raw[:i]), errRefused)
		require.ErrorIs(t, err, errRefused)
		require.Equal(t, fault.Data, fault.KindOf(err))
	}
	for want, raw := range map[string]string{
		"does not begin like": "PGDMP\x01\x0e\x00\x04\x08\x08",
		"does not begin":      "privet\x01\x01\x00\x00",
		"of a version":        "privet\x02\x01\x00\x01x",
		"is of a version":     "privet\x01\x03\x00\x01x",
	} {
		_, err := ReadHeader(bytes.NewReader([]byte(raw)), errRefused)
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, errRefused)
	}
	broken := errors.New("the disk is broken")
	for _, n := range []int{0, 5, 12} {
		_, err = ReadHeader(io.MultiReader(bytes.NewReader(h.Raw[:n]), iotest.ErrReader(broken)), errRefused)
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, errRefused, "nobody knows what the rest would have said")
	}
	for _, n := range []int{0, 1 << 16} {
		_, err := NewHeader(ByKeyring, make([]byte, n))
		require.Error(t, err)
	}
}

func FuzzReadHeader(f *testing.F) {
	h, err := NewHeader(ByKeyring, []byte("wrapped"))
	require.NoError(f, err)
	f.Add(h.Raw)
	f.Add([]byte("privet\x01\x02\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b), errRefused)
		if err != nil {
			require.ErrorIs(t, err, errRefused)
			return
		}
		again, err := NewHeader(h.Wrapping, h.Wrapped)
		require.NoError(t, err)
		require.Equal(t, b[:len(h.Raw)], again.Raw, "one form each")
	})
}

// sealed returns a stream of n bytes that starts behind its header.
func sealed(t *testing.T, n int) (h *Header, body []byte) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("Tink's streams are not approved")
	}
	h, err := NewHeader(ByKeyring, []byte("wrapped"))
	require.NoError(t, err)
	var out bytes.Buffer
	w, err := NewWriter(&out, make([]byte, KeySize), []byte("context"), h)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, n))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "once more does nothing")
	_, err = w.Write([]byte("x"))
	require.Error(t, err)
	return h, out.Bytes()[len(h.Raw):]
}

func opened(h *Header, r io.Reader) (io.Reader, error) {
	return NewReader(r, make([]byte, KeySize), []byte("context"), h, errRefused)
}

func TestReadErrorsComeThroughAndStick(t *testing.T) {
	h, body := sealed(t, 3<<20)
	broken := errors.New("the network is broken")
	for _, cause := range []error{broken, io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 20, 40, 41, 1000, 1 << 20, 1<<20 + 1, 2<<20 + 5, len(body)} {
			r, err := opened(h, io.MultiReader(bytes.NewReader(body[:n]), iotest.ErrReader(cause)))
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				require.ErrorIs(t, err, cause, "after %d bytes", n)
				_, err = r.Read(make([]byte, 1))
			}
			require.ErrorIs(t, err, cause)
			require.NotErrorIs(t, err, errRefused)
		}
	}
}

func TestRefusalSticks(t *testing.T) {
	h, body := sealed(t, 3<<20)
	for _, n := range []int{40, 41, 1 << 20, 1<<20 + 1, len(body) - 1} {
		r, err := opened(h, bytes.NewReader(body[:n]))
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, r)
		require.Equal(t, errRefused, err)
		for range 3 {
			n, err := r.Read(make([]byte, 10))
			require.Zero(t, n)
			require.Equal(t, errRefused, err, "and not io.EOF")
		}
	}
}

func TestReaderContract(t *testing.T) {
	for _, n := range []int{0, 1, 1<<20 - 56, 1<<20 - 55, 1 << 20, 3 << 20} {
		h, body := sealed(t, n)
		r, err := opened(h, bytes.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(r, make([]byte, n)))
	}
}

// failing fails from the nth byte on.
type failing struct{ left int }

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

// After a failed write, nothing ends the stream as if it were complete.
func TestWriteErrorsStick(t *testing.T) {
	h, body := sealed(t, 3<<20)
	whole := len(h.Raw) + len(body)
	for _, room := range []int{0, len(h.Raw), len(h.Raw) + 40, 1<<20 + 100, 2<<20 + 100, whole - 1} {
		out := &failing{left: room}
		w, err := NewWriter(out, make([]byte, KeySize), []byte("context"), h)
		if err == nil {
			if _, err = w.Write(make([]byte, 3<<20)); err == nil {
				err = w.Close()
			}
			out.left = 1 << 30 // the disk has room again
			require.ErrorIs(t, w.Close(), io.ErrShortWrite)
			_, again := w.Write([]byte("x"))
			require.ErrorIs(t, again, io.ErrShortWrite)
			require.Equal(t, 1<<30, out.left, "nothing was written any more")
		}
		require.ErrorIs(t, err, io.ErrShortWrite, "room for %d bytes", room)
	}
	w, err := NewWriter(&failing{left: whole}, make([]byte, KeySize), []byte("context"), h)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 3<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
}
