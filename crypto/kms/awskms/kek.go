package awskms

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/fault"
)

// A Config names a KMS key. KeyID must be set; everything else has a default.
type Config struct {
	// KeyID is the key's id, its ARN, "alias/name" or an alias's ARN.
	KeyID string
	// Region is the key's region. "" means that of the ARN, else that of the SDK's
	// configuration (AWS_REGION).
	Region string
	// Endpoint replaces the address of the service, for a VPC endpoint or a test
	// double: "https://host". "" means the SDK's (AWS_ENDPOINT_URL_KMS and
	// AWS_USE_FIPS_ENDPOINT are honoured). Plain http is taken to the loopback
	// interface only.
	Endpoint string
	// InsecureEndpoint says why plain http to another machine is acceptable ("TLS ends
	// in the mesh's proxy on this node"). "" refuses it.
	InsecureEndpoint string
	// Purpose is what the key may wrap. "" means [kms.Roots].
	Purpose kms.Purpose
	// AttemptTimeout bounds one attempt, from dialling to the end of the answer. 0
	// means 5 seconds.
	AttemptTimeout time.Duration
	// MaxAttempts is how often a call is tried where the service is unavailable or
	// asks for patience. This is the only layer that retries, and AWS_MAX_ATTEMPTS does
	// not change it. 0 means 4; 1 is once.
	MaxAttempts int
	// MaxBackoff bounds the random wait between attempts, which doubles. 0 means 2
	// seconds.
	MaxBackoff time.Duration
	// Credentials replaces the SDK's default chain.
	Credentials aws.CredentialsProvider
}

func (c *Config) purpose() kms.Purpose {
	if c.Purpose == "" {
		return kms.Roots
	}
	return c.Purpose
}

func (c *Config) region() string {
	if c.Region != "" || !strings.HasPrefix(c.KeyID, "arn:") {
		return c.Region
	}
	// arn:aws:kms:eu-central-1:111122223333:key/…
	if parts := strings.SplitN(c.KeyID, ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}

func (c *Config) attemptTimeout() time.Duration {
	if c.AttemptTimeout <= 0 {
		return 5 * time.Second
	}
	return c.AttemptTimeout
}

func (c *Config) retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = 4, 2*time.Second
		if c.MaxAttempts > 0 {
			o.MaxAttempts = c.MaxAttempts
		}
		if c.MaxBackoff > 0 {
			o.MaxBackoff = c.MaxBackoff
		}
		o.Backoff = retry.NewExponentialJitterBackoff(o.MaxBackoff)
	})
}

// A KEK is one KMS key. It is safe for concurrent use.
type KEK struct {
	client      *awskms.Client
	credentials aws.CredentialsProvider
	keyID       string
	purpose     kms.Purpose
}

var (
	_ kms.KEK      = (*KEK)(nil)
	_ kms.Purposed = (*KEK)(nil)
)

// Open returns the KEK that cfg names. It reads the SDK's configuration and does not
// call KMS: whether key and permissions are right shows at the first use.
func Open(ctx context.Context, cfg Config) (*KEK, error) {
	if cfg.KeyID == "" {
		return nil, fault.New(fault.Config, "awskms: no key is named").
			WithHint("name it by its ARN, its id or an alias: awskms:alias/privet")
	}
	if !cfg.purpose().Valid() {
		return nil, fault.New(fault.Config, "awskms: unknown purpose %q", string(cfg.Purpose)).
			WithHint("a key is for %q or for %q", kms.Roots, kms.Envelopes)
	}
	opts := []func(*config.LoadOptions) error{
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(cfg.attemptTimeout()).
			WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig.MinVersion = tls.VersionTLS12 })),
		config.WithRetryer(cfg.retryer),
	}
	if r := cfg.region(); r != "" {
		opts = append(opts, config.WithRegion(r))
	}
	if cfg.Credentials != nil {
		opts = append(opts, config.WithCredentialsProvider(cfg.Credentials))
	}
	sdk, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Config, Msg: "awskms: the AWS configuration cannot be loaded: " + err.Error(),
			Hint: "check AWS_PROFILE and the files in ~/.aws", Err: err}
	}
	if sdk.Region == "" {
		return nil, fault.New(fault.Config, "awskms: no region for the key %s", cfg.KeyID).
			WithHint("set the region, or AWS_REGION, or name the key by its ARN")
	}
	client := awskms.NewFromConfig(sdk, func(o *awskms.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint = aws.String(cfg.Endpoint)
		}
	})
	if endpoint := client.Options().BaseEndpoint; endpoint != nil {
		if err := cfg.checkEndpoint(*endpoint); err != nil {
			return nil, err
		}
	}
	return &KEK{client: client, credentials: sdk.Credentials, keyID: cfg.KeyID, purpose: cfg.purpose()}, nil
}

// URI returns "awskms:" and the key as it was named.
func (k *KEK) URI() string { return "awskms:" + k.keyID }

// Purpose returns what the key may wrap.
func (k *KEK) Purpose() kms.Purpose { return k.purpose }

// String returns the URI.
func (k *KEK) String() string { return k.URI() }

// Wrap calls kms:Encrypt.
func (k *KEK) Wrap(ctx context.Context, plaintext []byte, encryptionContext map[string]string) ([]byte, error) {
	if err := k.purpose.Check(encryptionContext); err != nil {
		return nil, err
	}
	if len(plaintext) == 0 || len(plaintext) > kms.MaxPlaintext {
		return nil, fmt.Errorf("awskms: %d bytes to wrap; 1 to %d are possible: %w", len(plaintext), kms.MaxPlaintext, kms.ErrInvalid)
	}
	return call(ctx, k, "Encrypt", func() ([]byte, error) {
		out, err := k.client.Encrypt(ctx, &awskms.EncryptInput{
			KeyId: &k.keyID, Plaintext: plaintext, EncryptionContext: encryptionContext,
		})
		if err != nil {
			return nil, err
		}
		return out.CiphertextBlob, nil
	})
}

// Unwrap calls kms:Decrypt, and says which key it expects: what another key wrapped
// is refused even where the caller may use that key.
func (k *KEK) Unwrap(ctx context.Context, wrapped []byte, encryptionContext map[string]string) ([]byte, error) {
	if err := k.purpose.Check(encryptionContext); err != nil {
		return nil, err
	}
	if len(wrapped) == 0 {
		return nil, fmt.Errorf("awskms: nothing to unwrap: %w", kms.ErrInvalid)
	}
	return call(ctx, k, "Decrypt", func() ([]byte, error) {
		out, err := k.client.Decrypt(ctx, &awskms.DecryptInput{
			KeyId: &k.keyID, CiphertextBlob: wrapped, EncryptionContext: encryptionContext,
		})
		if err != nil {
			return nil, err
		}
		return out.Plaintext, nil
	})
}

// call does one operation, and does it again, once, where the service finds the
// credentials too old: ones that were fetched before their time may have been
// replaced since.
func call(ctx context.Context, k *KEK, op string, fn func() ([]byte, error)) ([]byte, error) {
	out, err := fn()
	if cache, ok := k.credentials.(*aws.CredentialsCache); ok && expired(err) {
		cache.Invalidate()
		out, err = fn()
	}
	if err != nil {
		return nil, k.explain(ctx, op, err)
	}
	return out, nil
}
