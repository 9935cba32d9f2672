// Command oldpath is a service that stays on github.com/google/tink/go, the former
// path of Tink, and exchanges ciphertexts with one on privet.
//
//	oldpath seal|open -dir keys -keyring file -tenant acme -field customer.email <in >out
//	oldpath envelope-seal|envelope-open -dir keys -tenant acme -field customer.email <in >out
//
// It knows nothing of privet but two things that privet documents: the associated
// data of a value, and that keyrings and envelopes are Tink's.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/insecurecleartextkeyset"
	"github.com/google/tink/go/keyset"
	"github.com/google/tink/go/tink"
)

var (
	dir     = flag.String("dir", "", "where the keys are")
	keyring = flag.String("keyring", "", "the keyring that privet exported")
	tenant  = flag.String("tenant", "", "whose value it is")
	subject = flag.String("subject", "", "the person it is about")
	field   = flag.String("field", "", "which value it is")
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("name what to do: seal, open, envelope-seal or envelope-open"))
	}
	_ = flag.CommandLine.Parse(os.Args[2:])
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	out, err := run(os.Args[1], in)
	if err != nil {
		fail(err)
	}
	if _, err := os.Stdout.Write(out); err != nil {
		fail(err)
	}
}

func run(verb string, in []byte) ([]byte, error) {
	switch verb {
	case "seal", "open":
		a, err := importKeyring()
		if err != nil {
			return nil, err
		}
		if verb == "seal" {
			return a.Encrypt(in, associatedData())
		}
		return a.Decrypt(in, associatedData())
	case "envelope-seal", "envelope-open":
		kek, err := kmsKey("envelopes.json")
		if err != nil {
			return nil, err
		}
		a := aead.NewKMSEnvelopeAEAD2(aead.AES256GCMKeyTemplate(), kek)
		if verb == "envelope-seal" {
			return a.Encrypt(in, associatedData())
		}
		return a.Decrypt(in, associatedData())
	}
	return nil, fmt.Errorf("unknown verb %q", verb)
}

// associatedData is that of a value in privet (docs/crypto.md).
func associatedData() []byte {
	ad := []byte("privet/1")
	for _, s := range []string{*tenant, *subject, *field} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(s)))
		ad = append(ad, s...)
	}
	return ad
}

// importKeyring reads the encrypted keyset that privet exported.
func importKeyring() (tink.AEAD, error) {
	transport, err := kmsKey("transport.json")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(*keyring)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := keyset.ReadWithAssociatedData(keyset.NewJSONReader(f), transport, []byte("interop"))
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

// kmsKey returns the primitive of a key. A service has it from Tink's KMS
// integration; here a keyset file stands in for the key service.
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

func fail(err error) {
	fmt.Fprintln(os.Stderr, "oldpath:", err)
	os.Exit(1)
}
