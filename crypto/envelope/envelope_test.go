package envelope_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/envelope"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

func TestRoundTrip(t *testing.T) {
	here, there := newKEK("mem:here"), newKEK("mem:there")
	for name, cfg := range map[string]envelope.Config{
		"one KEK":    {KEKs: []kms.KEK{here}},
		"two KEKs":   {KEKs: []kms.KEK{here, there}},
		"by tenants": {KEKs: []kms.KEK{here}, EncryptionContext: envelope.TenantContext},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t, cfg), open(t, cfg)
			rapid.Check(t, func(rt *rapid.T) {
				at := crypto.Context{
					Tenant: rapid.SampledFrom([]string{"acme", "umbrella", "bücher"}).Draw(rt, "tenant"),
					Field:  rapid.StringMatching(`[a-z0-9._é]{1,40}`).Draw(rt, "field"),
				}
				plaintext := rapid.SliceOf(rapid.Byte()).Draw(rt, "plaintext")
				before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "before")
				out, err := a.AppendEncrypt(t.Context(), bytes.Clone(before), plaintext, at)
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(out, before))
				for _, c := range []*envelope.Client{a, b} {
					back, err := c.AppendDecrypt(t.Context(), bytes.Clone(before), out[len(before):], at)
					require.NoError(t, err)
					require.True(t, bytes.Equal(append(bytes.Clone(before), plaintext...), back))
				}
				other := at
				if rapid.Bool().Draw(rt, "which") {
					other.Field += "x"
				} else {
					other.Tenant += "x"
				}
				_, err = b.Decrypt(t.Context(), out[len(before):], other)
				require.Equal(t, crypto.ErrDecrypt, err)
			})
		})
	}
}

func TestEveryTruncationAndFlippedBitIsRefused(t *testing.T) {
	here, there := newKEK("mem:here"), newKEK("mem:there")
	for _, keks := range [][]kms.KEK{{here}, {here, there}} {
		writer := with(t, keks...)
		ciphertext := seal(t, writer, "forty-two", at)
		for _, c := range []*envelope.Client{writer, with(t, keks...)} { // key known and not
			refused := func(ciphertext []byte, what string, args ...any) {
				t.Helper()
				dst := append(make([]byte, 0, 64), "dst"...)
				got, err := c.AppendDecrypt(t.Context(), dst, ciphertext, at)
				require.True(t, err == crypto.ErrDecrypt, what, args)
				require.Equal(t, "dst", string(got))
				require.NotContains(t, string(dst[:cap(dst)]), "forty-two")
			}
			for i := range ciphertext {
				refused(ciphertext[:i], "cut to %d", i)
				refused(ciphertext[i+1:], "without the first %d", i+1)
				for bit := range 8 {
					changed := bytes.Clone(ciphertext)
					changed[i] ^= 1 << bit
					refused(changed, "bit %d of byte %d", bit, i)
				}
			}
			refused(append(bytes.Clone(ciphertext), 0), "longer")
			requireOpens(t, c, "forty-two", ciphertext, at)
		}
	}
}

func TestSubjectsAreRefused(t *testing.T) {
	c := with(t, newKEK("mem:1"))
	about := crypto.Context{Tenant: "acme", Subject: "4711", Field: "email"}
	_, err := c.Encrypt(t.Context(), nil, about)
	require.ErrorIs(t, err, crypto.ErrContext)
	require.ErrorContains(t, err, "could not be shredded")
	require.NotContains(t, err.Error(), "4711")
	require.NotEmpty(t, fault.HintOf(err))
	_, err = c.Decrypt(t.Context(), nil, about)
	require.ErrorIs(t, err, crypto.ErrContext)
	for _, bad := range []crypto.Context{
		{}, {Tenant: "acme"}, {Field: "f"}, {Tenant: "a\x00b", Field: "f"}, {Tenant: "\xff", Field: "f"},
		{Tenant: strings.Repeat("x", 256), Field: "f"}, {Tenant: "acme", Field: strings.Repeat("x", 256)},
	} {
		for range 2 {
			_, err := c.Encrypt(t.Context(), nil, bad)
			require.ErrorIs(t, err, crypto.ErrContext)
		}
	}
}

