package awskms_test

import (
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/internal/fault"
)

// Keys cross no network in clear, wherever the endpoint was configured, unless the
// configuration says why they may.
func TestPlainHTTPStaysOnTheMachine(t *testing.T) {
	for endpoint, ok := range map[string]bool{
		"https://vpce-1.kms.eu-central-1.vpce.amazonaws.com": true,
		"https://10.0.0.1:8443":                              true,
		"http://127.0.0.1:4566":                              true,
		"http://127.8.8.8":                                   true,
		"http://[::1]:4566":                                  true,
		"http://localhost:4566":                              true,
		"http://LOCALHOST":                                   true,
		"http://10.0.0.1:4566":                               false,
		"http://kms.internal":                                false,
		"http://localhost.example":                           false,
		"http://127.0.0.1.example":                           false,
		"http://[::ffff:10.0.0.1]":                           false,
		"http://user:secret@10.0.0.1":                        false,
		"https://user:secret@host":                           false,
		"ftp://localhost":                                    false,
		"localhost:4566":                                     false,
		"//localhost":                                        false,
		"https://":                                           false,
		"http://local\x7fhost":                               false,
	} {
		t.Run(endpoint, func(t *testing.T) {
			base := awskms.Config{KeyID: "alias/privet", Region: kmstest.Region}
			check := func(where string, cfg awskms.Config) {
				_, err := awskms.Open(t.Context(), cfg)
				if ok {
					require.NoError(t, err, where)
					return
				}
				require.Error(t, err, where)
				require.Equal(t, fault.Config, fault.KindOf(err), where)
				require.NotEmpty(t, fault.HintOf(err), where)
				require.NotContains(t, err.Error(), "secret")
			}
			cfg := base
			cfg.Endpoint = endpoint
			check("in the configuration", cfg)
			for _, name := range []string{"AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL"} {
				t.Run(name, func(t *testing.T) {
					t.Setenv(name, endpoint)
					check(name, base)
				})
			}
		})
	}
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte("[default]\nendpoint_url = http://10.0.0.1\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", file)
	cfg := awskms.Config{KeyID: "alias/privet", Region: kmstest.Region}
	_, err := awskms.Open(t.Context(), cfg)
	require.ErrorContains(t, err, "plain HTTP to 10.0.0.1")
	cfg.InsecureEndpoint = " "
	_, err = awskms.Open(t.Context(), cfg)
	require.Error(t, err, "a reason is given, or none")
	cfg.InsecureEndpoint = "the mesh encrypts"
	_, err = awskms.Open(t.Context(), cfg)
	require.NoError(t, err)
}

// tlsFront puts TLS before a server, as AWS_CA_BUNDLE and the configuration make the
// client find it.
func tlsFront(t *testing.T, server *kmstest.Server, cfg *tls.Config) awskms.Config {
	t.Helper()
	target, err := url.Parse(server.URL)
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(target))
	front.TLS = cfg
	front.StartTLS()
	t.Cleanup(front.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	require.NoError(t, os.WriteFile(bundle, block, 0o600))
	t.Setenv("AWS_CA_BUNDLE", bundle)
	out := server.Config("alias/privet")
	out.Endpoint, out.MaxAttempts = front.URL, 1
	return out
}

func TestTLS(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	t.Run("1.2", func(t *testing.T) {
		cfg := tlsFront(t, server, &tls.Config{MaxVersion: tls.VersionTLS12})
		_, err := open(t, cfg).Wrap(t.Context(), []byte("x"), root)
		require.NoError(t, err)
	})
	t.Run("1.1", func(t *testing.T) {
		cfg := tlsFront(t, server, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		_, err := open(t, cfg).Wrap(t.Context(), []byte("x"), root)
		require.ErrorIs(t, err, kms.ErrUnavailable)
		require.ErrorContains(t, err, "tls")
	})
	t.Run("unknown certificate", func(t *testing.T) {
		cfg := tlsFront(t, server, &tls.Config{})
		t.Setenv("AWS_CA_BUNDLE", "")
		_, err := open(t, cfg).Wrap(t.Context(), []byte("x"), root)
		require.ErrorContains(t, err, "certificate")
	})
}

// A redirect is an answer, and not followed.
func TestRedirectsAreNotFollowed(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	for _, status := range []int{http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		away := httptest.NewServer(http.RedirectHandler(server.URL, status))
		cfg := server.Config("alias/privet")
		cfg.Endpoint = away.URL
		_, err := open(t, cfg).Wrap(t.Context(), []byte("x"), root)
		away.Close()
		require.Error(t, err)
		require.Zero(t, server.Calls(""), "%d", status)
	}
}

// The number of attempts is ours, whatever the environment says of other clients.
func TestOneLayerRetries(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "9")
	t.Setenv("AWS_RETRY_MODE", "adaptive")
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	server.Inject(kmstest.Throttled(0))
	_, err := open(t, server.Config("alias/privet")).Wrap(t.Context(), []byte("x"), root)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.Equal(t, 4, server.Calls("Encrypt"))
}
