package client

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/sidecar/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve returns a client of a server that answers as handler says.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestConfigs(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Socket: "/s", URL: "http://127.0.0.1:1"}, {URL: "http://db.example.org"}, {URL: "https://127.0.0.1"},
		{URL: "http://127.0.0.1.example.org"}, {URL: "127.0.0.1:80"}, {URL: "http://192.0.2.1:80"},
	} {
		_, err := New(cfg)
		require.Error(t, err, "%+v", cfg)
	}
	for _, url := range []string{"http://localhost:1", "http://127.0.0.1:1/", "http://[::1]:1"} {
		_, err := New(Config{URL: url})
		require.NoError(t, err)
	}
}

func TestWhatIsSent(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	var got *http.Request
	var body []byte
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		io.WriteString(w, `{"items":[{"value":"pvt1.AQ"}]}`)
	})
	c.tokenFile = token
	_, err := c.EncryptOne(t.Context(), At{"acme", "42", "customer.email"}, []byte("jane\xff"))
	require.ErrorContains(t, err, "token file")

	for _, first := range []string{"first", "second"} {
		require.NoError(t, os.WriteFile(token, []byte(first+"\nother\n"), 0o600))
		ct, err := c.EncryptOne(t.Context(), At{"acme", "42", "customer.email"}, []byte("jane\xff"))
		require.NoError(t, err)
		require.Equal(t, "pvt1.AQ", ct)
		require.Equal(t, "Bearer "+first, got.Header.Get("Authorization"))
	}
	require.Equal(t, "POST", got.Method)
	require.Equal(t, api.PathEncrypt, got.URL.Path)
	require.Equal(t, "1", got.Header.Get(api.Header))
	require.Equal(t, "application/json", got.Header.Get("Content-Type"))
	require.JSONEq(t, `{"tenant":"acme","items":[{"field":"customer.email","subject":"42","value":"amFuZf8=","encoding":"base64"}]}`, string(body))
}

func TestWhatIsNotTextIsNotSent(t *testing.T) {
	c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	_, err := c.Encrypt(t.Context(), "acme", []api.EncryptItem{{Field: "f", Value: "canary\xff"}})
	require.ErrorContains(t, err, "item 0 is not UTF-8")
	require.NotContains(t, err.Error(), "canary")
	_, err = c.Decrypt(t.Context(), "acme", []api.DecryptItem{{Field: "f"}, {Field: "\xff"}})
	require.ErrorContains(t, err, "item 1 is not UTF-8")
	_, _, err = c.MaskOne(t.Context(), "acme", "email", "\xff")
	require.ErrorContains(t, err, "item 0 is not UTF-8")
}

func TestAnswers(t *testing.T) {
	problem := `{"type":"urn:privet:problem:busy","title":"too many requests at once","status":429,"code":"busy","request_id":"r1"}`
	for name, c := range map[string]struct {
		status      int
		contentType string
		body        string
		want        string
	}{
		"a problem":              {429, api.ContentTypeProblem, problem, "too many requests at once [request r1]"},
		"another server":         {404, "text/html", "<html>", "answered with status 404"},
		"a redirect":             {302, "", "", "answered with status 302"},
		"not JSON":               {200, "application/json", "canary", "not JSON of this version"},
		"too few items":          {200, "application/json", `{"items":[]}`, "answered 0 items for 1"},
		"an item with a problem": {207, "application/json", `{"items":[{"problem":` + problem + `}]}`, "too many requests at once"},
		"an item with neither":   {200, "application/json", `{"items":[{}]}`, "answered without a value"},
		"no base64":              {200, "application/json", `{"items":[{"value":"?"}]}`, "not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				w.Header().Set("Location", "http://192.0.2.1/")
				w.WriteHeader(c.status)
				io.WriteString(w, c.body)
			})
			_, err := cl.DecryptOne(t.Context(), At{Tenant: "acme", Field: "f"}, "pvt1.AQ")
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestNull(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"items":[{"value":null}]}`) })
	_, null, err := c.MaskOne(t.Context(), "acme", "null", "x")
	require.NoError(t, err)
	require.True(t, null)
}

func TestTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := serve(t, func(http.ResponseWriter, *http.Request) { cancel() })
	_, err := c.Encrypt(ctx, "acme", []api.EncryptItem{{Field: "f"}})
	require.ErrorIs(t, err, context.Canceled)
}
