package kms

import "context"

// A ReWrapper is a KEK that can take over what another key wrapped without the
// plaintext leaving the service.
type ReWrapper interface {
	KEK
	// ReWrap returns what Wrap(ctx, plaintext, destination) would, plaintext being
	// what from.Unwrap(ctx, wrapped, source) gives. Where its service cannot do that
	// for from (another service, another region), the error matches
	// [errors.ErrUnsupported], and the caller unwraps and wraps; all other errors are
	// those of [KEK].
	ReWrap(ctx context.Context, from KEK, wrapped []byte, source, destination map[string]string) ([]byte, error)
}
