// Package sidecar offers privet's operations over local HTTP, to services in
// any language.
//
// A [Server] listens on a unix socket, where the peer is known by its user id,
// and on a loopback address, where it shows a bearer token. [Dev] starts one on
// embedded defaults, [FromDeployment] configures one by deployment.yaml, [New]
// takes a [Config] of your own; [Server.Serve] then runs it until its context ends
// and drains it. The wire types are in package api, a Go client in package client.
//
// What it answers and refuses is the same on every path: who is not known is
// refused before the body is read, what is not allowed by a role is refused
// before a key is touched, requests that a browser or a proxy could have made are
// refused before either, and neither an answer nor a log line repeats a value.
package sidecar

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
	"github.com/privet-dev/privet/sidecar/api"
)

// Keys are what the endpoints work with. *crypto.Client is one; its documentation
// says what the methods do and which errors they return.
type Keys interface {
	AppendEncrypt(ctx context.Context, dst, plaintext []byte, at crypto.Context) ([]byte, error)
	AppendDecrypt(ctx context.Context, dst, ciphertext []byte, at crypto.Context) ([]byte, error)
	mask.Keys
}

// A Caller is one client of the sidecar: how it is recognized, and its roles.
// Any of UID, GID and TokenFile that is set does.
type Caller struct {
	// UID is the user id of the peer on the unix socket.
	UID *uint32
	// GID is the peer's primary group id; a caller with the peer's UID wins over it.
	GID *uint32
	// TokenFile is the path of a file with one or two bearer tokens.
	TokenFile string
	// Roles are names of roles of the Authorizer.
	Roles []string
}

// A Config says where a Server listens and what it may do. Keys must be set; the
// zero value of everything else is safe: nobody listens, nobody may do anything.
type Config struct {
	// Keys are used for every operation.
	Keys Keys
	// Access decides what callers may do; nil allows nothing.
	Access *access.Authorizer
	// Callers are those who are known, by name.
	Callers map[string]Caller

	// Unix is the path of the unix socket, "" for none. Its folder is made with
	// mode 0750 where it does not exist.
	Unix string
	// TCP is the loopback address and port of the second listener, "" for none; port
	// 0 takes a free one. Its callers need tokens.
	TCP string
	// Diagnostics is the loopback address and port of /livez, /readyz and /version,
	// "" for none.
	Diagnostics string
	// Hosts are names accepted in the Host header besides localhost and the loopback
	// addresses, without port.
	Hosts []string

	// Ready says why the keys cannot be used at the moment, or nil. nil means that
	// they always can. It is asked for /readyz and /v1/health, once a second at most and
	// for at most 2 seconds.
	Ready func(ctx context.Context) error
	// Closer is closed at the end of Serve, after the last request; nil for none.
	Closer io.Closer
	// Logger takes the access log and what goes wrong, without values; nil discards.
	Logger *slog.Logger
	// Version is what /version and /v1/health say; "" means "unknown".
	Version string

	// MaxBody is the most bytes of a request body; 0 means 4 MiB.
	MaxBody int64
	// MaxItems is the most items of a batch; 0 means 1,000.
	MaxItems int
	// MaxConns is how many connections each listener keeps open; 0 means 2,048. More
	// wait until one is closed.
	MaxConns int
	// MaxInFlight is how many requests are worked on at once; 0 means 256. One more
	// is answered 429.
	MaxInFlight int
	// ReadTimeout bounds the reading of a request with its body; 0 means 15 seconds.
	ReadTimeout time.Duration
	// RequestTimeout bounds the work on a request; 0 means 25 seconds.
	RequestTimeout time.Duration
	// IdleTimeout is how long an idle connection is kept; 0 means 2 minutes.
	IdleTimeout time.Duration
	// DrainDelay is how long requests are still taken after Serve's context has
	// ended and readiness says no; 0 means not at all.
	DrainDelay time.Duration
	// DrainTimeout is how long requests in flight may take to end; 0 means 20 seconds.
	DrainTimeout time.Duration
}

func (c *Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

// or returns v, or preset where v is zero.
func or[T comparable](v, preset T) T {
	var zero T
	if v == zero {
		return preset
	}
	return v
}

// A Server is one sidecar. Listen and Serve are called once; after Listen, the rest
// is safe for concurrent use.
type Server struct {
	cfg     Config
	log     *slog.Logger
	routes  map[string]route
	callers callers
	slots   chan struct{}
	buffers sync.Pool
	ready   atomic.Bool
	found   finding

	unix, tcp, diagnostics *listener
}

// A route is one endpoint.
type route struct {
	method string
	// handle answers; it is called for known callers only, except where open is set.
	handle func(s *Server, c *call)
	open   bool
}

// New checks cfg and returns a Server that does not listen yet. It reads the
// token files, so that a missing one is an error now. Errors are *fault.Error of
// kind Config.
func New(cfg Config) (*Server, error) {
	if cfg.Keys == nil {
		return nil, fault.New(fault.Config, "sidecar: no keys are configured")
	}
	for what, addr := range map[string]string{"TCP": cfg.TCP, "diagnostics": cfg.Diagnostics} {
		if err := requireLoopback(what, addr); err != nil {
			return nil, err
		}
	}
	s := &Server{
		cfg:     cfg,
		log:     cfg.logger(),
		slots:   make(chan struct{}, or(cfg.MaxInFlight, 256)),
		buffers: sync.Pool{New: func() any { return new(buffer) }},
		routes: map[string]route{
			api.PathEncrypt: {method: http.MethodPost, handle: (*Server).encrypt},
			api.PathDecrypt: {method: http.MethodPost, handle: (*Server).decrypt},
			api.PathMask:    {method: http.MethodPost, handle: (*Server).mask},
			api.PathHealth:  {method: http.MethodGet, handle: (*Server).health, open: true},
		},
	}
	s.cfg.Hosts = nil
	for _, host := range cfg.Hosts {
		s.cfg.Hosts = append(s.cfg.Hosts, strings.ToLower(host))
	}
	var err error
	if s.callers, err = newCallers(maps.Clone(cfg.Callers), s.log); err != nil {
		return nil, err
	}
	if cfg.TCP != "" && len(s.callers.tokens) == 0 {
		return nil, fault.New(fault.Config, "sidecar: a TCP listener is configured, and no caller has a token file").
			WithHint("give a caller a token_file, or listen on a unix socket only")
	}
	return s, nil
}
