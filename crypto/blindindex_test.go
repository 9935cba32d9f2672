package crypto_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
)

func normalizer(t testing.TB, typ classify.Type) crypto.Normalizer {
	t.Helper()
	n, err := crypto.NormalizerFor(typ)
	require.NoError(t, err)
	return n
}

// An index value is AES-256-CMAC under a subkey, as documented, cut to its bits.
func TestBlindIndexIsCMACOfASubkey(t *testing.T) {
	c := newClient(t)
	key, err := c.Subkey(t.Context(), "acme", "blind_index/customer.email", "blind_index/1/email.1/customer.email", 32)
	require.NoError(t, err)
	mac, err := cmac.New(key)
	require.NoError(t, err)
	full := mac.Sum([]byte("jo@example.com"))

	for _, bits := range []int{0, 8, 9, 15, 16, 33, 64, 127, 128} {
		x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{
			Tenant: "acme", Field: "customer.email", Bits: bits, Normalize: normalizer(t, classify.Email),
		})
		require.NoError(t, err)
		got, err := x.Append(t.Context(), []byte("kept"), []byte(" Jo@Example.COM\n"))
		require.NoError(t, err)
		require.Equal(t, "kept", string(got[:4]))
		got = got[4:]
		if bits == 0 {
			bits = crypto.MaxIndexBits
		}
		require.Len(t, got, x.Size())
		require.Equal(t, (bits+7)/8, x.Size())
		for bit := range 8 * len(got) {
			want := full[bit/8]>>(7-bit%8)&1 == 1 && bit < bits
			require.Equal(t, want, got[bit/8]>>(7-bit%8)&1 == 1, "bit %d of %d", bit, bits)
		}
		values, err := x.Values(t.Context(), []byte("jo@example.com"))
		require.NoError(t, err)
		require.Equal(t, [][]byte{got}, values)
	}
}

func TestBlindIndexSeparates(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	base := crypto.BlindIndexConfig{Tenant: "acme", Field: "customer.email"}
	value := func(c *crypto.Client, change func(*crypto.BlindIndexConfig)) string {
		cfg := base
		change(&cfg)
		x, err := c.BlindIndex(t.Context(), cfg)
		require.NoError(t, err)
		v, err := x.Append(t.Context(), nil, []byte("jo@example.com"))
		require.NoError(t, err)
		return hex.EncodeToString(v)
	}
	same := func(*crypto.BlindIndexConfig) {}
	want := value(c, same)
	require.Equal(t, want, value(w.client(t), same), "another process")
	seen := map[string]string{want: "base"}
	for name, change := range map[string]func(*crypto.BlindIndexConfig){
		"tenant":     func(c *crypto.BlindIndexConfig) { c.Tenant = "globex" },
		"field":      func(c *crypto.BlindIndexConfig) { c.Field = "customer.email2" },
		"domain":     func(c *crypto.BlindIndexConfig) { c.Domain = "emails" },
		"normalizer": func(c *crypto.BlindIndexConfig) { c.Normalize = normalizer(t, classify.Email) },
	} {
		v := value(c, change)
		require.Empty(t, seen[v], "%s gives the value of %s", name, seen[v])
		seen[v] = name
	}
}

func TestBlindIndexRefuses(t *testing.T) {
	c := newClient(t)
	good := crypto.BlindIndexConfig{Tenant: "acme", Field: "customer.email"}
	for name, change := range map[string]func(*crypto.BlindIndexConfig){
		"no tenant":         func(c *crypto.BlindIndexConfig) { c.Tenant = "" },
		"no field":          func(c *crypto.BlindIndexConfig) { c.Field = "" },
		"a field's text":    func(c *crypto.BlindIndexConfig) { c.Field = "customer/email" },
		"a reserved domain": func(c *crypto.BlindIndexConfig) { c.Domain = "privet/subjects" },
		"a domain's text":   func(c *crypto.BlindIndexConfig) { c.Domain = "a\nb" },
		"few bits":          func(c *crypto.BlindIndexConfig) { c.Bits = 7 },
		"many bits":         func(c *crypto.BlindIndexConfig) { c.Bits = 129 },
		"negative bits":     func(c *crypto.BlindIndexConfig) { c.Bits = -8 },
		"a nameless form":   func(c *crypto.BlindIndexConfig) { c.Normalize = named("") },
		"a form's text":     func(c *crypto.BlindIndexConfig) { c.Normalize = named("a/b") },
	} {
		cfg := good
		change(&cfg)
		_, err := c.BlindIndex(t.Context(), cfg)
		require.ErrorIs(t, err, crypto.ErrContext, name)
	}

	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f", Normalize: normalizer(t, classify.Email)})
	require.NoError(t, err)
	for _, value := range []string{"", " ", "jo", "@", "jo@", "@x", "j o@x", "jo\x00@x", "jo@x\xff"} {
		dst, err := x.Append(t.Context(), []byte("kept"), []byte(value))
		require.ErrorIs(t, err, crypto.ErrNormalize, "%q", value)
		require.Equal(t, "kept", string(dst))
		require.Equal(t, fault.Data, fault.KindOf(err))
		_, err = x.Values(t.Context(), []byte(value))
		require.ErrorIs(t, err, crypto.ErrNormalize, "%q", value)
	}
	empty, err := c.BlindIndex(t.Context(), good)
	require.NoError(t, err)
	_, err = empty.Append(t.Context(), nil, nil)
	require.ErrorIs(t, err, crypto.ErrNormalize)
}

