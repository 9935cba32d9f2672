package column_test

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/column"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/internal/fault"
)

func newClient(t testing.TB, m *crypto.Migration) *crypto.Client {
	t.Helper()
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	c, err := crypto.New(t.Context(), crypto.Config{KEK: kek, Keystore: memstore.New(), Migration: m})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

var at = crypto.Context{Tenant: "acme", Subject: "4711", Field: "customer.email"}

const secret = "jo@example.com"

// through returns what a database would give back for e.
func through[T any](t testing.TB, e column.Encrypted[T]) (out column.Encrypted[T]) {
	t.Helper()
	v, err := e.Value()
	require.NoError(t, err)
	require.NoError(t, out.Scan(v))
	return out
}

func TestLifeOfAValue(t *testing.T) {
	c := newClient(t, nil)
	e := column.Of(secret)
	require.True(t, e.IsOpen())
	require.False(t, e.IsSealed())
	_, err := e.Value()
	require.ErrorIs(t, err, column.ErrNotSealed)
	require.Equal(t, fault.Data, fault.KindOf(err))

	require.NoError(t, e.Seal(t.Context(), c, at))
	got, err := e.Plaintext()
	require.NoError(t, err)
	require.Equal(t, secret, got)
	first, err := e.Ciphertext()
	require.NoError(t, err)
	plain, err := c.Decrypt(t.Context(), first, at)
	require.NoError(t, err)
	require.Equal(t, secret, string(plain))

	read := through(t, e)
	require.False(t, read.IsOpen())
	_, err = read.Plaintext()
	require.ErrorIs(t, err, column.ErrNotOpen)
	require.NoError(t, read.Open(t.Context(), c, at))
	got, err = read.Plaintext()
	require.NoError(t, err)
	require.Equal(t, secret, got)

	// Sealed values stay as they are, at the same context or an unknown one.
	require.NoError(t, read.Seal(t.Context(), c, at))
	again, err := read.Ciphertext()
	require.NoError(t, err)
	require.Equal(t, first, again)
	other := at
	other.Subject = "4712"
	require.ErrorIs(t, read.Seal(t.Context(), c, other), crypto.ErrSealed)
	unopened := through(t, e)
	require.NoError(t, unopened.Seal(t.Context(), c, other))
	require.ErrorIs(t, unopened.Open(t.Context(), c, other), crypto.ErrDecrypt)
	require.False(t, unopened.IsOpen())

	read.Set("new@example.com")
	_, err = read.Value()
	require.ErrorIs(t, err, column.ErrNotSealed, "a changed value is sealed anew")
	require.NoError(t, read.Seal(t.Context(), c, other))
	require.NoError(t, read.Open(t.Context(), c, other))

	read.SetNull()
	v, err := read.Value()
	require.NoError(t, err)
	require.Nil(t, v)
}

func TestNullAndEmpty(t *testing.T) {
	c := newClient(t, nil)
	var null column.Encrypted[string]
	require.NoError(t, null.Seal(t.Context(), c, crypto.Context{}))
	require.NoError(t, null.Open(t.Context(), c, crypto.Context{}))
	v, err := null.Value()
	require.NoError(t, err)
	require.Nil(t, v)
	require.NoError(t, null.Scan(nil))
	require.True(t, null.IsNull())
	s, err := null.Plaintext()
	require.NoError(t, err)
	require.Empty(t, s)

	empty := column.Of("")
	require.NoError(t, empty.Seal(t.Context(), c, at))
	empty = through(t, empty)
	require.False(t, empty.IsNull())
	require.NoError(t, empty.Open(t.Context(), c, at))
	require.True(t, empty.IsOpen())

	none := column.Of([]byte(nil))
	require.NoError(t, none.Seal(t.Context(), c, at))
	none = through(t, none)
	require.NoError(t, none.Open(t.Context(), c, at))
	b, err := none.Plaintext()
	require.NoError(t, err)
	require.Empty(t, b)
}

type named string

type money struct {
	Cents    int64
	Currency string
}

// forms says what is encrypted for a type; it must not change.
func form[T any](t *testing.T, c *crypto.Client, v T, want string) {
	t.Helper()
	e := column.Of(v)
	require.NoError(t, e.Seal(t.Context(), c, at))
	ciphertext, err := e.Ciphertext()
	require.NoError(t, err)
	plain, err := c.Decrypt(t.Context(), ciphertext, at)
	require.NoError(t, err)
	require.Equal(t, want, string(plain))
	e = through(t, e)
	require.NoError(t, e.Open(t.Context(), c, at))
	got, err := e.Plaintext()
	require.NoError(t, err)
	require.Equal(t, v, got)
}

func TestFormsOfPlaintexts(t *testing.T) {
	c := newClient(t, nil)
	form(t, c, "Jo \xff", "Jo \xff")
	form(t, c, named("Jo"), "Jo")
	form(t, c, []byte{0, 0xff}, "\x00\xff")
	form(t, c, json.RawMessage(`{"a": 1}`), `{"a": 1}`)
	form(t, c, time.Date(1990, 2, 3, 4, 5, 6, 7, time.UTC), "1990-02-03T04:05:06.000000007Z")
	form(t, c, netip.MustParseAddr("192.0.2.1"), "192.0.2.1")
	form(t, c, money{5, "EUR"}, `{"Cents":5,"Currency":"EUR"}`)
	form(t, c, int64(-5), "-5")
	form(t, c, true, "true")
	form(t, c, []string{"a"}, `["a"]`)
	form(t, c, map[string]int{"a": 1}, `{"a":1}`)
	form(t, c, new(5), "5")
}

func TestPlaintextsOfAnotherType(t *testing.T) {
	c := newClient(t, nil)
	e := column.Of(secret)
	require.NoError(t, e.Seal(t.Context(), c, at))
	v, err := e.Value()
	require.NoError(t, err)
	var n column.Encrypted[int]
	require.NoError(t, n.Scan(v))
	err = n.Open(t.Context(), c, at)
	require.ErrorIs(t, err, column.ErrValue)
	require.NotContains(t, err.Error(), "jo")
	require.False(t, n.IsOpen())
	var when column.Encrypted[time.Time]
	require.NoError(t, when.Scan(v))
	err = when.Open(t.Context(), c, at)
	require.ErrorIs(t, err, column.ErrValue)
	require.NotContains(t, err.Error(), "jo")

	bad := column.Of(func() {})
	require.ErrorIs(t, bad.Seal(t.Context(), c, at), column.ErrValue)
}

func TestScanTakesCiphertextsOnly(t *testing.T) {
	c := newClient(t, nil)
	e := column.TextOf(secret)
	require.NoError(t, e.Seal(t.Context(), c, at))
	v, err := e.Value()
	require.NoError(t, err)
	require.IsType(t, "", v)
	for _, src := range []any{v, []byte(v.(string))} {
		var read column.Encrypted[string]
		require.NoError(t, read.Scan(src), "%T", src)
		require.NoError(t, read.Open(t.Context(), c, at))
	}
	memory := []byte(v.(string))
	var read column.EncryptedText[string]
	require.NoError(t, read.Scan(memory))
	clear(memory)
	require.NoError(t, read.Open(t.Context(), c, at), "the driver's memory is copied")

	for _, src := range []any{secret, []byte(secret), "", []byte{}} {
		var read column.Encrypted[string]
		require.NoError(t, read.Scan(src))
		require.False(t, read.IsOpen())
		require.False(t, read.IsNull())
		err := read.Open(t.Context(), c, at)
		require.ErrorIs(t, err, crypto.ErrText)
		require.NotContains(t, err.Error(), "jo")
		_, err = read.Plaintext()
		require.ErrorIs(t, err, column.ErrNotOpen)
		_, err = read.Value()
		require.ErrorIs(t, err, column.ErrNotSealed, "a plaintext is not written back")
		require.ErrorIs(t, read.Seal(t.Context(), c, at), crypto.ErrText)
	}
	for _, src := range []any{5, int64(5), 1.5, true, time.Now()} {
		require.ErrorIs(t, read.Scan(src), column.ErrType, "%T", src)
	}
	require.ErrorIs(t, read.Scan("pvt1.????"), crypto.ErrText)
	require.ErrorIs(t, read.Scan("pvt1.AA=="), crypto.ErrText)
	require.True(t, read.IsNull())
	require.NoError(t, read.Scan("pvt1."))
	require.ErrorIs(t, read.Open(t.Context(), c, at), crypto.ErrDecrypt)
}

func TestMigration(t *testing.T) {
	m := crypto.NewMigration(at.Field)
	c := newClient(t, m)
	var e column.EncryptedText[string]
	require.NoError(t, e.Scan(secret))
	require.NoError(t, e.Open(t.Context(), c, at))
	got, err := e.Plaintext()
	require.NoError(t, err)
	require.Equal(t, secret, got)
	require.EqualValues(t, 1, m.Reads(at.Field))
	_, err = e.Value()
	require.ErrorIs(t, err, column.ErrNotSealed)
	require.NoError(t, e.Seal(t.Context(), c, at))
	v, err := e.Value()
	require.NoError(t, err)
	require.NoError(t, e.Scan(v))
	require.NoError(t, e.Open(t.Context(), c, at))
	require.EqualValues(t, 1, m.Reads(at.Field), "ciphertexts are not counted")

	var row struct {
		ID    string                       `classify:"internal,subject"`
		Email column.Encrypted[string]     `classify:"confidential,encrypt=customer.email"`
		Born  column.Encrypted[netip.Addr] `classify:"confidential,encrypt=customer.ip"`
	}
	row.ID = "4711"
	require.NoError(t, row.Email.Scan(secret))
	require.NoError(t, c.Open(t.Context(), &row, crypto.Context{Tenant: "acme"}))
	require.True(t, row.Email.IsOpen())
	require.EqualValues(t, 2, m.Reads(at.Field))

	m.End()
	require.NoError(t, e.Scan(secret))
	require.ErrorIs(t, e.Open(t.Context(), c, at), crypto.ErrText)
	require.NoError(t, row.Email.Scan(secret))
	require.ErrorIs(t, c.Open(t.Context(), &row, crypto.Context{Tenant: "acme"}), crypto.ErrText)
}

// A page is one batch; what cannot be opened does not keep the rest closed.
func TestOpenAll(t *testing.T) {
	c := newClient(t, nil)
	page := make([]column.Encrypted[string], 5)
	numbers := make([]column.EncryptedText[int], 5)
	var items []column.Item
	for i := range page {
		page[i].Set(fmt.Sprint(i))
		numbers[i].Set(i)
		subject := crypto.Context{Tenant: "acme", Subject: fmt.Sprint(i), Field: "f"}
		items = append(items, column.Item{Column: &page[i], At: subject}, column.Item{Column: &numbers[i], At: subject})
	}
	items[4].At.Tenant = ""
	err := column.SealAll(t.Context(), c, items)
	var item *column.ItemError
	require.ErrorAs(t, err, &item)
	require.Equal(t, 4, item.Index)
	require.ErrorIs(t, err, crypto.ErrContext)
	require.False(t, page[2].IsSealed())
	items[4].At.Tenant = "acme"
	require.NoError(t, column.SealAll(t.Context(), c, items))

	for i := range page {
		page[i] = through(t, page[i])
	}
	items[2].At.Subject = "0"
	err = column.OpenAll(t.Context(), c, items)
	require.ErrorIs(t, err, crypto.ErrDecrypt)
	require.ErrorAs(t, err, &item)
	require.Equal(t, 2, item.Index)
	for i := range page {
		require.Equal(t, i != 1, page[i].IsOpen(), i)
	}
	require.NoError(t, column.OpenAll(t.Context(), c, nil))
}

type customer struct {
	ID    int64                      `classify:"internal,subject"`
	Email column.Encrypted[string]   `classify:"confidential,type=email,encrypt=customer.email"`
	Card  *column.EncryptedText[int] `classify:"restricted,encrypt=customer.card"`
	Tags  []column.Encrypted[string] `classify:"confidential,encrypt=customer.tags"`
	Name  string                     `classify:"confidential,encrypt=customer.name"`
	Other column.Encrypted[string]   `classify:"confidential"`
}

func TestColumnsInStructs(t *testing.T) {
	c := newClient(t, nil)
	card := column.TextOf(42)
	v := customer{ID: 4711, Email: column.Of(secret), Card: &card, Tags: []column.Encrypted[string]{column.Of("a"), {}}, Name: "Jo"}
	base := crypto.Context{Tenant: "acme"}
	require.NoError(t, c.Seal(t.Context(), &v, base))
	require.True(t, v.Email.IsSealed() && v.Card.IsSealed() && v.Tags[0].IsSealed())
	require.True(t, v.Tags[1].IsNull())
	require.True(t, crypto.IsText(v.Name))
	stored := through(t, v.Email)
	require.NoError(t, stored.Open(t.Context(), c, at))

	v.Email = through(t, v.Email)
	require.NoError(t, c.Open(t.Context(), &v, base))
	got, err := v.Email.Plaintext()
	require.NoError(t, err)
	require.Equal(t, secret, got)
	require.Equal(t, "Jo", v.Name)

	// One column was changed; the others keep their ciphertexts.
	before, err := v.Email.Ciphertext()
	require.NoError(t, err)
	v.Card.Set(43)
	require.NoError(t, c.Seal(t.Context(), &v, base))
	after, err := v.Email.Ciphertext()
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.True(t, v.Card.IsSealed())

	// All or nothing, for a column that cannot be decoded too.
	var bad struct {
		ID    int64                    `classify:"internal,subject"`
		Email column.Encrypted[string] `classify:"confidential,encrypt=customer.email"`
		Card  column.Encrypted[string] `classify:"restricted,encrypt=customer.card"`
	}
	bad.ID, bad.Email = 4711, through(t, v.Email)
	require.NoError(t, bad.Card.Scan("no ciphertext"))
	require.ErrorIs(t, c.Open(t.Context(), &bad, base), crypto.ErrText)
	require.False(t, bad.Email.IsOpen())
	v.ID = 4712
	require.ErrorIs(t, c.Seal(t.Context(), &v, base), crypto.ErrSealed)

	var wrong struct {
		ID    int64                 `classify:"internal,subject"`
		Email column.Encrypted[int] `classify:"confidential,encrypt=customer.email"`
	}
	wrong.ID = 4711
	ciphertext, err := bad.Email.Value()
	require.NoError(t, err)
	require.NoError(t, wrong.Email.Scan(ciphertext))
	require.ErrorIs(t, c.Open(t.Context(), &wrong, base), column.ErrValue)
	require.False(t, wrong.Email.IsOpen())
}

type embedding struct {
	column.Encrypted[string]
	Name string `classify:"confidential,encrypt=customer.name"`
}

// A struct that embeds a column has its methods, and is not one.
func TestEmbeddedColumnsHideNothing(t *testing.T) {
	c := newClient(t, nil)
	v := struct{ E embedding }{embedding{column.Of("x"), "Jo"}}
	require.NoError(t, c.Seal(t.Context(), &v, crypto.Context{Tenant: "acme"}))
	require.True(t, crypto.IsText(v.E.Name))
}

func TestNothingIsShown(t *testing.T) {
	c := newClient(t, nil)
	fresh := column.Of(secret)
	sealed := column.Of(secret)
	require.NoError(t, sealed.Seal(t.Context(), c, at))
	var foreign column.Encrypted[string]
	require.NoError(t, foreign.Scan(secret))
	type wrapper struct{ hidden column.Encrypted[string] }
	for name, e := range map[string]column.Encrypted[string]{"fresh": fresh, "sealed": sealed, "foreign": foreign} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10v"} {
			require.Equal(t, "[encrypted]", fmt.Sprintf(verb, e), "%s %s", name, verb)
			require.Equal(t, "[encrypted]", fmt.Sprintf(verb, &e), "%s %s", name, verb)
			if name != "foreign" {
				w := wrapper{e}
				require.NotContains(t, fmt.Sprintf(verb, w), secret, "%s %s", name, verb)
				require.NotContains(t, fmt.Sprintf(verb, &w), secret, "%s %s", name, verb)
			}
		}
		require.Equal(t, "[encrypted]", e.String())
		require.Equal(t, "[encrypted]", e.GoString())
		for _, handler := range []func(*strings.Builder) slog.Handler{
			func(b *strings.Builder) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *strings.Builder) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var log strings.Builder
			slog.New(handler(&log)).Info("x", "e", e, "p", &e, "group", struct{ E column.Encrypted[string] }{e})
			require.Contains(t, log.String(), "[encrypted]")
			require.NotContains(t, log.String(), secret)
		}
		text, err := json.Marshal(struct{ E column.Encrypted[string] }{e})
		if name == "sealed" {
			require.NoError(t, err)
			require.Contains(t, string(text), `{"E":"pvt1.`)
			var back struct{ E column.EncryptedText[string] }
			require.NoError(t, json.Unmarshal(text, &back))
			require.NoError(t, back.E.Open(t.Context(), c, at))
			continue
		}
		require.ErrorIs(t, err, column.ErrNotSealed)
		require.NotContains(t, err.Error(), secret)
		_, err = e.MarshalText()
		require.ErrorIs(t, err, column.ErrNotSealed)
	}
	plan, err := classify.For[customer]()
	require.NoError(t, err)
	require.Equal(t, classify.Restricted, plan.Level)
}

