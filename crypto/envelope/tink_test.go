package envelope_test

import (
	"context"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/tink"

	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

// tinkKEK is how a Tink program sees a KEK: a remote AEAD.
type tinkKEK struct{ kms.KEK }

var _ tink.AEADWithContext = tinkKEK{}

func (k tinkKEK) EncryptWithContext(ctx context.Context, plaintext, ad []byte) ([]byte, error) {
	if len(ad) != 0 {
		return nil, errors.New("Tink gives a KEK no associated data")
	}
	return k.Wrap(ctx, plaintext, nil)
}

func (k tinkKEK) DecryptWithContext(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	if len(ad) != 0 {
		return nil, errors.New("Tink gives a KEK no associated data")
	}
	return k.Unwrap(ctx, wrapped, nil)
}

// tinkEnvelope is Tink's own envelope AEAD. Its AES-GCM does not run under
// GODEBUG=fips140=only; ours does.
func tinkEnvelope(t testing.TB, k kms.KEK, template *tinkpb.KeyTemplate) *aead.KMSEnvelopeAEADWithContext {
	t.Helper()
	e, err := aead.NewKMSEnvelopeAEADWithContext(template, tinkKEK{k})
	require.NoError(t, err)
	return e
}

// keks are one KEK of each kind, in memory, in a file and at AWS.
func keks(t testing.TB) map[string]kms.KEK {
	local, err := localkms.CreateFor(kms.Envelopes, t.TempDir()+"/kek.json", nil)
	require.NoError(t, err)
	server := kmstest.NewServer(t)
	server.CreateKey("alias/envelopes")
	cfg := server.Config("alias/envelopes")
	cfg.Purpose = kms.Envelopes
	aws, err := awskms.Open(t.Context(), cfg)
	require.NoError(t, err)
	return map[string]kms.KEK{"memory": newKEK("mem:1"), "file": local, "aws": aws}
}

func TestTinkOpensOurs(t *testing.T) {
	for name, k := range keks(t) {
		t.Run(name, func(t *testing.T) {
			c := with(t, k)
			for _, plaintext := range []string{"", "x", "a note about an order", string(make([]byte, 1<<20))} {
				ciphertext := seal(t, c, plaintext, at)
				fips140.WithoutEnforcement(func() {
					got, err := tinkEnvelope(t, k, aead.AES256GCMKeyTemplate()).
						DecryptWithContext(t.Context(), ciphertext, at.AppendAssociatedData(nil))
					require.NoError(t, err)
					require.Equal(t, plaintext, string(got))
				})
			}
		})
	}
}

func TestWeOpenTinks(t *testing.T) {
	for name, k := range keks(t) {
		t.Run(name, func(t *testing.T) {
			c := with(t, k)
			for _, template := range []*tinkpb.KeyTemplate{
				aead.AES256GCMKeyTemplate(), aead.AES128GCMKeyTemplate(), aead.AES256GCMNoPrefixKeyTemplate(),
			} {
				for _, plaintext := range []string{"", "a note about an order"} {
					var ciphertext []byte
					fips140.WithoutEnforcement(func() {
						var err error
						ciphertext, err = tinkEnvelope(t, k, template).
							EncryptWithContext(t.Context(), []byte(plaintext), at.AppendAssociatedData(nil))
						require.NoError(t, err)
					})
					requireOpens(t, c, plaintext, ciphertext, at)
					_, err := c.Decrypt(t.Context(), ciphertext, crypto.Context{Tenant: "acme", Field: "order.other"})
					require.Equal(t, crypto.ErrDecrypt, err)
				}
			}
		})
	}
}

// Keys of other algorithms than AES-GCM are refused, whatever Tink could do.
func TestOtherKeysOfTinkAreRefused(t *testing.T) {
	k := newKEK("mem:1")
	c := with(t, k)
	for _, template := range []*tinkpb.KeyTemplate{
		aead.ChaCha20Poly1305KeyTemplate(), aead.XChaCha20Poly1305KeyTemplate(), aead.AES256CTRHMACSHA256KeyTemplate(),
	} {
		fips140.WithoutEnforcement(func() {
			ciphertext, err := tinkEnvelope(t, k, template).EncryptWithContext(t.Context(), []byte("x"), at.AppendAssociatedData(nil))
			require.NoError(t, err)
			_, err = c.Decrypt(t.Context(), ciphertext, at)
			require.Equal(t, crypto.ErrDecrypt, err, template.GetTypeUrl())
		})
	}
}

// Under several KEKs, what one of them wrapped and the payload are an envelope of
// Tink, whose associated data goes on with the header.
func TestTinkOpensEachEntryOfOurs(t *testing.T) {
	here, there := newKEK("mem:here"), newKEK("mem:there")
	ciphertext := seal(t, with(t, here, there), "x", at)
	fips140.WithoutEnforcement(func() {
		_, err := tinkEnvelope(t, here, aead.AES256GCMKeyTemplate()).DecryptWithContext(t.Context(), ciphertext, at.AppendAssociatedData(nil))
		require.Error(t, err, "the forms cannot be confused")
	})
	require.Equal(t, "\xffpm\x01\x02", string(ciphertext[:5]))
	n, starts := 5, []int(nil)
	for range 2 {
		n += 4
		starts = append(starts, n)
		n += 4 + int(binary.BigEndian.Uint32(ciphertext[n:]))
	}
	starts = append(starts, n+4)
	for i, k := range []*memKEK{here, there} {
		one := append([]byte(nil), ciphertext[starts[i]:starts[i+1]-4]...)
		one = append(one, ciphertext[n:]...)
		fips140.WithoutEnforcement(func() {
			got, err := tinkEnvelope(t, k, aead.AES256GCMKeyTemplate()).
				DecryptWithContext(t.Context(), one, append(at.AppendAssociatedData(nil), ciphertext[:n]...))
			require.NoError(t, err)
			require.Equal(t, "x", string(got))
		})
	}
}
