package stream

import (
	"errors"
	"io"
	"slices"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// The parameters of Tink's template AES256-GCM-HKDF-1MB.
const (
	hash        = "SHA256"
	derivedSize = 32
	segmentSize = 1 << 20
)

var errClosed = errors.New("stream: written after Close")

// NewWriter writes the header to w and returns what encrypts into w after it.
func NewWriter(w io.Writer, key, context []byte, h *Header) (io.WriteCloser, error) {
	tink, err := subtle.NewAESGCMHKDF(key, hash, derivedSize, segmentSize, 0)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(h.Raw); err != nil {
		return nil, err
	}
	sealed, err := tink.NewEncryptingWriter(w, slices.Concat(context, h.Raw))
	if err != nil {
		return nil, err
	}
	return &writer{sealed: sealed}, nil
}

// A writer stops for good at the first error. What it adds to Tink's matters: there
// a Close after a failed Write would end a stream with a hole in it as complete.
type writer struct {
	sealed io.WriteCloser
	err    error
}

func (w *writer) Write(p []byte) (n int, err error) {
	if w.err != nil {
		return 0, w.err
	}
	n, w.err = w.sealed.Write(p)
	return n, w.err
}

// Close writes the end of the stream. A second Close does nothing.
func (w *writer) Close() error {
	if w.err == errClosed {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	if w.err = w.sealed.Close(); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

// NewReader returns what decrypts the Tink stream that r goes on with. Whatever
// proves wrong with it is the error refused; errors of r come through as they are.
func NewReader(r io.Reader, key, context []byte, h *Header, refused error) (io.Reader, error) {
	tink, err := subtle.NewAESGCMHKDF(key, hash, derivedSize, segmentSize, 0)
	if err != nil {
		return nil, err
	}
	src := &source{r: r}
	opened, err := tink.NewDecryptingReader(src, slices.Concat(context, h.Raw))
	if err != nil {
		return nil, src.or(refused)
	}
	return &reader{src: src, opened: opened, refused: refused}, nil
}

// A reader stops for good at the first error. Tink's own would answer io.EOF to the
// next Read after the last segment was refused.
type reader struct {
	src     *source
	opened  io.Reader
	refused error
	err     error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	for {
		n, err := r.opened.Read(p)
		switch {
		case err == nil && n == 0:
			continue // an empty last segment
		case err == nil:
			return n, nil
		case err == io.EOF:
			r.err = io.EOF
		default:
			r.err = r.src.or(r.refused)
		}
		return 0, r.err
	}
}

// A source remembers how reading failed, where it was not by ending.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
		if err == io.ErrUnexpectedEOF {
			// To Tink it means that the stream ended.
			err = errCut
		}
	}
	return n, err
}

var errCut = errors.New("stream: the source was cut short")

func (s *source) or(refused error) error {
	if s.err != nil {
		return s.err
	}
	return refused
}