func TestUnmarshalJSON(t *testing.T) {
	var e column.Encrypted[string]
	require.NoError(t, json.Unmarshal([]byte(`null`), &e))
	require.True(t, e.IsNull())
	text, err := json.Marshal(e)
	require.NoError(t, err)
	require.Equal(t, "null", string(text))
	for _, text := range []string{`"jo@example.com"`, `{}`, `5`, `["x"]`, `"pvt1.?"`, `""`} {
		err := json.Unmarshal([]byte(text), &e)
		require.ErrorIs(t, err, crypto.ErrText, text)
		require.NotContains(t, err.Error(), "jo@")
	}
}

func FuzzScan(f *testing.F) {
	c := newClient(f, nil)
	e := column.Of(secret)
	require.NoError(f, e.Seal(f.Context(), c, at))
	good, err := e.Ciphertext()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(crypto.EncodeText(good)))
	f.Add([]byte(secret))
	f.Fuzz(func(t *testing.T, src []byte) {
		var raw column.Encrypted[string]
		var text column.EncryptedText[string]
		errRaw, errText := raw.Scan(src), text.Scan(string(src))
		require.Equal(t, errRaw == nil, errText == nil)
		if errRaw != nil {
			require.ErrorIs(t, errRaw, crypto.ErrText)
			return
		}
		require.Equal(t, raw.IsSealed(), text.IsSealed())
		require.False(t, raw.IsOpen())
		v, err := raw.Value()
		if !raw.IsSealed() {
			require.ErrorIs(t, err, column.ErrNotSealed)
			return
		}
		require.NoError(t, err)
		if !crypto.IsText(string(src)) {
			require.Equal(t, driver.Value(src), v)
		}
	})
}
