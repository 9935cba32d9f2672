package crypto_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/kms"
	"github.com/privet-dev/privet/crypto/kms/awskms"
	"github.com/privet-dev/privet/crypto/kms/kmstest"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(tests{m}) }

// tests runs the tests; a server that they started is stopped when they end.
type tests struct{ *testing.M }

// Run runs the tests.
func (m tests) Run() int { return pgtest.Main(m.M) }

func encrypt(t testing.TB, c *crypto.Client, plaintext string, at crypto.Context) []byte {
	t.Helper()
	ciphertext, err := c.Encrypt(t.Context(), []byte(plaintext), at)
	require.NoError(t, err)
	return ciphertext
}

func requireOpens(t testing.TB, c *crypto.Client, want string, ciphertext []byte, at crypto.Context) {
	t.Helper()
	got, err := c.Decrypt(t.Context(), ciphertext, at)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	a, b := w.client(t), w.client(t)
	name := rapid.StringMatching(`[a-z0-9._é]{1,40}`)
	rapid.Check(t, func(rt *rapid.T) {
		at := crypto.Context{
			Tenant:  rapid.SampledFrom([]string{"acme", "umbrella"}).Draw(rt, "tenant"),
			Subject: rapid.SampledFrom([]string{"", "1", "2", "\x00"}).Draw(rt, "subject"),
			Field:   name.Draw(rt, "field"),
		}
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(rt, "plaintext")
		before := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "before")
		out, err := a.AppendEncrypt(t.Context(), bytes.Clone(before), plaintext, at)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(out, before))
		ciphertext := out[len(before):]
		require.Len(t, ciphertext, len(plaintext)+crypto.Overhead)
		for _, c := range []*crypto.Client{a, b} {
			back, err := c.AppendDecrypt(t.Context(), bytes.Clone(before), ciphertext, at)
			require.NoError(t, err)
			require.True(t, bytes.Equal(append(bytes.Clone(before), plaintext...), back))
		}
		other := at
		switch rapid.IntRange(0, 2).Draw(rt, "which") {
		case 0:
			other.Field += "x"
		case 1:
			other.Subject += "x"
		case 2:
			other.Tenant += "x"
		}
		_, err = b.Decrypt(t.Context(), ciphertext, other)
		require.Equal(t, crypto.ErrDecrypt, err)
	})
}

func TestContextIsBound(t *testing.T) {
	c := newClient(t)
	at := crypto.Context{Tenant: "acme", Subject: "4711", Field: "email"}
	ciphertext := encrypt(t, c, "x", at)
	for name, other := range map[string]crypto.Context{
		"tenant":            {Tenant: "umbrella", Subject: "4711", Field: "email"},
		"subject":           {Tenant: "acme", Subject: "4712", Field: "email"},
		"no subject":        {Tenant: "acme", Field: "email"},
		"field":             {Tenant: "acme", Subject: "4711", Field: "phone"},
		"shifted":           {Tenant: "acme", Subject: "471", Field: "1email"},
		"case":              {Tenant: "acme", Subject: "4711", Field: "Email"},
		"subject for field": {Tenant: "acme", Subject: "email", Field: "4711"},
	} {
		for range 2 { // as the keyring is first read, and when it is known
			_, err := c.Decrypt(t.Context(), ciphertext, other)
			require.Equal(t, crypto.ErrDecrypt, err, name)
		}
	}
	// They have keyrings of their own, too.
	for _, other := range []crypto.Context{{Tenant: "umbrella", Subject: "4711", Field: "email"}, {Tenant: "acme", Subject: "4712", Field: "email"}, {Tenant: "acme", Field: "email"}} {
		require.NotEqual(t, ciphertext[:5], encrypt(t, c, "x", other)[:5])
		_, err := c.Decrypt(t.Context(), ciphertext, other)
		require.Equal(t, crypto.ErrDecrypt, err)
	}
	requireOpens(t, c, "x", ciphertext, at)
}