// named is a normalizer that does nothing.
type named string

func (n named) Name() string { return string(n) }

func (named) AppendNormal(dst, value []byte) ([]byte, error) { return append(dst, value...), nil }

func TestBlindIndexNeedsItsKeys(t *testing.T) {
	w := newWorld(t)
	w.kek.fail.Store(&kms.ErrDenied)
	_, err := w.client(t).BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f"})
	require.ErrorIs(t, err, kms.ErrDenied)

	w.kek.fail.Store(nil)
	c := w.client(t)
	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f"})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = x.Append(t.Context(), nil, []byte("x"))
	require.ErrorIs(t, err, crypto.ErrClosed)
}

// After a rotation new values are written with the new key, and look-ups find both.
func TestBlindIndexRotates(t *testing.T) {
	c := newClient(t)
	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f", Bits: 20})
	require.NoError(t, err)
	before, err := x.Append(t.Context(), nil, []byte("x"))
	require.NoError(t, err)
	scope := crypto.Scope{Tenant: "acme", Domain: "blind_index/f"}
	for n := 2; n <= 3; n++ {
		_, err = c.Rotate(t.Context(), scope)
		require.NoError(t, err)
		after, err := x.Append(t.Context(), nil, []byte("x"))
		require.NoError(t, err)
		values, err := x.Values(t.Context(), []byte("x"))
		require.NoError(t, err)
		require.Len(t, values, n)
		require.Equal(t, after, values[0], "the newest comes first")
		require.Equal(t, before, values[n-1])
		require.NotEqual(t, before, after)
	}
}

// One index serves many goroutines while its domain is rotated: each value is that of one
// of the keys.
func TestBlindIndexWhileItIsRotated(t *testing.T) {
	c := newClient(t)
	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f"})
	require.NoError(t, err)
	var group sync.WaitGroup
	seen := make([]map[string]bool, 4)
	for i := range seen {
		seen[i] = map[string]bool{}
		group.Go(func() {
			for range 300 {
				v, err := x.Append(t.Context(), nil, []byte("x"))
				if err != nil {
					t.Error(err)
					return
				}
				seen[i][string(v)] = true
			}
		})
	}
	for range 3 {
		_, err = c.Rotate(t.Context(), crypto.Scope{Tenant: "acme", Domain: "blind_index/f"})
		require.NoError(t, err)
	}
	group.Wait()
	all, err := x.Values(t.Context(), []byte("x"))
	require.NoError(t, err)
	require.Len(t, all, 4)
	for _, m := range seen {
		for v := range m {
			require.Contains(t, all, []byte(v))
		}
	}
}

func TestBlindIndexDoesNotAllocate(t *testing.T) {
	c := newClient(t)
	x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f", Normalize: normalizer(t, classify.Email)})
	require.NoError(t, err)
	ctx, dst, value := context.Background(), make([]byte, 0, 16), []byte("Jo@Example.com")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := x.Append(ctx, dst, value); err != nil {
			t.Error(err)
		}
	}))
}

