package awskms_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/internal/fault"
)

func TestMain(m *testing.M) {
	// The tests see no configuration of whoever runs them.
	for k, v := range map[string]string{
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_KMS": "",
	} {
		if v == "" {
			os.Unsetenv(k)
		} else {
			os.Setenv(k, v)
		}
	}
	os.Exit(m.Run())
}

var root = kms.RootContext("acme")

func open(t *testing.T, cfg awskms.Config) *awskms.KEK {
	t.Helper()
	k, err := awskms.Open(t.Context(), cfg)
	require.NoError(t, err)
	return k
}

func TestWrapUnwrap(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey("alias/privet")
	arn := fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", kmstest.Region, kmstest.Account, id)
	aliasARN := fmt.Sprintf("arn:aws:kms:%s:%s:alias/privet", kmstest.Region, kmstest.Account)
	for _, name := range []string{id, arn, "alias/privet", aliasARN} {
		k := open(t, server.Config(name))
		require.Equal(t, "awskms:"+name, k.URI())
		require.Equal(t, kms.Roots, k.Purpose())
		wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"purpose": "roots", "tenant": "acme"}, server.LastContext("Encrypt"))
		plaintext, err := open(t, server.Config(id)).Unwrap(t.Context(), wrapped, root)
		require.NoError(t, err)
		require.Equal(t, "a keyset", string(plaintext))
		_, err = k.Unwrap(t.Context(), wrapped, kms.RootContext("other"))
		require.ErrorIs(t, err, kms.ErrInvalid)
		wrapped[len(wrapped)-1] ^= 1
		_, err = k.Unwrap(t.Context(), wrapped, root)
		require.ErrorIs(t, err, kms.ErrInvalid)
	}
}

func TestErrorsHaveFamilies(t *testing.T) {
	server := kmstest.NewServer(t)
	id := server.CreateKey("alias/privet")
	other := server.CreateKey("alias/other")
	k := open(t, server.Config("alias/privet"))
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	unwrap := func(t *testing.T) error {
		_, err := k.Unwrap(t.Context(), wrapped, root)
		return err
	}
	families := []error{kms.ErrUnavailable, kms.ErrDenied, kms.ErrInvalid}
	requireFamily := func(t *testing.T, err, family error) {
		t.Helper()
		for _, f := range families {
			require.Equal(t, f == family, errors.Is(err, f), "%v is %v", err, f)
		}
		require.Equal(t, fault.Config, fault.KindOf(err))
		require.NotContains(t, err.Error(), "a keyset")
	}
	for code, family := range map[string]error{
		"ThrottlingException": kms.ErrUnavailable, "LimitExceededException": kms.ErrUnavailable,
		"KMSInternalException": kms.ErrUnavailable, "DependencyTimeoutException": kms.ErrUnavailable,
		"KeyUnavailableException": kms.ErrUnavailable, "RequestLimitExceeded": kms.ErrUnavailable,
		"AccessDeniedException": kms.ErrDenied, "DisabledException": kms.ErrDenied, "NotFoundException": kms.ErrDenied,
		"KMSInvalidStateException": kms.ErrDenied, "UnrecognizedClientException": kms.ErrDenied,
		"ExpiredTokenException": kms.ErrDenied, "SomethingNewException": kms.ErrDenied,
		"InvalidCiphertextException": kms.ErrInvalid, "IncorrectKeyException": kms.ErrInvalid, "ValidationException": kms.ErrInvalid,
	} {
		t.Run(code, func(t *testing.T) {
			defer server.Inject(kmstest.Fault{Code: code, Message: "as injected"})()
			err := unwrap(t)
			requireFamily(t, err, family)
			require.ErrorContains(t, err, code+": as injected")
		})
	}
	t.Run("unknown code, server's fault", func(t *testing.T) {
		defer server.Inject(kmstest.Fault{Code: "SomethingNewException", Status: 503})()
		requireFamily(t, unwrap(t), kms.ErrUnavailable)
	})
	t.Run("disabled key", func(t *testing.T) {
		server.Disable(id)
		requireFamily(t, unwrap(t), kms.ErrDenied)
		server.Enable(id)
		require.NoError(t, unwrap(t))
	})
	t.Run("alias moved", func(t *testing.T) {
		_, err := open(t, server.Config("alias/other")).Unwrap(t.Context(), wrapped, root)
		requireFamily(t, err, kms.ErrInvalid)
		require.Contains(t, fault.HintOf(err), "alias")
	})
	t.Run("no such key", func(t *testing.T) {
		server.Destroy(other)
		_, err := open(t, server.Config("alias/other")).Wrap(t.Context(), []byte("x"), root)
		requireFamily(t, err, kms.ErrDenied)
	})
	t.Run("not a blob", func(t *testing.T) {
		_, err := k.Unwrap(t.Context(), []byte("not a blob"), root)
		requireFamily(t, err, kms.ErrInvalid)
	})
	t.Run("broken connections", func(t *testing.T) {
		defer server.Inject(kmstest.Dropped(0))()
		requireFamily(t, unwrap(t), kms.ErrUnavailable)
	})
	t.Run("no server", func(t *testing.T) {
		gone := kmstest.NewServer(nil)
		gone.Close()
		_, err := open(t, gone.Config("alias/privet")).Unwrap(t.Context(), wrapped, root)
		requireFamily(t, err, kms.ErrUnavailable)
	})
}

