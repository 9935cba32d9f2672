package kmstest

import (
	"net/http"
	"slices"
	"time"
)

// A Fault is what goes wrong with requests. Op and Key narrow it; After and Times
// count the requests that it meets.
type Fault struct {
	// Op is the operation, "Decrypt"; "" means every one.
	Op string
	// Key is the id, ARN or alias of a key that the request names, as its key, source
	// or destination, or in its ciphertext; "" means every one.
	Key string
	// After is how many requests pass before the fault begins.
	After int
	// Times is how many it strikes then; 0 means all.
	Times int
	// Latency delays the answer.
	Latency time.Duration
	// Drop closes the connection without an answer.
	Drop bool
	// Code is the error that is answered, "ThrottlingException"; "" lets the request
	// through once Latency is over.
	Code string
	// Status is the HTTP status of the error; 0 means the service's own for Code: 500
	// or 503 for its failures, 400 for everything else.
	Status int
	// Message is the error's text.
	Message string
}

// Throttled returns the fault of an account over its quota, for that many requests.
func Throttled(times int) Fault {
	return Fault{Times: times, Code: "ThrottlingException", Message: "You have exceeded the rate at which you may call KMS."}
}

// Internal returns the fault of a service that fails, for that many requests.
func Internal(times int) Fault {
	return Fault{Times: times, Code: "KMSInternalException"}
}

// AccessDenied returns the fault of a caller without permission.
func AccessDenied() Fault {
	return Fault{Code: "AccessDeniedException", Message: "User: arn:aws:iam::" + Account + ":user/test is not authorized to perform this operation"}
}

// Dropped returns the fault of a network that breaks connections, for that many
// requests.
func Dropped(times int) Fault { return Fault{Times: times, Drop: true} }

// Slow returns the fault of a service that answers after d.
func Slow(d time.Duration) Fault { return Fault{Latency: d} }

type fault struct {
	Fault
	seen int
}

// Inject makes requests fail as f says, after the faults injected before it, of which
// the first that strikes decides. It returns what takes the fault back.
func (s *Server) Inject(f Fault) (remove func()) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	entry := &fault{Fault: f}
	s.faults = append(s.faults, entry)
	return func() {
		s.account.mu.Lock()
		defer s.account.mu.Unlock()
		for i, e := range s.faults {
			if e == entry {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
				return
			}
		}
	}
}

// Heal takes all faults back.
func (s *Server) Heal() {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	s.faults = nil
}

// A misfortune is what strikes one request.
type misfortune struct {
	latency time.Duration
	drop    bool
	err     error
}

// misfortune returns what strikes a request. The mutex is held.
func (s *Server) misfortune(op string, req *request) misfortune {
	for _, f := range s.faults {
		if f.Op != "" && f.Op != op || f.Key != "" && !slices.ContainsFunc(req.keys(), func(name string) bool { return s.same(f.Key, name) }) {
			continue
		}
		f.seen++
		if f.seen <= f.After || f.Times > 0 && f.seen > f.After+f.Times {
			continue
		}
		m := misfortune{latency: f.Latency, drop: f.Drop}
		if f.Code != "" {
			status := f.Status
			if status == 0 {
				status = statusOf(f.Code)
			}
			m.err = refuse(status, f.Code, "%s", f.Message)
		}
		return m
	}
	return misfortune{}
}

// statusOf returns the HTTP status that the service answers a code with.
func statusOf(code string) int {
	switch code {
	case "KMSInternalException", "KeyUnavailableException", "InternalFailure":
		return http.StatusInternalServerError
	case "DependencyTimeoutException", "ServiceUnavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// same reports whether two names are of one key.
func (s *Server) same(a, b string) bool {
	ka, kb := s.resolve(a), s.resolve(b)
	return a == b || ka != nil && ka == kb
}
