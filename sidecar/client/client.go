// Package client calls the sidecar from Go.
//
//	c, err := client.New(client.Config{Socket: "/run/privet/api.sock"})
//	ct, err := c.EncryptOne(ctx, client.At{Tenant: "acme", Field: "customer.email", Subject: "42"}, plaintext)
//
// A batch costs one round trip; the methods with One are batches of one item.
// What the server refuses as a whole is an error of type *[api.Problem]; what it
// refuses of a batch stands in the results. A Go service that may hold keys itself
// uses package crypto, which needs no server.
package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/privet-dev/privet/sidecar/api"
)

// maxAnswer is the most bytes of an answer: a full batch of a full body, encoded.
const maxAnswer = 64 << 20

// A Config says where the sidecar is. One of Socket and URL is set.
type Config struct {
	// Socket is the absolute path of its unix socket.
	Socket string
	// URL is its base URL on a loopback address: "http://127.0.0.1:8765".
	URL string
	// TokenFile holds the bearer token on its first line; "" sends none. It is read
	// for every request, so that a rotated token is used at once.
	TokenFile string
	// Timeout bounds one call, beside its context; 0 means 30 seconds.
	Timeout time.Duration
}

// A Client calls one sidecar. It is safe for concurrent use, and keeps connections
// open between calls.
type Client struct {
	base      string
	tokenFile string
	http      *http.Client
}

// New returns a Client. It does not connect. Redirects are not followed and
// proxies not used: the sidecar is on this machine.
func New(cfg Config) (*Client, error) {
	if (cfg.Socket == "") == (cfg.URL == "") {
		return nil, errors.New("privet: set the sidecar's socket or its URL, one of the two")
	}
	c := &Client{base: strings.TrimSuffix(cfg.URL, "/"), tokenFile: cfg.TokenFile}
	transport := &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 90 * time.Second, DisableCompression: true}
	if cfg.Socket != "" {
		c.base = "http://privet"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", cfg.Socket)
		}
	} else if u, err := url.Parse(cfg.URL); err != nil || u.Scheme != "http" || !isLoopback(u.Hostname()) {
		return nil, errors.New("privet: the sidecar's URL is http:// and a loopback address; anything else would send values over the network in the clear")
	}
	timeout := cfg.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	c.http = &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Close closes idle connections. Calls in flight are not disturbed.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Encrypt encrypts a batch. The results are in the items' order.
func (c *Client) Encrypt(ctx context.Context, tenant string, items []api.EncryptItem) ([]api.Result, error) {
	for i := range items {
		if err := isText(i, tenant, items[i].Ref, items[i].Field, items[i].Subject, items[i].Value); err != nil {
			return nil, err
		}
	}
	return c.batch(ctx, api.PathEncrypt, api.EncryptRequest{Tenant: tenant, Items: items}, len(items))
}

// Decrypt opens a batch. The results are in the items' order.
func (c *Client) Decrypt(ctx context.Context, tenant string, items []api.DecryptItem) ([]api.Result, error) {
	for i := range items {
		if err := isText(i, tenant, items[i].Ref, items[i].Field, items[i].Subject, items[i].Value); err != nil {
			return nil, err
		}
	}
	return c.batch(ctx, api.PathDecrypt, api.DecryptRequest{Tenant: tenant, Items: items}, len(items))
}

// Mask masks a batch. The results are in the items' order; a nil Value without a
// Problem is NULL.
func (c *Client) Mask(ctx context.Context, tenant string, items []api.MaskItem) ([]api.Result, error) {
	for i := range items {
		if err := isText(i, tenant, items[i].Ref, items[i].Rule, items[i].Subject, items[i].Value); err != nil {
			return nil, err
		}
	}
	return c.batch(ctx, api.PathMask, api.MaskRequest{Tenant: tenant, Items: items}, len(items))
}

// isText refuses what is not UTF-8: encoding/json would replace the bytes it
// cannot write, and something else than the value would be encrypted.
func isText(item int, all ...string) error {
	for _, s := range all {
		if !utf8.ValidString(s) {
			return fmt.Errorf("privet: item %d is not UTF-8 text; bytes go as base64 (EncryptOne does that)", item)
		}
	}
	return nil
}

// An At says whose value it is and which, as crypto.Context does.
type At struct{ Tenant, Subject, Field string }

// EncryptOne returns the text form of one ciphertext. plaintext may be any bytes.
func (c *Client) EncryptOne(ctx context.Context, at At, plaintext []byte) (string, error) {
	r, err := c.Encrypt(ctx, at.Tenant, []api.EncryptItem{{
		Field: at.Field, Subject: at.Subject, Value: base64.StdEncoding.EncodeToString(plaintext), Encoding: api.Base64,
	}})
	return one(r, err)
}

// DecryptOne opens one ciphertext in its text form.
func (c *Client) DecryptOne(ctx context.Context, at At, ciphertext string) ([]byte, error) {
	r, err := c.Decrypt(ctx, at.Tenant, []api.DecryptItem{{
		Field: at.Field, Subject: at.Subject, Value: ciphertext, Encoding: api.Base64,
	}})
	text, err := one(r, err)
	if err != nil {
		return nil, err
	}
	plain, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("privet: the sidecar's answer is not base64")
	}
	return plain, nil
}

// MaskOne masks one text value by a rule. null means that the result is NULL.
func (c *Client) MaskOne(ctx context.Context, tenant, rule, value string) (masked string, null bool, err error) {
	r, err := c.Mask(ctx, tenant, []api.MaskItem{{Rule: rule, Value: value}})
	if err == nil && r[0].Problem == nil && r[0].Value == nil {
		return "", true, nil
	}
	masked, err = one(r, err)
	return masked, false, err
}

// Health asks whether the sidecar can be sent work. One that cannot is an
// *[api.Problem] with the code not_ready.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	var h api.Health
	return h, c.do(ctx, http.MethodGet, api.PathHealth, nil, &h)
}

// one returns the value of a batch of one.
func one(results []api.Result, err error) (string, error) {
	switch {
	case err != nil:
		return "", err
	case results[0].Problem != nil:
		return "", results[0].Problem
	case results[0].Value == nil:
		return "", errors.New("privet: the sidecar answered without a value")
	}
	return *results[0].Value, nil
}

func (c *Client) batch(ctx context.Context, path string, request any, n int) ([]api.Result, error) {
	body := &bytes.Buffer{}
	enc := json.NewEncoder(body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(request); err != nil {
		return nil, fmt.Errorf("privet: %w", err)
	}
	var answer api.Response
	if err := c.do(ctx, http.MethodPost, path, body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Items) != n {
		return nil, fmt.Errorf("privet: the sidecar answered %d items for %d", len(answer.Items), n)
	}
	return answer.Items, nil
}

func (c *Client) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("privet: %w", err)
	}
	r.Header.Set(api.Header, "1")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.tokenFile != "" {
		token, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return fmt.Errorf("privet: token file: %w", err)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(token)), "\n")
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(first))
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("privet: the sidecar does not answer: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("privet: the sidecar's answer broke off: %w", err)
	}
	if len(data) > maxAnswer {
		return errors.New("privet: the sidecar's answer is too large")
	}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusMultiStatus {
		if err := json.Unmarshal(data, into); err != nil {
			return errors.New("privet: the sidecar's answer is not JSON of this version")
		}
		return nil
	}
	p := &api.Problem{}
	if resp.Header.Get("Content-Type") != api.ContentTypeProblem || json.Unmarshal(data, p) != nil {
		return fmt.Errorf("privet: the sidecar answered with status %d", resp.StatusCode)
	}
	return p
}
