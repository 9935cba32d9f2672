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
// It knows symmetric keys and aliases, the life of keys (disabled, pending deletion,
// rotated on demand, replicated to other regions), the encryption context, the
// service's limits and error codes, and can be told to fail. Of the real service it
// leaves out permissions (key policies, grants, IAM: [AccessDenied] stands for them),
// other kinds of keys, quotas ([Throttled]), and the delay with which changes are seen
// everywhere. Its keys live in memory, its ciphertexts open nowhere else.
//
// Each region is a server of its own:
//
//	key := server.CreateMultiRegionKey("alias/privet")
//	west := server.Replicate(key, "us-west-2")
//	server.Inject(kmstest.Dropped(0)) // the first region is gone, the other answers
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
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/privet-dev/privet/crypto/kms/awskms"
)

// Region and Account are where the keys of a new server claim to be.
const (
	Region  = "eu-central-1"
	Account = "111122223333"
)

// TB is what a server needs of a testing.TB.
type TB interface {
	Cleanup(func())
}

// A Server is the KMS of one region. It is safe for concurrent use.
type Server struct {
	// URL is the endpoint: "http://127.0.0.1:…".
	URL string
	// Region is the region that it serves.
	Region string

	account *account
	http    *httptest.Server
	closing chan struct{}

	// Guarded by the account's mutex.
	keys    map[string]*key   // by id
	aliases map[string]string // name to key id
	faults  []*fault
	calls   map[string]int
	last    map[string]map[string]string // operation to its last encryption context
}

// NewServer starts a server for [Region] on a free port of the loopback interface. It
// stops when the test ends; where t is nil, the caller calls Close.
func NewServer(t TB) *Server {
	s := (&account{regions: map[string]*Server{}}).in(Region)
	if t != nil {
		t.Cleanup(s.Close)
	}
	return s
}

// Config returns how awskms reaches the key of that id, ARN or alias, with retries
// that wait for no more than a millisecond.
func (s *Server) Config(keyID string) awskms.Config {
	return awskms.Config{
		KeyID: keyID, Region: s.Region, Endpoint: s.URL, MaxBackoff: time.Millisecond,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return credentials, nil }),
	}
}

// Calls returns how many requests of that operation ("Decrypt") have arrived, failed
// ones included; "" counts all.
func (s *Server) Calls(op string) int {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
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
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	clear(s.calls)
}

// LastContext returns the encryption context of the last request of that operation; of
// ReEncrypt, that of the destination.
func (s *Server) LastContext(op string) map[string]string {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
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
	if err := s.authenticate(r.Header.Get("Authorization")); err != nil {
		reply(w, nil, err)
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

// authenticate looks at the scope of a signature, "Credential=id/day/region/kms/…". The
// signature itself is the SDK's affair.
func (s *Server) authenticate(authorization string) error {
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 Credential=")
	if !ok {
		return refuse(http.StatusForbidden, "MissingAuthenticationToken", "the request is not signed")
	}
	scope, _, _ := strings.Cut(rest, ",")
	if parts := strings.Split(scope, "/"); len(parts) != 5 || parts[2] != s.Region || parts[3] != "kms" {
		return refuse(http.StatusBadRequest, "InvalidSignatureException", "Credential should be scoped to a valid region.")
	}
	return nil
}

// arrive counts a request and returns what is to go wrong with it.
func (s *Server) arrive(op string, req *request) misfortune {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	s.calls[op]++
	s.last[op] = req.bound()
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

func reply(w http.ResponseWriter, out object, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-RequestId", "00000000-0000-0000-0000-000000000000")
	if err != nil {
		r, ok := errors.AsType[*refusal](err)
		if !ok {
			r = refuse(http.StatusInternalServerError, "KMSInternalException", "%v", err)
		}
		w.WriteHeader(r.status)
		out = object{"__type": r.code, "message": r.message}
	} else if out == nil {
		return // an empty 200
	}
	_ = json.NewEncoder(w).Encode(out)
}