func TestConfig(t *testing.T) {
	k := newKEK("mem:1")
	roots, err := localkms.Create(t.TempDir()+"/kek.json", nil)
	require.NoError(t, err)
	nine := make([]kms.KEK, 9)
	for i := range nine {
		nine[i] = newKEK("mem:" + string(rune('a'+i)))
	}
	for want, cfg := range map[string]envelope.Config{
		"0 key-encryption keys":      {},
		"9 key-encryption keys":      {KEKs: nine},
		"is nil":                     {KEKs: []kms.KEK{nil}},
		"is for roots":               {KEKs: []kms.KEK{roots}},
		"configured twice":           {KEKs: []kms.KEK{k, k}},
		"DataKeyAge is 25h":          {KEKs: []kms.KEK{k}, DataKeyAge: 25 * time.Hour},
		"DataKeyAge is -1s":          {KEKs: []kms.KEK{k}, DataKeyAge: -time.Second},
		"CacheLife is 24h0m1s":       {KEKs: []kms.KEK{k}, CacheLife: 24*time.Hour + time.Second},
		"DataKeyMessages is 4294967": {KEKs: []kms.KEK{k}, DataKeyMessages: 1<<32 + 1},
		"DataKeyBytes is":            {KEKs: []kms.KEK{k}, DataKeyBytes: 1<<40 + 1},
		"WriteGrace is":              {KEKs: []kms.KEK{k}, WriteGrace: 25 * time.Hour},
		"ReadGrace is":               {KEKs: []kms.KEK{k}, ReadGrace: 25 * time.Hour},
		"CacheSize is":               {KEKs: []kms.KEK{k}, CacheSize: -1},
		"MaxCalls is":                {KEKs: []kms.KEK{k}, MaxCalls: -1},
	} {
		_, err := envelope.New(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.Equal(t, fault.Config, fault.KindOf(err))
	}
}

func TestEncryptionContext(t *testing.T) {
	k := newKEK("mem:1")
	bound := open(t, envelope.Config{KEKs: []kms.KEK{k}, EncryptionContext: envelope.TenantContext})
	ciphertext := seal(t, bound, "x", at)
	require.Equal(t, map[string]string{"purpose": "envelopes", "tenant": "acme"}, k.last)
	requireOpens(t, open(t, envelope.Config{KEKs: []kms.KEK{k}, EncryptionContext: envelope.TenantContext}), "x", ciphertext, at)
	require.Equal(t, map[string]string{"purpose": "envelopes", "tenant": "acme"}, k.last)

	free := with(t, k)
	_, err := free.Decrypt(t.Context(), ciphertext, at)
	require.Equal(t, crypto.ErrDecrypt, err, "bound, and opened without")
	_, err = bound.Decrypt(t.Context(), seal(t, free, "x", at), at)
	require.Equal(t, crypto.ErrDecrypt, err, "free, and opened as bound")
	require.Equal(t, "acme", k.last["tenant"])

	// The wrapped key of one tenant, known to this process, is not known to another's.
	before := k.unwraps.Load()
	_, err = bound.Decrypt(t.Context(), ciphertext, crypto.Context{Tenant: "umbrella", Field: at.Field})
	require.Equal(t, crypto.ErrDecrypt, err)
	require.Equal(t, before+1, k.unwraps.Load())

	posing := open(t, envelope.Config{KEKs: []kms.KEK{k}, EncryptionContext: kms.RootContext})
	_, err = posing.Encrypt(t.Context(), nil, at)
	require.ErrorContains(t, err, "that of a tenant root")
	require.Equal(t, fault.Config, fault.KindOf(err))
}

func TestSeveralKEKs(t *testing.T) {
	here, there, third := newKEK("mem:here"), newKEK("mem:there"), newKEK("mem:third")
	ciphertext := seal(t, with(t, here, there), "x", at)
	require.EqualValues(t, 1, here.wraps.Load())
	require.EqualValues(t, 1, there.wraps.Load())
	for _, keks := range [][]kms.KEK{{here, there}, {there, here}, {here}, {there}, {third, there}} {
		requireOpens(t, with(t, keks...), "x", ciphertext, at)
	}
	require.EqualValues(t, 2, here.unwraps.Load(), "a mark says which entry is whose")
	require.EqualValues(t, 3, there.unwraps.Load())
	require.EqualValues(t, 0, third.unwraps.Load())
	_, err := with(t, third).Decrypt(t.Context(), ciphertext, at)
	require.Equal(t, crypto.ErrDecrypt, err)

	// A KEK that goes by another name here finds its entry by trying.
	renamed := newKEK("mem:there")
	renamed.uri = "mem:alias/there"
	requireOpens(t, with(t, here, renamed), "x", ciphertext, at)
	requireOpens(t, with(t, renamed), "x", ciphertext, at)

	// Whichever answers.
	for _, family := range []error{kms.ErrUnavailable, kms.ErrDenied} {
		here.fail(family)
		c := with(t, here, there)
		requireOpens(t, c, "x", ciphertext, at)
		require.ErrorIs(t, c.Degraded(), family)
		_, err := c.Encrypt(t.Context(), nil, at)
		require.ErrorIs(t, err, family, "encrypting needs all")
		_, err = with(t, here).Decrypt(t.Context(), ciphertext, at)
		require.ErrorIs(t, err, family)
		require.NotErrorIs(t, err, crypto.ErrDecrypt)
	}
	// While one is away it may be the one that could, so nothing is said of the envelope.
	here.fail(kms.ErrUnavailable)
	foreign := seal(t, with(t, third), "x", at)
	_, err = with(t, there, here).Decrypt(t.Context(), foreign, at)
	require.ErrorIs(t, err, kms.ErrUnavailable)
	here.fail(nil)
	_, err = with(t, there, here).Decrypt(t.Context(), foreign, at)
	require.Equal(t, crypto.ErrDecrypt, err)
}

func TestNoAllocationWhenWarm(t *testing.T) {
	for _, ec := range []func(string) map[string]string{nil, envelope.TenantContext} {
		c := open(t, envelope.Config{KEKs: []kms.KEK{newKEK("mem:1")}, EncryptionContext: ec})
		plaintext, dst := make([]byte, 256), make([]byte, 0, 1024)
		ciphertext := seal(t, c, string(plaintext), at)
		ctx := t.Context()
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if _, err := c.AppendEncrypt(ctx, dst, plaintext, at); err != nil {
				t.Fatal(err)
			}
		}))
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if _, err := c.AppendDecrypt(ctx, dst, ciphertext, at); err != nil {
				t.Fatal(err)
			}
		}))
	}
}

func TestReasonsAreForTheOperatorOnly(t *testing.T) {
	var reports []error
	c := open(t, envelope.Config{KEKs: []kms.KEK{newKEK("mem:1")}, Report: func(err error) { reports = append(reports, err) }})
	_, err := c.Decrypt(t.Context(), seal(t, with(t, newKEK("mem:2")), "x", at), at)
	require.Equal(t, crypto.ErrDecrypt, err)
	require.Len(t, reports, 1)
	require.ErrorIs(t, reports[0], kms.ErrInvalid)
	require.ErrorContains(t, reports[0], "mem:1")
}
