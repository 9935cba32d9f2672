package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/privet-dev/privet/sidecar/api"
)

const (
	readyLimit = 2 * time.Second // to find out whether the keys are ready
	readyLife  = time.Second     // of what was found out
)

// A finding is what was last found out about the keys. Probes need no caller, so
// however many there are, they cost the keystore one question at a time.
type finding struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

var errStopping = errors.New("not serving")

// readiness says why this server should get no work, or nil.
func (s *Server) readiness(ctx context.Context) error {
	if !s.ready.Load() {
		return errStopping
	}
	if s.cfg.Ready == nil {
		return nil
	}
	s.found.mu.Lock()
	defer s.found.mu.Unlock()
	if time.Since(s.found.at) < readyLife {
		return s.found.err
	}
	// Others get this answer too, whether or not this one's client waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyLimit)
	defer cancel()
	s.found.err = s.cfg.Ready(ctx)
	s.found.at = time.Now()
	if s.found.err != nil {
		s.log.Warn("not ready", "error", s.found.err)
	}
	return s.found.err
}

// probes returns the handler of the diagnostics listener. It has no data routes,
// knows no callers, and tells a page in a browser no more than the data routes do.
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
			answer(w, http.StatusServiceUnavailable, "the keys are not available")
		}
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, or(s.cfg.Version, "unknown")) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.isHost(r.Host, false) || foreignHeader(r.Header) != "" {
			w.Header().Set("Connection", "close")
			answer(w, http.StatusForbidden, "requests of browsers and through proxies are refused")
			return
		}
		mux.ServeHTTP(w, r)
	})
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
