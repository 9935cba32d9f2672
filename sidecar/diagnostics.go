package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/privet-dev/privet/sidecar/api"
)

// readyLimit is how long the readiness of the keys may take to find out.
const readyLimit = 2 * time.Second

var errStopping = errors.New("not serving")

// readiness says why this server should get no work, or nil.
func (s *Server) readiness(ctx context.Context) error {
	if !s.ready.Load() {
		return errStopping
	}
	if s.cfg.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return s.cfg.Ready(ctx)
}

// probes returns the handler of the diagnostics listener. It has no data routes
// and knows no callers.
func (s *Server) probes() http.Handler {
	answer := func(w http.ResponseWriter, status int, text string) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		w.Write([]byte(text + "\n"))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		switch err := s.readiness(r.Context()); {
		case err == nil:
			answer(w, http.StatusOK, "ready")
		case errors.Is(err, errStopping):
			answer(w, http.StatusServiceUnavailable, "not serving")
		default:
			s.log.Warn("not ready", "error", err)
			answer(w, http.StatusServiceUnavailable, "the keys are not available")
		}
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, or(s.cfg.Version, "unknown")) })
	return mux
}

// health answers GET /v1/health: whether this server can be sent work. It needs
// no caller, so that a probe needs no token.
func (s *Server) health(c *call) {
	if err := s.readiness(c.r.Context()); err != nil {
		c.w.Header().Set("Retry-After", "1")
		c.problem(api.NewProblem(api.NotReady, ""))
		return
	}
	c.json(api.Health{Status: "ready", Version: or(s.cfg.Version, "unknown")})
}

// json answers 200 with a small document.
func (c *call) json(v api.Health) {
	body, err := json.Marshal(v)
	if err != nil {
		c.problem(api.NewProblem(api.Internal, ""))
		return
	}
	c.write(http.StatusOK, "application/json", body)
}