func TestEveryTruncationAndFlippedBitIsRefused(t *testing.T) {
	for _, algorithm := range []crypto.Algorithm{crypto.XAES256GCM, crypto.AES256GCM} {
		w := newWorld(t)
		w.config.NewKeys = algorithm
		writer := w.client(t)
		ciphertext := encrypt(t, writer, "forty-two", benchAt)
		for _, c := range []*crypto.Client{writer, w.client(t)} { // salt known and not
			refused := func(ciphertext []byte, what string, args ...any) {
				t.Helper()
				dst := append(make([]byte, 0, 64), "dst"...)
				got, err := c.AppendDecrypt(t.Context(), dst, ciphertext, benchAt)
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
			refused(append(bytes.Clone(ciphertext), 0), "a byte more")
			requireOpens(t, c, "forty-two", ciphertext, benchAt)
		}
	}
}

// A keystore row that was changed in any way is refused as such, by name, and never
// replaced by new keys.
func TestChangedKeystoreRowsAreRefused(t *testing.T) {
	w := newWorld(t)
	encrypt(t, w.client(t), "x", benchAt)
	subject := crypto.Context{Tenant: "acme", Subject: "customer-4711", Field: "f"}
	other := crypto.Context{Tenant: "acme", Subject: "4712", Field: "f"}
	encrypt(t, w.client(t), "x", subject)
	encrypt(t, w.client(t), "x", other)
	id, err := crypto.SubjectID(t.Context(), w.client(t), "acme", "customer-4711")
	require.NoError(t, err)
	otherID, err := crypto.SubjectID(t.Context(), w.client(t), "acme", "4712")
	require.NoError(t, err)
	good, before := w.get(t, id), len(w.all(t))
	set := func(r keystore.Record) {
		t.Helper()
		r.Version = w.get(t, id).Version
		require.NoError(t, w.store.Update(t.Context(), r))
	}
	refused := func(what string, args ...any) {
		t.Helper()
		_, err := w.client(t).Encrypt(t.Context(), []byte("x"), subject)
		require.True(t, errors.Is(err, crypto.ErrKeyring), what, args)
		require.False(t, strings.Contains(err.Error(), "customer-4711"), "the subject's id is in %v", err)
	}
	for i := range good.Wrapped {
		changed := good
		changed.Wrapped = bytes.Clone(good.Wrapped)
		changed.Wrapped[i] ^= 0x40
		set(changed)
		refused("byte %d", i)
		if i > 0 {
			changed.Wrapped = good.Wrapped[:i]
			set(changed)
			refused("cut to %d", i)
		}
	}
	swapped := good
	swapped.Wrapped = w.get(t, otherID).Wrapped
	set(swapped)
	refused("another subject's row")
	swapped.Wrapped = w.get(t, valueID).Wrapped
	set(swapped)
	refused("the value keyring's row")
	parent := good
	parent.Parent++
	set(parent)
	refused("another parent")
	set(good)
	encrypt(t, w.client(t), "x", subject)
	require.Len(t, w.all(t), before)

	root := w.get(t, keystore.ID{Tenant: "acme", Purpose: "root"})
	root.Wrapped[len(root.Wrapped)-1] ^= 1
	require.NoError(t, w.store.Update(t.Context(), root))
	refused("the root")
	_, err = w.client(t).Encrypt(t.Context(), []byte("x"), subject)
	require.ErrorIs(t, err, kms.ErrInvalid)
}

// Another KEK does not open the roots, and says whose they are.
func TestAnotherKEKIsRefused(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	ciphertext := encrypt(t, w.client(t), "x", benchAt)
	cfg := w.config
	cfg.KEK = other.kek
	c, err := crypto.New(t.Context(), cfg)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Decrypt(t.Context(), ciphertext, benchAt)
	require.ErrorIs(t, err, crypto.ErrKeyring)
	require.ErrorIs(t, err, kms.ErrInvalid)
	require.ErrorContains(t, err, w.kek.URI())
	require.ErrorContains(t, err, other.kek.URI())
}

// Reading makes no keys: whoever may only decrypt cannot fill the keystore.
func TestDecryptMakesNoKeys(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	ciphertext := encrypt(t, newClient(t), "x", benchAt)
	for _, at := range []crypto.Context{benchAt, {Tenant: "acme", Subject: "4711", Field: "f"}} {
		_, err := c.Decrypt(t.Context(), ciphertext, at)
		require.Equal(t, crypto.ErrDecrypt, err)
		_, err = c.Stale(t.Context(), ciphertext, at)
		require.Equal(t, crypto.ErrDecrypt, err)
	}
	require.Empty(t, w.all(t))
	require.Zero(t, w.kek.wraps.Load())
	require.Empty(t, w.events.events)
}

func TestUnusableContexts(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	for name, at := range map[string]crypto.Context{
		"no tenant":         {Field: "f"},
		"no field":          {Tenant: "acme"},
		"long tenant":       {Tenant: strings.Repeat("x", 256), Field: "f"},
		"long field":        {Tenant: "acme", Field: strings.Repeat("x", 256)},
		"long subject":      {Tenant: "acme", Field: "f", Subject: strings.Repeat("x", 1025)},
		"NUL in tenant":     {Tenant: "a\x00b", Field: "f"},
		"newline in tenant": {Tenant: "a\nb", Field: "f"},
		"tenant not UTF-8":  {Tenant: "\xff", Field: "f"},
	} {
		_, err := c.Encrypt(t.Context(), []byte("x"), at)
		require.ErrorIs(t, err, crypto.ErrContext, name)
		require.Equal(t, fault.Data, fault.KindOf(err))
		_, err = c.Decrypt(t.Context(), make([]byte, 64), at)
		require.ErrorIs(t, err, crypto.ErrContext, name)
	}
	require.Empty(t, w.all(t))
	limit := crypto.Context{Tenant: strings.Repeat("x", 255), Field: strings.Repeat("x", 255), Subject: strings.Repeat("x", 1024)}
	requireOpens(t, c, "x", encrypt(t, c, "x", limit), limit)
}

func TestConfigIsChecked(t *testing.T) {
	w := newWorld(t)
	server := kmstest.NewServer(t)
	wrong := server.Config("alias/privet")
	wrong.Purpose = kms.Envelopes
	envelopes, err := awskms.Open(t.Context(), wrong)
	require.NoError(t, err)
	for name, spoil := range map[string]func(*crypto.Config){
		"no KEK":            func(c *crypto.Config) { c.KEK = nil },
		"no keystore":       func(c *crypto.Config) { c.Keystore = nil },
		"KEK for envelopes": func(c *crypto.Config) { c.KEK = envelopes },
		"algorithm":         func(c *crypto.Config) { c.NewKeys = 9 },
	} {
		cfg := w.config
		spoil(&cfg)
		_, err := crypto.New(t.Context(), cfg)
		require.Equal(t, fault.Config, fault.KindOf(err), name)
	}
	_, err = crypto.New(t.Context(), crypto.Config{KEK: w.kek, Keystore: w.store})
	require.NoError(t, err, "the rest has defaults")
}

// Many goroutines of several processes need the same keys at once, before there are
// any: one keyring comes to be, and all use it.
// The key service is called once per tenant and cache life, however many subjects,
// values and goroutines there are.
// What KMS answers reaches the caller as its family; nothing of it is remembered.
// Keys are read again when their life is over, and not before.
// The caller who began a load may leave; whoever else waits is served by it.
// A keystore that hangs is given up by the load itself, and the next call asks anew.
// An erased subject stays erased: no keys are read and none are made, whether it
// ever had any or not.
func TestErasedSubject(t *testing.T) {
	w := newWorld(t)
	had := crypto.Context{Tenant: "acme", Subject: "4711", Field: "f"}
	never := crypto.Context{Tenant: "acme", Subject: "4712", Field: "f"}
	ciphertext := encrypt(t, w.client(t), "x", had)
	id, err := crypto.SubjectID(t.Context(), w.client(t), "acme", had.Subject)
	require.NoError(t, err)
	require.NoError(t, w.store.Update(t.Context(), keystore.Record{ID: id, State: keystore.Erased, Version: 1}))
	id, err = crypto.SubjectID(t.Context(), w.client(t), "acme", never.Subject)
	require.NoError(t, err)
	require.NoError(t, w.store.Create(t.Context(), keystore.Record{ID: id, State: keystore.Erased}))
	c := w.client(t)
	for range 2 {
		for _, at := range []crypto.Context{had, never} {
			_, err = c.Encrypt(t.Context(), []byte("x"), at)
			require.ErrorIs(t, err, crypto.ErrErased)
			require.Equal(t, fault.Data, fault.KindOf(err))
			_, err = c.Decrypt(t.Context(), ciphertext, at)
			require.ErrorIs(t, err, crypto.ErrErased)
			_, err = c.InsecureExportKeyring(t.Context(), at.Tenant, at.Subject)
			require.ErrorIs(t, err, crypto.ErrErased)
		}
	}
	encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "4713", Field: "f"})
}

