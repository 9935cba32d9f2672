// Package kmstest is a test double of AWS KMS: an HTTP server that speaks the
// service's JSON 1.1 protocol, so that the real client is tested.
//
//	server := kmstest.NewServer(t)
//	key := server.CreateKey("alias/privet")
//	kek, err := awskms.Open(ctx, server.Config("alias/privet"))
//	...
//	server.Inject(kmstest.Throttled(2))
//	server.Calls("Decrypt")
//
// It knows symmetric keys and aliases, the life of keys (disabled, pending
// deletion), the encryption context, the service's limits and error codes, and can be
// told to fail. Its keys live in memory, its ciphertexts open nowhere else.
package kmstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/privet-dev/privet/crypto/kms/awskms"
)

// Region and Account are where the server's keys claim to be.
const (
	Region  = "eu-central-1"
	Account = "111122223333"
)

// TB is what a server needs of a testing.TB.
type TB interface {
	Cleanup(func())
}

// A Server is a KMS. It is safe for concurrent use.
type Server struct {
	// URL is the endpoint: "http://127.0.0.1:…".
	URL string

	http    *httptest.Server
	closing chan struct{}

	mu      sync.Mutex
	keys    map[string]*key   // by id
	aliases map[string]string // name to key id
	faults  []*fault
	calls   map[string]int
	last    map[string]map[string]string // operation to its last encryption context
}

// NewServer starts a server on a free port of the loopback interface. It stops when
// the test ends; where t is nil, the caller calls Close.
func NewServer(t TB) *Server {
	s := &Server{
		closing: make(chan struct{}),
		keys:    map[string]*key{}, aliases: map[string]string{},
		calls: map[string]int{}, last: map[string]map[string]string{},
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	if t != nil {
		t.Cleanup(s.Close)
	}
	return s
}

// Close stops the server and ends the answers that it delays.
func (s *Server) Close() {
	close(s.closing)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Config returns how awskms reaches the key of that id, ARN or alias, with retries
// that wait for no more than a millisecond.
func (s *Server) Config(keyID string) awskms.Config {
	return awskms.Config{
		KeyID: keyID, Region: Region, Endpoint: s.URL, MaxBackoff: time.Millisecond,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "no secret, and long enough for FIPS 140", Source: "kmstest"}, nil
		}),
	}
}

// Calls returns how many requests of that operation ("Decrypt") have arrived, failed
// ones included; "" counts all.
func (s *Server) Calls(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op != "" {
		return s.calls[op]
	}
	n := 0
	for _, c := range s.calls {
		n += c
	}
	return n
}

// ResetCalls sets all counts to 0.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
}

// LastContext returns the encryption context of the last request of that operation.
func (s *Server) LastContext(op string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[op]
}

// maxRequest is far above what any operation takes.
const maxRequest = 1 << 20

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return
	}
	op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	if r.Method != http.MethodPost || !ok {
		reply(w, nil, refuse(http.StatusNotFound, "UnknownOperationException", "no such operation"))
		return
	}
	var req request
	if err := json.Unmarshal(body, &req); err != nil {
		reply(w, nil, refuse(http.StatusBadRequest, "SerializationException", "the body is not JSON"))
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") {
		reply(w, nil, refuse(http.StatusForbidden, "MissingAuthenticationToken", "the request is not signed"))
		return
	}
	f := s.arrive(op, &req)
	if f.latency > 0 && !s.wait(r.Context(), f.latency) {
		return
	}
	if f.drop {
		panic(http.ErrAbortHandler) // closes the connection
	}
	if f.err != nil {
		reply(w, nil, f.err)
		return
	}
	out, err := s.serve(op, &req)
	reply(w, out, err)
}

// arrive counts a request and returns what is to go wrong with it.
func (s *Server) arrive(op string, req *request) misfortune {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
	s.last[op] = req.EncryptionContext
	return s.misfortune(op, req)
}

// wait returns false where client or server are gone before the time is over.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.closing:
	}
	return false
}

// A refusal is an error of the service.
type refusal struct {
	status        int
	code, message string
}

func (r *refusal) Error() string { return r.code + ": " + r.message }

func refuse(status int, code, format string, args ...any) *refusal {
	return &refusal{status, code, fmt.Sprintf(format, args...)}
}

func reply(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-RequestId", "00000000-0000-0000-0000-000000000000")
	if err != nil {
		r, ok := errors.AsType[*refusal](err)
		if !ok {
			r = refuse(http.StatusInternalServerError, "KMSInternalException", "%v", err)
		}
		w.WriteHeader(r.status)
		out = map[string]string{"__type": r.code, "message": r.message}
	} else if out == nil {
		return // an empty 200
	}
	_ = json.NewEncoder(w).Encode(out)
}
