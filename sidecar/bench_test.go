package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/sidecar/api"
)

// BenchmarkEncrypt measures the encrypt endpoint over its unix socket beside a
// handler that decodes the same JSON and encodes an answer of the same size, in
// the same run: echo is what HTTP and JSON cost alone. The client shares the
// processors.
func BenchmarkEncrypt(b *testing.B) {
	for _, n := range []int{1, 100} {
		request := api.EncryptRequest{Tenant: "acme"}
		for i := range n {
			request.Items = append(request.Items, api.EncryptItem{Ref: fmt.Sprint(i), Field: "customer.note", Value: strings.Repeat("x", 256)})
		}
		body, err := json.Marshal(request)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("items=%d/echo", n), func(b *testing.B) {
			path := filepath.Join(folder(b), "echo.sock")
			l, err := net.Listen("unix", path)
			require.NoError(b, err)
			srv := &http.Server{Handler: http.HandlerFunc(echo)}
			go srv.Serve(l)
			defer srv.Close()
			load(b, path, "", body, n)
		})
		b.Run(fmt.Sprintf("items=%d/encrypt", n), func(b *testing.B) {
			r := start(b, nil)
			load(b, r.Socket(), r.token(b, "app"), body, n)
		})
	}
}

// echo is the peer: JSON in, JSON out.
func echo(w http.ResponseWriter, r *http.Request) {
	var request api.EncryptRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	answer := struct {
		Items []any `json:"items"`
	}{}
	for i := range request.Items {
		answer.Items = append(answer.Items, struct {
			Ref   string `json:"ref"`
			Value string `json:"value"`
		}{request.Items[i].Ref, request.Items[i].Value})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer)
}

// load sends the body again and again from 16 clients a processor.
func load(b *testing.B, socket, token string, body []byte, items int) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest(http.MethodPost, "http://privet"+api.PathEncrypt, bytes.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set(api.Header, "1")
			r.Header.Set("Authorization", "Bearer "+token)
			resp, err := c.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			if resp.StatusCode != http.StatusOK {
				b.Errorf("status %d", resp.StatusCode)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N*items)/b.Elapsed().Seconds(), "items/s")
}