// The keystore holds no subject's id, no key in clear, and hashes that differ from
// tenant to tenant.
func TestKeystoreHoldsNoIDs(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	const subject = "customer-4711"
	hashes := map[string]bool{}
	for _, tenant := range []string{"acme", "umbrella"} {
		encrypt(t, c, "x", crypto.Context{Tenant: tenant, Subject: subject, Field: "f"})
		id, err := crypto.SubjectID(t.Context(), w.client(t), tenant, subject)
		require.NoError(t, err)
		hashes[id.Subject] = true
		again, err := crypto.SubjectID(t.Context(), c, tenant, subject)
		require.NoError(t, err)
		require.Equal(t, id, again)
	}
	require.Len(t, hashes, 2)
	for _, r := range w.all(t) {
		require.NotContains(t, fmt.Sprintf("%+v %s", r, r.Wrapped), subject)
		require.Equal(t, r.Purpose == "root", r.KEK != "")
	}
	for _, e := range w.events.events {
		require.NotContains(t, fmt.Sprintf("%+v", e), subject)
	}
}

// What cannot be recorded is not done.
func TestKeysAreRecorded(t *testing.T) {
	w := newWorld(t)
	w.events.fail = errors.New("the log is full")
	c := w.client(t)
	_, err := c.Encrypt(t.Context(), nil, crypto.Context{Tenant: "acme", Subject: "1", Field: "f"})
	require.ErrorContains(t, err, "the log is full")
	require.Empty(t, w.all(t))
	w.events.fail = nil
	encrypt(t, c, "x", crypto.Context{Tenant: "acme", Subject: "1", Field: "f"})
	var purposes []string
	for _, e := range w.events.events {
		require.Equal(t, event.Event{Action: "crypto.keyring.create", Tenant: "acme", Object: e.Object, Subject: e.Subject, Outcome: "ok", Count: 1}, e)
		purpose := e.Object[:strings.LastIndex(e.Object, "/")]
		purposes = append(purposes, purpose)
		require.Equal(t, purpose == "subject", len(e.Subject) == 64)
	}
	require.Equal(t, []string{"root", "domain/privet/subjects", "subject"}, purposes)
}