func TestNormalForms(t *testing.T) {
	for _, tt := range []struct {
		typ      classify.Type
		in, want string // want "" where in is refused
	}{
		{classify.Email, "\t Jo.Doe+News@EXAMPLE.Com \r\n", "jo.doe+news@example.com"},
		{classify.Email, "ÅSA@Exämple.SE", "åsa@exämple.se"},
		{classify.Email, "a@b@c", "a@b@c"},
		{classify.Email, "\u00a0jo@x\u2003", "jo@x"},
		{classify.CardNumber, "4111 1111-1111.1111", "4111111111111111"},
		{classify.CardNumber, "41111111111", ""},
		{classify.CardNumber, "41111111111111111111", ""},
		{classify.CardNumber, "4111 1111 1111 111x", ""},
		{classify.USSSN, "078-05-1120", "078051120"},
		{classify.USSSN, "078-05-112", ""},
		{classify.IBAN, "de89 3704 0044 0532 0130 00", "DE89370400440532013000"},
		{classify.IBAN, "GB29NWBK60161331926819", "GB29NWBK60161331926819"},
		{classify.IBAN, "8937040044053201", ""},
		{classify.IBAN, "DEX9370400440532013000", ""},
		{classify.IBAN, "DE89/370400440532013000", ""},
		{classify.LastName, "  O’Neill   Grünberg\n", "o’neill grünberg"},
		{classify.LastName, " \n", ""},
		{classify.LastName, "\xff", ""},
		{classify.Username, " Jo ", " Jo "},
		{"", "Jo", "Jo"},
	} {
		n := normalizer(t, tt.typ)
		got, err := n.AppendNormal([]byte("kept"), []byte(tt.in))
		require.Equal(t, "kept", string(got[:4]))
		if tt.want == "" && err == nil {
			require.Equal(t, "kept", string(got), "%s %q", tt.typ, tt.in)
			continue
		}
		require.Equal(t, tt.want == "", err != nil, "%s %q", tt.typ, tt.in)
		require.Equal(t, "kept"+tt.want, string(got), "%s %q", tt.typ, tt.in)
		require.NoError(t, classify.CheckName(n.Name()))
	}
	_, err := crypto.NormalizerFor(classify.Phone)
	require.ErrorContains(t, err, "crypto/e164")
	_, err = crypto.NormalizerFor("e-mail")
	require.Equal(t, fault.Config, fault.KindOf(err))
}

// Lower case is the end of it: a second pass changes nothing.
func TestLowerCaseOfAllLettersIsFinal(t *testing.T) {
	n := normalizer(t, classify.LastName)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		once, err := n.AppendNormal(nil, []byte(string(r)))
		require.NoError(t, err)
		if r == unicode.ReplacementChar || !bytes.Equal(once, []byte(string(r))) {
			twice, err := n.AppendNormal(nil, once)
			require.NoError(t, err)
			require.True(t, bytes.Equal(once, twice), "%U", r)
		}
	}
}

func FuzzNormalForms(f *testing.F) {
	var all []crypto.Normalizer
	for _, name := range classify.Types() {
		if n, err := crypto.NormalizerFor(classify.Type(name)); err == nil {
			all = append(all, n)
		}
	}
	f.Add([]byte("Jo@Example.com"))
	f.Add([]byte("DE89 3704 0044 0532 0130 00"))
	f.Add([]byte("4111-1111-1111-1111"))
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, n := range all {
			before := bytes.Clone(value)
			once, err := n.AppendNormal(nil, value)
			require.Equal(t, before, bytes.Clone(value), "the value was changed")
			if err != nil {
				require.Empty(t, once)
				continue
			}
			twice, err := n.AppendNormal(nil, once)
			require.NoError(t, err, "%s refuses its own form %q", n.Name(), once)
			require.True(t, bytes.Equal(once, twice), "%s: %q, then %q", n.Name(), once, twice)
		}
	})
}

// Equal values meet, and so few others do that the odds are what was promised.
func TestBlindIndexFindsEqualValuesOnly(t *testing.T) {
	c := newClient(t)
	full, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f"})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "a")
		b := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "b")
		ia, errA := full.Append(context.Background(), nil, a)
		ib, errB := full.Append(context.Background(), nil, b)
		require.NoError(t, errors.Join(errA, errB))
		require.Equal(t, bytes.Equal(a, b), bytes.Equal(ia, ib))
	})

	const values, bits = 4096, 8
	short, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "f", Bits: bits})
	require.NoError(t, err)
	found := map[byte]int{}
	for i := range values {
		v, err := short.Append(t.Context(), nil, fmt.Append(nil, i))
		require.NoError(t, err)
		found[v[0]]++
	}
	require.Len(t, found, 1<<bits)
	for v, n := range found {
		require.Less(t, n, 3*values>>bits, "%d", v) // 48 against 16: 8 standard deviations
	}
}
