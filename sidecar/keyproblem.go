package sidecar

import (
	"errors"
	"strings"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/sidecar/api"
)

// keyProblem says what an error of the keys means to the client. Those that the
// operator should see are logged; crypto promises that they hold no value.
func (s *Server) keyProblem(c *call, err error) *api.Problem {
	switch {
	case errors.Is(err, crypto.ErrErased):
		return api.NewProblem(api.SubjectErased, "")
	case errors.Is(err, crypto.ErrContext):
		return api.NewProblem(api.BadItem, strings.TrimPrefix(err.Error(), "crypto: "))
	case errors.Is(err, crypto.ErrTooLarge):
		return api.NewProblem(api.BadItem, "the value is too large")
	case c.r.Context().Err() != nil:
		return api.NewProblem(api.DeadlineExceeded, "")
	}
	s.log.Error("the keys could not be used", "request_id", c.id, "route", c.route, "error", err)
	switch {
	case errors.Is(err, kms.ErrDenied):
		return api.NewProblem(api.KeysRefused, "")
	case errors.Is(err, crypto.ErrKeyring), errors.Is(err, kms.ErrInvalid):
		return api.NewProblem(api.Internal, "")
	}
	// The key service, the keystore or the way there: trying later may help.
	return api.NewProblem(api.KeysUnavailable, "")
}