// One layer retries: the number of requests is the number of attempts.
func TestRetries(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	cfg := server.Config("alias/privet")
	cfg.MaxAttempts = 3
	k := open(t, cfg)
	wrapped, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		fault kmstest.Fault
		calls int
		ok    bool
	}{
		"throttled twice":      {kmstest.Throttled(2), 3, true},
		"throttled throughout": {kmstest.Throttled(0), 3, false},
		"failing once":         {kmstest.Internal(1), 2, true},
		"dropped once":         {kmstest.Dropped(1), 2, true},
		"denied":               {kmstest.AccessDenied(), 1, false},
		"expired once":         {kmstest.Fault{Code: "ExpiredTokenException", Times: 1}, 2, true},
		"expired":              {kmstest.Fault{Code: "ExpiredTokenException"}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			server.ResetCalls()
			defer server.Inject(tc.fault)()
			_, err := k.Unwrap(t.Context(), wrapped, root)
			require.Equal(t, tc.ok, err == nil, "%v", err)
			require.Equal(t, tc.calls, server.Calls("Decrypt"))
		})
	}
}

// A service that hangs costs one attempt's time, and the next may be answered.
func TestAttemptTimeout(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	cfg := server.Config("alias/privet")
	cfg.AttemptTimeout, cfg.MaxAttempts = 100*time.Millisecond, 2
	k := open(t, cfg)
	defer server.Inject(kmstest.Fault{Latency: time.Hour, Times: 1})()
	_, err := k.Wrap(t.Context(), []byte("a keyset"), root)
	require.NoError(t, err)
	require.Equal(t, 2, server.Calls("Encrypt"))

	defer server.Inject(kmstest.Slow(time.Hour))()
	_, err = k.Wrap(t.Context(), []byte("a keyset"), root)
	require.ErrorIs(t, err, kms.ErrUnavailable)
}

func TestCallersContextEndsTheCall(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	server := kmstest.NewServer(nil)
	defer server.Close()
	server.CreateKey("alias/privet")
	k := open(t, server.Config("alias/privet"))
	server.Inject(kmstest.Slow(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := k.Wrap(ctx, []byte("a keyset"), root)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, kms.ErrUnavailable)
	require.Equal(t, 1, server.Calls("Encrypt"))
}

func TestKeysKeepToTheirPurpose(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	roots := open(t, server.Config("alias/privet"))
	cfg := server.Config("alias/privet")
	cfg.Purpose = kms.Envelopes
	envelopes := open(t, cfg)
	for _, ec := range []map[string]string{nil, {}, {"purpose": "roots"}, {"tenant": "acme"}, {"purpose": "envelopes", "tenant": "acme"}} {
		_, err := roots.Wrap(t.Context(), []byte("x"), ec)
		require.ErrorIs(t, err, kms.ErrInvalid, "%v", ec)
		_, err = roots.Unwrap(t.Context(), []byte("x"), ec)
		require.ErrorIs(t, err, kms.ErrInvalid, "%v", ec)
	}
	_, err := envelopes.Wrap(t.Context(), []byte("x"), root)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.Zero(t, server.Calls(""))
	wrapped, err := envelopes.Wrap(t.Context(), []byte("x"), nil)
	require.NoError(t, err)
	_, err = envelopes.Unwrap(t.Context(), wrapped, map[string]string{})
	require.NoError(t, err)
}

func TestOpenRefuses(t *testing.T) {
	for name, cfg := range map[string]awskms.Config{
		"no key":          {Region: "eu-central-1"},
		"no region":       {KeyID: "alias/privet"},
		"unknown purpose": {KeyID: "alias/privet", Region: "eu-central-1", Purpose: "everything"},
	} {
		_, err := awskms.Open(t.Context(), cfg)
		require.Error(t, err, name)
		require.Equal(t, fault.Config, fault.KindOf(err), name)
		require.NotEmpty(t, fault.HintOf(err), name)
	}
	_, err := awskms.Open(t.Context(), awskms.Config{KeyID: "arn:aws:kms:eu-west-1:1:key/x"})
	require.NoError(t, err, "the ARN says the region")
}

// The default chain is the SDK's: here, credentials from a file and an endpoint from
// the environment.
func TestDefaultChain(t *testing.T) {
	server := kmstest.NewServer(t)
	server.CreateKey("alias/privet")
	file := filepath.Join(t.TempDir(), "credentials")
	require.NoError(t, os.WriteFile(file, []byte("[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = long-enough-for-FIPS-140\n"), 0o600))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_REGION", kmstest.Region)
	t.Setenv("AWS_ENDPOINT_URL_KMS", server.URL)
	_, err := open(t, awskms.Config{KeyID: "alias/privet"}).Wrap(t.Context(), []byte("x"), root)
	require.NoError(t, err)
}

// Where there are no credentials, the error says so and nothing was sent.
func TestNoCredentials(t *testing.T) {
	server := kmstest.NewServer(t)
	cfg := server.Config("alias/privet")
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("nobody logged in")
	})
	_, err := open(t, cfg).Wrap(t.Context(), []byte("x"), root)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	require.ErrorContains(t, err, "nobody logged in")
	require.Zero(t, server.Calls(""))
}
