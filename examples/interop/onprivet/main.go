// Command onprivet is a service on privet that exchanges ciphertexts with one that
// stays on the former path of Tink.
//
//	onprivet setup -dir keys
//	onprivet export -dir keys -tenant acme >keyring
//	onprivet seal|open -dir keys -tenant acme -field customer.email <in >out
//	onprivet envelope-seal|envelope-open -dir keys -tenant acme -field customer.email <in >out
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/keystore/sqlitestore"
	"github.com/privet-dev/privet/crypto/kms"
)

var (
	dir     = flag.String("dir", "", "where the keys are")
	tenant  = flag.String("tenant", "", "whose value it is")
	subject = flag.String("subject", "", "the person it is about")
	field   = flag.String("field", "", "which value it is")
	// The former path knows AES-256-GCM and no XAES, which privet would choose.
	xaes = flag.Bool("xaes", false, "make new keyrings that the former path does not know")
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("name what to do: setup, export, seal, open, envelope-seal or envelope-open"))
	}
	_ = flag.CommandLine.Parse(os.Args[2:])
	out, err := run(context.Background(), os.Args[1])
	if err != nil {
		fail(err)
	}
	if _, err := os.Stdout.Write(out); err != nil {
		fail(err)
	}
}

func run(ctx context.Context, verb string) ([]byte, error) {
	at := crypto.Context{Tenant: *tenant, Subject: *subject, Field: *field}
	switch verb {
	case "setup":
		// One key for each purpose, as in a key service.
		for _, name := range []string{"roots.json", "envelopes.json", "transport.json"} {
			if err := makeKMSKey(name); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case "export", "seal", "open":
		c, closeAll, err := open(ctx)
		if err != nil {
			return nil, err
		}
		defer closeAll()
		if verb == "export" {
			return export(ctx, c)
		}
		return through(func(in []byte) ([]byte, error) {
			if verb == "seal" {
				return c.Encrypt(ctx, in, at)
			}
			return c.Decrypt(ctx, in, at)
		})
	case "envelope-seal", "envelope-open":
		kek, err := kmsKey("envelopes.json")
		if err != nil {
			return nil, err
		}
		c, err := envelope.New(ctx, envelope.Config{KEKs: []kms.KEK{kms.FromTink("keyset:envelopes", kek)}})
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return through(func(in []byte) ([]byte, error) {
			if verb == "envelope-seal" {
				return c.Encrypt(ctx, in, at)
			}
			return c.Decrypt(ctx, in, at)
		})
	}
	return nil, fmt.Errorf("unknown verb %q", verb)
}

// open returns a client on the keys of dir.
func open(ctx context.Context) (*crypto.Client, func(), error) {
	kek, err := kmsKey("roots.json")
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlitestore.Open(ctx, filepath.Join(*dir, "keyrings.db"))
	if err != nil {
		return nil, nil, err
	}
	cfg := crypto.Config{KEK: kms.FromTink("keyset:roots", kek), Keystore: store, NewKeys: crypto.AES256GCM}
	if *xaes {
		cfg.NewKeys = crypto.XAES256GCM
	}
	c, err := crypto.New(ctx, cfg)
	if err != nil {
		store.Close()
		return nil, nil, err
	}
	return c, func() { c.Close(); store.Close() }, nil
}

// export writes a keyring as an encrypted Tink keyset, for whoever can use the
// transport key.
func export(ctx context.Context, c *crypto.Client) ([]byte, error) {
	h, err := c.InsecureExportKeyring(ctx, *tenant, *subject)
	if err != nil {
		return nil, err
	}
	transport, err := kmsKey("transport.json")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = h.WriteWithAssociatedData(keyset.NewJSONWriter(&out), transport, []byte("interop"))
	return out.Bytes(), err
}

// makeKMSKey makes a key. A service has its keys in a key service; here a keyset file
// stands in for it.
func makeKMSKey(name string) error {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(*dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(f)), f.Close())
}

func kmsKey(name string) (tink.AEAD, error) {
	f, err := os.Open(filepath.Join(*dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(f))
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

// through returns what fn makes of standard input.
func through(fn func([]byte) ([]byte, error)) ([]byte, error) {
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	return fn(in)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "onprivet:", err)
	os.Exit(1)
}
