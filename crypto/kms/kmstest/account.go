package kmstest

import (
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An account is what the servers of all regions share: multi-Region keys reach from
// one into the other. Its mutex guards them all.
type account struct {
	mu      sync.Mutex
	regions map[string]*Server
	closed  bool
}

// In returns the server of another region of the same account, with an address,
// faults and counts of its own; it starts it where there is none yet. Keys and
// aliases are those of the region, but for multi-Region keys that were replicated
// there. It stops together with s.
func (s *Server) In(region string) *Server {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return s.account.in(region)
}

// in is In with the mutex held.
func (a *account) in(region string) *Server {
	if s, ok := a.regions[region]; ok {
		return s
	}
	if a.closed {
		panic("kmstest: the server is closed")
	}
	s := &Server{
		Region: region, account: a, closing: make(chan struct{}),
		keys: map[string]*key{}, aliases: map[string]string{},
		calls: map[string]int{}, last: map[string]map[string]string{},
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.ServeHTTP))
	s.URL = s.http.URL
	a.regions[region] = s
	return s
}

// Close stops the servers of all regions and ends the answers that they delay.
func (s *Server) Close() {
	s.account.mu.Lock()
	servers := make([]*Server, 0, len(s.account.regions))
	if !s.account.closed {
		for _, r := range s.account.regions {
			servers = append(servers, r)
		}
	}
	s.account.closed = true
	s.account.mu.Unlock()
	for _, r := range servers {
		close(r.closing)
		r.http.CloseClientConnections()
		r.http.Close()
	}
}

// credentials are what a client signs with; the server does not know the secret and
// takes every signature that is scoped to its region.
var credentials = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "no secret, and long enough for FIPS 140", Source: "kmstest"}
