package sidecar

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/sidecar/api"
)

// A call is one request on its way through the server.
type call struct {
	w  http.ResponseWriter
	r  *http.Request
	id string

	route  string // the path of a route, "" for any other: paths are input
	caller access.Principal
	body   *buffer
	out    *buffer

	// For the access log.
	status, items, failed int
	code                  api.Code
	size                  int
}

// data returns the handler of the data endpoints. Its order is the security
// model: each step costs less than the next, and tells less. Connections are kept
// open for known callers only.
func (s *Server) data(onSocket bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := &call{w: w, r: r, id: requestID(r)}
		defer s.logCall(c, start)
		defer s.recover(c)
		header := w.Header()
		header.Set("X-Request-Id", c.id)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		if p := s.refuse(c, onSocket); p != nil {
			header.Set("Connection", "close")
			c.problem(p)
			return
		}
		route := s.routes[c.route]
		if route.open {
			header.Set("Connection", "close")
			route.handle(s, c)
			return
		}

		r.Body = http.MaxBytesReader(w, r.Body, or(s.cfg.MaxBody, api.MaxBody))
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			header.Set("Retry-After", "1")
			c.problem(api.NewProblem(api.Busy, ""))
			return
		}
		var known bool
		if c.caller, known = s.callers.identify(r); !known {
			header.Set("Connection", "close")
			header.Set("WWW-Authenticate", `Bearer realm="privet"`)
			c.problem(api.NewProblem(api.Unauthenticated, ""))
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), or(s.cfg.RequestTimeout, 25*time.Second))
		defer cancel()
		c.r = r.WithContext(ctx)

		c.body, c.out = s.buffers.Get().(*buffer), s.buffers.Get().(*buffer)
		defer func() {
			c.body.release(&s.buffers)
			c.out.release(&s.buffers)
		}()
		if p := c.read(); p != nil {
			c.problem(p)
			return
		}
		route.handle(s, c)
	})
}

// refuse says why a request is not taken, whoever sent it, or returns nil. It
// looks at the request line and headers only.
func (s *Server) refuse(c *call, onSocket bool) *api.Problem {
	h := c.r.Header
	// A page that rebinds its own name to a loopback address sends that name.
	if !s.isHost(c.r.Host, onSocket) {
		return api.NewProblem(api.HostRefused, "")
	}
	if foreign := foreignHeader(h); foreign != "" {
		return api.NewProblem(api.HeaderRefused, foreign)
	}
	if v := h.Values(api.Header); len(v) != 1 || v[0] != "1" {
		return api.NewProblem(api.HeaderMissing, "")
	}
	// The path as it was sent: every endpoint has one spelling.
	path := c.r.URL.EscapedPath()
	route, ok := s.routes[path]
	if !ok || c.r.URL.RawQuery != "" {
		return api.NewProblem(api.NotFound, "")
	}
	c.route = path
	if c.r.Method != route.method {
		c.w.Header().Set("Allow", route.method)
		return api.NewProblem(api.MethodNotAllowed, "")
	}
	if route.method != http.MethodPost {
		return nil
	}
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") ||
		len(h.Values("Content-Type")) > 1 || len(h.Values("Content-Encoding")) > 0 {
		return api.NewProblem(api.MediaType, "send Content-Type: application/json in UTF-8, not compressed")
	}
	if c.r.ContentLength > or(s.cfg.MaxBody, api.MaxBody) {
		return s.tooLarge()
	}
	return nil
}

func (s *Server) tooLarge() *api.Problem {
	return api.NewProblem(api.BodyTooLarge, fmt.Sprintf("at most %d bytes", or(s.cfg.MaxBody, api.MaxBody)))
}

// isHost reports whether host, with or without a port, names this server. Names
// without meaning in DNS are accepted on the socket only, where they are what
// clients put into the URL.
func (s *Server) isHost(host string, onSocket bool) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || slices.Contains(s.cfg.Hosts, host) || onSocket && (host == "privet" || host == "unix") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// foreignHeader returns what to call the header of a request that only browsers and
// proxies send, "" where there is none. Sec-Fetch-Mode is not among them: Node's
// fetch sends it.
func foreignHeader(h http.Header) string {
	for name := range h {
		switch name {
		case "Forwarded", "Via", "Origin", "Referer", "Sec-Fetch-Site", "X-Real-Ip":
			return name
		}
		if strings.HasPrefix(name, "X-Forwarded-") {
			return "X-Forwarded-*"
		}
	}
	return ""
}

// read reads the body into the call's buffer.
func (c *call) read() *api.Problem {
	_, err := c.body.ReadFrom(c.r.Body)
	if err == nil {
		return nil
	}
	// What is left of the body is not worth reading.
	c.w.Header().Set("Connection", "close")
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return api.NewProblem(api.BodyTooLarge, fmt.Sprintf("at most %d bytes", tooLarge.Limit))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return api.NewProblem(api.BodyTimeout, "")
	}
	return api.NewProblem(api.BadRequest, "the body could not be read to its end")
}

// requestID returns the client's own id where it is harmless to log, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); len(id) > 0 && len(id) <= 64 && !strings.ContainsFunc(id, isNotID) {
		return id
	}
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func isNotID(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.'
}

// recover ends a request that panicked, and only that. What the panic says may
// hold a value, so only its type is logged, or a runtime error's text, which
// holds numbers at most.
func (s *Server) recover(c *call) {
	v := recover()
	if v == nil {
		return
	}
	what := fmt.Sprintf("%T", v)
	if err, ok := v.(runtime.Error); ok {
		what = err.Error()
	}
	s.log.Error("a request panicked", "request_id", c.id, "route", c.route, "panic", what, "stack", string(debug.Stack()))
	if c.status == 0 {
		c.problem(api.NewProblem(api.Internal, ""))
		return
	}
	// The answer has begun: cut the connection, so that no one takes a part for the whole.
	panic(http.ErrAbortHandler)
}
