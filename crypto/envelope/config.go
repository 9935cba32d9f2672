package envelope

import (
	"time"

	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/fault"
)

// The hard limits of what a [Config] may ask for.
const (
	MaxAge      = 24 * time.Hour // of a data key, of a cached key, of either grace
	MaxMessages = 1 << 32        // under one data key (NIST SP 800-38D, section 8.3)
	MaxBytes    = 1 << 40        // of plaintext under one data key
	MaxKEKs     = 8
)

// A Config says which keys a [Client] works with and for how long. KEKs must be set;
// the zero value of everything else is what most services want.
type Config struct {
	// KEKs wrap data keys, one for each region; most services have one. All of them
	// wrap what is encrypted. What is decrypted is unwrapped by whichever can and
	// answers, the first one first: put the nearest there. Their purpose, where they
	// state one, is [kms.Envelopes].
	KEKs []kms.KEK
	// EncryptionContext returns what data keys of a tenant are bound to in the key
	// service, which logs it in clear and can have policies about it. It depends on
	// the tenant alone, and must give the same at every time and in every process:
	// what was wrapped under another cannot be opened. nil binds them to nothing, as
	// Tink does; [TenantContext] is one to use.
	EncryptionContext func(tenant string) map[string]string

	// DataKeyAge is how long one data key encrypts. 0 means 5 minutes.
	DataKeyAge time.Duration
	// DataKeyMessages is how many messages one data key encrypts. 0 means 2^20.
	DataKeyMessages uint64
	// DataKeyBytes is how many bytes of plaintext one data key encrypts, and so the
	// largest message. 0 means 1 GiB.
	DataKeyBytes uint64
	// WriteGrace is how much longer a data key encrypts while the key service is
	// unavailable. 0 means 3 minutes, below 0 none.
	WriteGrace time.Duration

	// CacheSize is how many unwrapped data keys are kept for decrypting, about 1 KB
	// each, and how many tenants' for encrypting. It is rounded up to a power of two.
	// 0 means 4,096.
	CacheSize int
	// CacheLife is how long an unwrapped key is used for decrypting before the key
	// service is asked again. 0 means 5 minutes.
	CacheLife time.Duration
	// ReadGrace is how much longer it is used while the key service is unavailable. 0
	// means 3 minutes, below 0 none.
	ReadGrace time.Duration

	// CallTimeout bounds one question to the key service, its retries included. 0
	// means 30 seconds.
	CallTimeout time.Duration
	// MaxCalls is how many calls to the key service may be in flight at once; others
	// wait. 0 means 16.
	MaxCalls int
	// Report is told what a caller is not: that the key service failed while keys
	// were still good, and why a wrapped key was refused, which is [crypto.ErrDecrypt]
	// to the caller. The errors hold no key material. It is called from several
	// goroutines and must return soon. nil drops them.
	Report func(error)
}

// TenantContext is an encryption context that names the purpose and the tenant, for
// [Config.EncryptionContext]. Key policies can then tell tenants apart, and the key
// service's log says whose keys were used.
func TenantContext(tenant string) map[string]string {
	return map[string]string{kms.ContextPurpose: string(kms.Envelopes), kms.ContextTenant: tenant}
}

// withDefaults returns c with every zero value replaced.
func (c Config) withDefaults() Config {
	or(&c.DataKeyAge, 5*time.Minute)
	or(&c.DataKeyMessages, 1<<20)
	or(&c.DataKeyBytes, 1<<30)
	or(&c.WriteGrace, 3*time.Minute)
	or(&c.CacheSize, 4096)
	or(&c.CacheLife, 5*time.Minute)
	or(&c.ReadGrace, 3*time.Minute)
	or(&c.CallTimeout, 30*time.Second)
	or(&c.MaxCalls, 16)
	c.WriteGrace, c.ReadGrace = max(c.WriteGrace, 0), max(c.ReadGrace, 0)
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return c
}

func or[T comparable](v *T, def T) {
	if *v == *new(T) {
		*v = def
	}
}

// check returns a fault of the kind Config unless a client can be made of c, which
// has its defaults.
func (c *Config) check() error {
	bad := func(format string, args ...any) error { return fault.New(fault.Config, "envelope: "+format, args...) }
	if len(c.KEKs) == 0 || len(c.KEKs) > MaxKEKs {
		return bad("%d key-encryption keys are configured; 1 to %d are possible", len(c.KEKs), MaxKEKs)
	}
	seen := map[string]bool{}
	for i, k := range c.KEKs {
		if k == nil {
			return bad("Config.KEKs[%d] is nil", i)
		}
		if p, ok := k.(kms.Purposed); ok && p.Purpose() != kms.Envelopes {
			return fault.New(fault.Config, "envelope: the key %s is for %s, and cannot wrap data keys of envelopes", k.URI(), p.Purpose()).
				WithHint("a key has one purpose; give the client one for envelopes")
		}
		if seen[k.URI()] {
			return bad("the key %s is configured twice", k.URI())
		}
		seen[k.URI()] = true
	}
	for name, d := range map[string]time.Duration{"DataKeyAge": c.DataKeyAge, "CacheLife": c.CacheLife, "CallTimeout": c.CallTimeout} {
		if d <= 0 || d > MaxAge {
			return bad("Config.%s is %s; above 0 and up to %s are possible", name, d, MaxAge)
		}
	}
	for name, d := range map[string]time.Duration{"WriteGrace": c.WriteGrace, "ReadGrace": c.ReadGrace} {
		if d > MaxAge {
			return bad("Config.%s is %s; up to %s are possible", name, d, MaxAge)
		}
	}
	switch {
	case c.DataKeyMessages > MaxMessages:
		return bad("Config.DataKeyMessages is %d; up to 2^32 are possible", c.DataKeyMessages)
	case c.DataKeyBytes > MaxBytes:
		return bad("Config.DataKeyBytes is %d; up to 2^40 are possible", c.DataKeyBytes)
	case c.CacheSize < 0 || c.CacheSize > 1<<24:
		return bad("Config.CacheSize is %d; up to 2^24 are possible", c.CacheSize)
	case c.MaxCalls < 0:
		return bad("Config.MaxCalls is %d", c.MaxCalls)
	}
	return nil
}
