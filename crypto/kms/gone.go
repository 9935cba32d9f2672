package kms

import (
	"context"
	"fmt"
)

// GoneKEK returns a KEK that no longer exists, by its URI: a key file that was removed. It
// wraps and unwraps nothing ([ErrDenied]) and describes itself as [Gone]. It stands
// among former keys, so that it can be told that what they wrapped is lost.
func GoneKEK(uri string) KEK { return goneKEK(uri) }

type goneKEK string

var _ Describer = goneKEK("")

func (k goneKEK) URI() string { return string(k) }

func (k goneKEK) Wrap(context.Context, []byte, map[string]string) ([]byte, error) {
	return nil, fmt.Errorf("kms: the key %s no longer exists: %w", string(k), ErrDenied)
}

func (k goneKEK) Unwrap(context.Context, []byte, map[string]string) ([]byte, error) {
	return nil, fmt.Errorf("kms: the key %s no longer exists: %w", string(k), ErrDenied)
}

func (k goneKEK) Describe(context.Context) (Description, error) {
	return Description{ID: string(k), State: Gone}, nil
}