func TestWarmCallsDoNotAllocate(t *testing.T) {
	c := newClient(t)
	for _, at := range []crypto.Context{benchAt, {Tenant: "acme", Subject: "4711", Field: "f"}} {
		plaintext, dst := make([]byte, 256), make([]byte, 0, 512)
		ciphertext := encrypt(t, c, string(plaintext), at)
		require.Less(t, testing.AllocsPerRun(1000, func() {
			if _, err := c.AppendEncrypt(t.Context(), dst, plaintext, at); err != nil {
				t.Error(err)
			}
		}), 0.5)
		require.Less(t, testing.AllocsPerRun(1000, func() {
			if _, err := c.AppendDecrypt(t.Context(), dst, ciphertext, at); err != nil {
				t.Error(err)
			}
		}), 0.5)
	}
}

func FuzzDecrypt(f *testing.F) {
	c := newClient(f)
	good := encrypt(f, c, "x", benchAt)
	f.Add(good)
	f.Add(good[:5])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, ciphertext []byte) {
		got, err := c.Decrypt(t.Context(), ciphertext, benchAt)
		if bytes.Equal(ciphertext, good) {
			require.NoError(t, err)
			require.Equal(t, "x", string(got))
			return
		}
		require.Equal(t, crypto.ErrDecrypt, err)
		require.Nil(t, got)
		_, _ = c.Stale(t.Context(), ciphertext, benchAt)
	})
}
