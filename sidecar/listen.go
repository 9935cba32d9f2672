package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/privet-dev/privet/internal/fault"
)

// A listener is one bound address and the HTTP server behind it.
type listener struct {
	net.Listener
	http *http.Server
}

// Listen binds the configured addresses. Serve does it where it was not done;
// calling it before lets the caller print a port that was chosen by the system.
// On error nothing stays bound. Errors are *fault.Error of kind Config.
func (s *Server) Listen() (err error) {
	if s.unix != nil || s.tcp != nil || s.diagnostics != nil {
		return nil
	}
	defer func() {
		if err != nil {
			s.close()
			s.unix, s.tcp, s.diagnostics = nil, nil, nil
		}
	}()
	if s.cfg.Unix != "" {
		l, err := listenUnix(s.cfg.Unix)
		if err != nil {
			return err
		}
		s.unix = s.listener(l, s.data(true))
		s.unix.http.ConnContext = withPeer
	}
	if s.cfg.TCP != "" {
		l, err := net.Listen("tcp", s.cfg.TCP)
		if err != nil {
			return fault.New(fault.Config, "sidecar: %v", err).WithHint("another process may have the port; 0 takes a free one")
		}
		s.tcp = s.listener(l, s.data(false))
	}
	if s.cfg.Diagnostics != "" {
		l, err := net.Listen("tcp", s.cfg.Diagnostics)
		if err != nil {
			return fault.New(fault.Config, "sidecar: diagnostics: %v", err)
		}
		s.diagnostics = s.listener(l, s.probes())
	}
	if s.unix == nil && s.tcp == nil {
		return fault.New(fault.Config, "sidecar: no address to listen on is configured").
			WithHint("set listen.unix in deployment.yaml")
	}
	return nil
}

// listener returns l with an HTTP server behind it that calls h.
func (s *Server) listener(l net.Listener, h http.Handler) *listener {
	limited := limitConns(l, or(s.cfg.MaxConns, 2048))
	srv := s.server(h)
	srv.ConnState = limited.state
	return &listener{limited, srv}
}

// server returns an HTTP server with every time limit set. Only HTTP/1.1 is
// spoken: there is nothing to gain from HTTP/2 on one machine.
func (s *Server) server(h http.Handler) *http.Server {
	read, work := or(s.cfg.ReadTimeout, 15*time.Second), or(s.cfg.RequestTimeout, 25*time.Second)
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: min(read, 5*time.Second),
		ReadTimeout:       read,
		WriteTimeout:      read + work + 5*time.Second,
		IdleTimeout:       or(s.cfg.IdleTimeout, 2*time.Minute),
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	srv.Protocols.SetHTTP1(true)
	return srv
}

// listeners returns those that are bound.
func (s *Server) listeners() (all []*listener) {
	for _, l := range []*listener{s.unix, s.tcp, s.diagnostics} {
		if l != nil {
			all = append(all, l)
		}
	}
	return all
}

// shutdown lets the requests in flight end, and reports whether the time was too
// short for some. No listener takes a new one while another's are waited for;
// readiness is answered to the end.
func (s *Server) shutdown(ctx context.Context) (cut bool) {
	var data sync.WaitGroup
	var late atomic.Bool
	for _, l := range []*listener{s.unix, s.tcp} {
		if l != nil {
			data.Go(func() {
				if l.http.Shutdown(ctx) != nil {
					late.Store(true)
				}
			})
		}
	}
	data.Wait()
	if s.diagnostics != nil && s.diagnostics.http.Shutdown(ctx) != nil {
		late.Store(true)
	}
	return late.Load()
}

func (s *Server) close() {
	for _, l := range s.listeners() {
		l.http.Close()
		l.Listener.Close()
	}
}

// Socket returns the path of the unix socket once Listen has bound it, else "".
func (s *Server) Socket() string {
	if s.unix == nil {
		return ""
	}
	return s.cfg.Unix
}

// URL returns the base URL of the TCP listener once Listen has bound it, else "".
func (s *Server) URL() string { return s.tcp.url() }

// DiagnosticsURL returns the base URL of the diagnostics listener once Listen has
// bound it, else "".
func (s *Server) DiagnosticsURL() string { return s.diagnostics.url() }

func (l *listener) url() string {
	if l == nil {
		return ""
	}
	return "http://" + l.Addr().String()
}

// Serve answers requests until ctx ends, then drains: readiness says no, requests
// are taken for DrainDelay longer, those in flight get DrainTimeout to end, and
// the Closer is closed. It returns nil when every request ended by itself, a
// *fault.Error of kind Stopped when some were cut off, and otherwise the error
// that ended it.
func (s *Server) Serve(ctx context.Context) error {
	err := s.Listen()
	if err == nil {
		err = s.serve(ctx)
	}
	if s.cfg.Closer != nil {
		err = errors.Join(err, s.cfg.Closer.Close())
	}
	return err
}

func (s *Server) serve(ctx context.Context) error {
	all := s.listeners()
	ended := make(chan error, len(all))
	for _, l := range all {
		go func() { ended <- l.http.Serve(l) }()
	}
	s.ready.Store(true)
	s.log.Info("listening", "unix", s.Socket(), "tcp", s.URL(), "diagnostics", s.DiagnosticsURL())

	var failure error
	running := len(all)
	select {
	case <-ctx.Done():
	case failure = <-ended:
		running--
	}
	s.ready.Store(false)
	s.log.Info("draining")
	if failure == nil && s.cfg.DrainDelay > 0 {
		select {
		case <-time.After(s.cfg.DrainDelay):
		case failure = <-ended:
			running--
		}
	}

	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), or(s.cfg.DrainTimeout, 20*time.Second))
	defer cancel()
	cut := s.shutdown(limit)
	s.close()
	for ; running > 0; running-- {
		<-ended
	}
	s.log.Info("stopped")
	switch {
	case failure != nil && !errors.Is(failure, http.ErrServerClosed):
		return fault.New(fault.Unexpected, "sidecar: a listener failed: %v", failure)
	case cut:
		return fault.New(fault.Stopped, "sidecar: requests were still in flight when the drain's time was up")
	}
	return nil
}

// requireLoopback refuses an address that other machines can reach: what is
// served has no TLS.
func requireLoopback(what, addr string) error {
	if addr == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.New(fault.Config, "sidecar: %s: expected an address and a port, such as 127.0.0.1:8765", what)
	}
	// A name other than localhost could resolve to anything, now or later.
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fault.New(fault.Config, "sidecar: %s: %s is not a loopback address, and traffic here has no TLS", what, addr).
			WithHint("listen on 127.0.0.1 or [::1], or on the unix socket")
	}
	return nil
}
