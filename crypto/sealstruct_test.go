package crypto_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/internal/fault"
)

type Address struct {
	Street string `classify:"confidential,type=street_address,encrypt=address.street"`
	City   string `classify:"internal"`
}

type base struct {
	Org string `classify:"internal,tenant"`
}

// A person has everything that can be sealed.
type person struct {
	base
	ID      int64             `classify:"internal,subject"`
	Name    string            `classify:"confidential,type=person_name,encrypt=person.name"`
	Scan    []byte            `classify:"restricted,type=passport,encrypt=person.scan"`
	Phone   *string           `classify:"confidential,type=phone,encrypt=person.phone"`
	Notes   []string          `classify:"confidential,type=free_text,encrypt=person.notes"`
	Answers map[string]string `classify:"confidential,type=free_text,encrypt=person.answers"`
	Keys    [2]*[]byte        `classify:"restricted,type=secret,encrypt=person.keys"`
	Home    Address
	Work    *Address
	Others  []Address
	ByKind  map[string]Address
	ByRef   map[int]*Address
	Any     any
	Lang    string `classify:"public"`
	Born    time.Time
}

func newPerson(id int64) *person {
	phone, key := "+49 30 901820", []byte{0xff, 0}
	return &person{
		base: base{Org: "acme"}, ID: id,
		Name: "Jo Doe", Scan: []byte("a passport"), Phone: &phone,
		Notes: []string{"one", "", "three"}, Answers: map[string]string{"pet": "Rex", "none": ""}, Keys: [2]*[]byte{nil, &key},
		Home: Address{Street: "Main St 1", City: "Berlin"}, Work: &Address{Street: "Side St 2"},
		Others: []Address{{Street: "Third St 3"}}, ByKind: map[string]Address{"summer": {Street: "Beach 4", City: "Kiel"}},
		ByRef: map[int]*Address{7: {Street: "Hill 5"}}, Any: Address{Street: "Dale 6"}, Lang: "de", Born: time.Unix(1, 0).UTC(),
	}
}

func TestSealAndOpenStruct(t *testing.T) {
	c := newClient(t)
	p := newPerson(4711)
	phone := p.Phone
	require.NoError(t, c.Seal(t.Context(), p, crypto.Context{}))

	require.Equal(t, "+49 30 901820", *phone, "what a pointer pointed to is not changed")
	require.Equal(t, "de", p.Lang)
	require.Equal(t, "Berlin", p.Home.City)
	require.Empty(t, p.Notes[1])
	require.Empty(t, p.Answers["none"])
	require.Nil(t, p.Keys[0])
	for field, text := range map[string]string{
		"person.name": p.Name, "person.phone": *p.Phone, "person.notes": p.Notes[2], "person.answers": p.Answers["pet"],
		"address.street": p.Home.Street, "address.street ": p.Work.Street, "address.street  ": p.Others[0].Street,
		"address.street   ": p.ByKind["summer"].Street, "address.street    ": p.ByRef[7].Street, "address.street     ": p.Any.(Address).Street,
	} {
		ciphertext, err := crypto.DecodeText(text)
		require.NoError(t, err, field)
		_, err = c.Decrypt(t.Context(), ciphertext, crypto.Context{Tenant: "acme", Subject: "4711", Field: strings.TrimSpace(field)})
		require.NoError(t, err, field)
	}
	got, err := c.Decrypt(t.Context(), p.Scan, crypto.Context{Tenant: "acme", Subject: "4711", Field: "person.scan"})
	require.NoError(t, err)
	require.Equal(t, "a passport", string(got))
	got, err = c.Decrypt(t.Context(), *p.Keys[1], crypto.Context{Tenant: "acme", Subject: "4711", Field: "person.keys"})
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0}, got)

	require.NoError(t, c.Open(t.Context(), p, crypto.Context{}))
	require.Equal(t, newPerson(4711), p)
}

// A page of rows is one batch: the keystore is read once for all its subjects.
func TestPageOfStructsIsOneBatch(t *testing.T) {
	w := newWorld(t)
	var rows []*person
	for id := range int64(20) {
		rows = append(rows, newPerson(id+1))
	}
	require.NoError(t, w.client(t).Seal(t.Context(), rows, crypto.Context{}))

	c := w.client(t)
	warm := crypto.Context{Tenant: "acme", Subject: "21", Field: "f"}
	_, err := c.Encrypt(t.Context(), nil, warm)
	require.NoError(t, err)
	before := w.store.gets.Load()
	require.NoError(t, c.Open(t.Context(), rows, crypto.Context{}))
	require.EqualValues(t, 1, w.store.gets.Load()-before)
	for i, row := range rows {
		require.Equal(t, newPerson(int64(i)+1), row)
	}
}

func TestSealTwiceIsAnError(t *testing.T) {
	c := newClient(t)
	p := newPerson(4711)
	require.NoError(t, c.Seal(t.Context(), p, crypto.Context{}))
	before := clone(t, p)
	err := c.Seal(t.Context(), p, crypto.Context{})
	require.ErrorIs(t, err, crypto.ErrSealed)
	require.Equal(t, before, clone(t, p))

	// Bytes count as sealed where they open, not where they only look like it.
	q := &person{base: base{"acme"}, ID: 1, Scan: append([]byte{1}, make([]byte, 60)...)}
	require.NoError(t, c.Seal(t.Context(), q, crypto.Context{}))
	err = c.Seal(t.Context(), q, crypto.Context{})
	require.ErrorIs(t, err, crypto.ErrSealed)
	fe := asFieldError(t, err)
	require.Equal(t, "Scan", fe.Path)
	require.Equal(t, "person.scan", fe.Field)

	// What is open already is not opened.
	r := newPerson(1)
	require.ErrorIs(t, c.Open(t.Context(), r, crypto.Context{}), crypto.ErrText)
	require.Equal(t, newPerson(1), r)
}

func asFieldError(t *testing.T, err error) *crypto.FieldError {
	t.Helper()
	var fe *crypto.FieldError
	require.ErrorAs(t, err, &fe)
	return fe
}

func clone(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestStructsAreAllOrNothing(t *testing.T) {
	c := newClient(t)
	rows := []person{*newPerson(1), *newPerson(2), *newPerson(3)}
	require.NoError(t, c.Seal(t.Context(), rows, crypto.Context{}))
	rows[1].ByKind["summer"] = Address{Street: rows[0].Home.Street} // another subject's
	rows[2].Notes[2] = rows[2].Notes[0][:20]
	before := clone(t, rows)
	err := c.Open(t.Context(), rows, crypto.Context{})
	require.ErrorIs(t, err, crypto.ErrDecrypt)
	require.Equal(t, before, clone(t, rows))
	require.Contains(t, err.Error(), "[1].ByKind[…].Street")
	require.Contains(t, err.Error(), "[2].Notes[2]")
	require.NotContains(t, err.Error(), "summer", "keys of maps may be personal data")
	require.Equal(t, fault.Data, fault.KindOf(err))

	rows = []person{*newPerson(1), *newPerson(2)}
	rows[1].Answers["pet"] = "pvt1.looks like a ciphertext"
	before = clone(t, rows)
	require.ErrorIs(t, c.Seal(t.Context(), rows, crypto.Context{}), crypto.ErrSealed)
	require.Equal(t, before, clone(t, rows))
}

func TestWhoseValuesStructsHold(t *testing.T) {
	c := newClient(t)
	type line struct {
		Note string `classify:"confidential,encrypt=line.note"`
	}
	type recipient struct {
		ID   string `classify:"internal,subject"`
		Name string `classify:"confidential,encrypt=recipient.name"`
	}
	type order struct {
		Customer uint16 `classify:"internal,subject"`
		Lines    []line
		To       recipient
		CC       *recipient
	}
	o := order{Customer: 7, Lines: []line{{"fragile"}}, To: recipient{"r1", "Ann"}}
	require.NoError(t, c.Seal(t.Context(), &o, crypto.Context{Tenant: "acme", Subject: "nobody"}))
	for text, at := range map[string]crypto.Context{
		o.Lines[0].Note: {Tenant: "acme", Subject: "7", Field: "line.note"},
		o.To.Name:       {Tenant: "acme", Subject: "r1", Field: "recipient.name"},
	} {
		ciphertext, err := crypto.DecodeText(text)
		require.NoError(t, err)
		_, err = c.Decrypt(t.Context(), ciphertext, at)
		require.NoError(t, err, "%+v", at)
	}

	// An empty subject is an error where there is a value, and only there.
	o = order{Lines: []line{{"fragile"}}}
	err := c.Seal(t.Context(), &o, crypto.Context{Tenant: "acme", Subject: "7"})
	require.ErrorIs(t, err, crypto.ErrContext)
	require.Contains(t, err.Error(), "Customer is empty")
	o = order{Customer: 7, Lines: []line{{"fragile"}}}
	require.NoError(t, c.Seal(t.Context(), &o, crypto.Context{Tenant: "acme"}), "the recipient has no id and no name")
	o = order{To: recipient{"r1", "Ann"}}
	require.NoError(t, c.Seal(t.Context(), &o, crypto.Context{Tenant: "acme"}), "the recipient has an id of its own")

	require.ErrorIs(t, c.Seal(t.Context(), &order{Customer: 7, Lines: []line{{"x"}}}, crypto.Context{}), crypto.ErrContext, "no tenant")
	require.ErrorIs(t, c.Seal(t.Context(), &o, crypto.Context{Tenant: "acme", Field: "f"}), crypto.ErrContext, "a field")
	p := newPerson(1)
	require.ErrorIs(t, c.Seal(t.Context(), p, crypto.Context{Tenant: "globex"}), crypto.ErrContext, "two tenants")
	require.Equal(t, newPerson(1), p)
	p.Org = ""
	require.ErrorIs(t, c.Seal(t.Context(), p, crypto.Context{Tenant: "acme"}), crypto.ErrContext, "an empty tenant")

	// Without a subject, the tenant's own keys.
	l := line{"fragile"}
	require.NoError(t, c.Seal(t.Context(), &l, crypto.Context{Tenant: "acme"}))
	ciphertext, err := crypto.DecodeText(l.Note)
	require.NoError(t, err)
	_, err = c.Decrypt(t.Context(), ciphertext, crypto.Context{Tenant: "acme", Field: "line.note"})
	require.NoError(t, err)
}

type uuid [2]byte

func (u uuid) String() string { return fmt.Sprintf("%x-%x", u[0], u[1]) }

type failing struct{ N int }

func (failing) MarshalText() ([]byte, error) { return nil, fmt.Errorf("a secret text") }

func TestSubjectsHaveOneText(t *testing.T) {
	c := newClient(t)
	seal := func(v any) (string, error) {
		err := c.Seal(t.Context(), v, crypto.Context{Tenant: "acme"})
		return reflect.ValueOf(v).Elem().FieldByName("V").String(), err
	}
	for want, v := range map[string]any{
		"-5": &struct {
			ID int8   `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{-5, "x"},
		"a b": &struct {
			ID string `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{"a b", "x"},
		"ab-1": &struct {
			ID uuid   `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{uuid{0xab, 1}, "x"},
		"ab-2": &struct {
			ID *uuid  `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{&uuid{0xab, 2}, "x"},
		"ab01": &struct {
			ID []byte `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{[]byte{0xab, 1}, "x"},
		"ab02": &struct {
			ID [2]byte `classify:"internal,subject"`
			V  string  `classify:"restricted,encrypt=v"`
		}{[2]byte{0xab, 2}, "x"},
	} {
		text, err := seal(v)
		require.NoError(t, err, want)
		ciphertext, err := crypto.DecodeText(text)
		require.NoError(t, err)
		_, err = c.Decrypt(t.Context(), ciphertext, crypto.Context{Tenant: "acme", Subject: want, Field: "v"})
		require.NoError(t, err, want)
	}
	for name, v := range map[string]any{
		"nil": &struct {
			ID *uuid  `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{nil, "x"},
		"zero": &struct {
			ID uuid   `classify:"internal,subject"`
			V  string `classify:"restricted,encrypt=v"`
		}{V: "x"},
		"failing": &struct {
			ID failing `classify:"internal,subject"`
			V  string  `classify:"restricted,encrypt=v"`
		}{failing{1}, "x"},
	} {
		text, err := seal(v)
		require.ErrorIs(t, err, crypto.ErrContext, name)
		require.NotContains(t, err.Error(), "secret")
		require.Equal(t, "x", text)
	}
}

type node struct {
	Text string `classify:"confidential,encrypt=node.text"`
	Next *node
}

type hidden struct {
	V    string `classify:"confidential,encrypt=v"`
	next *hidden
}

type looped []looped

func TestTypesThatCannotBeSealed(t *testing.T) {
	c := newClient(t)
	for name, v := range map[string]any{
		"nil":         nil,
		"by value":    node{},
		"no fields":   &struct{ Name string }{},
		"not structs": []string{"a"},
		"a number": &struct {
			N int `classify:"restricted,encrypt=n"`
		}{},
		"an array of bytes": &struct {
			B [16]byte `classify:"restricted,encrypt=b"`
		}{},
		"a struct": &struct {
			N struct{ S string } `classify:"restricted,encrypt=n"`
		}{},
		"an interface": &struct {
			N any `classify:"restricted,encrypt=n"`
		}{},
		"a slice of itself": &struct {
			N looped `classify:"restricted,encrypt=n"`
		}{},
		"not exported": &hidden{},
		"keys of maps": &struct{ M map[node]string }{},
	} {
		for verb, do := range map[string]func(context.Context, any, crypto.Context) error{"seal": c.Seal, "open": c.Open} {
			err := do(t.Context(), v, crypto.Context{Tenant: "acme"})
			require.ErrorIs(t, err, crypto.ErrStruct, "%s %s", verb, name)
			require.Equal(t, fault.Config, fault.KindOf(err))
		}
	}
	_ = hidden{}.next
	var wrong *classify.TagError
	require.ErrorAs(t, c.Seal(t.Context(), &struct {
		V string `classify:"secret,encrypt=v"`
	}{"x"}, crypto.Context{Tenant: "acme"}), &wrong)

	// Nothing to do is no error where the type is right.
	require.NoError(t, c.Seal(t.Context(), (*node)(nil), crypto.Context{}))
	require.NoError(t, c.Seal(t.Context(), []node{}, crypto.Context{}))
	require.NoError(t, c.Seal(t.Context(), &person{}, crypto.Context{}))
}

func TestStructsReachedTwiceAreSealedOnce(t *testing.T) {
	c := newClient(t)
	n := &node{Text: "a"}
	n.Next = &node{Text: "b", Next: n}
	nodes := []any{n, n.Next, map[string]*node{"x": n}}
	require.NoError(t, c.Seal(t.Context(), nodes, crypto.Context{Tenant: "acme"}))
	require.NoError(t, c.Open(t.Context(), n, crypto.Context{Tenant: "acme"}))
	require.Equal(t, "a", n.Text)
	require.Equal(t, "b", n.Next.Text)

	self := []any{n}
	self = append(self, self)
	self[1] = self
	require.NoError(t, c.Seal(t.Context(), self, crypto.Context{Tenant: "acme"}))
	require.NoError(t, c.Open(t.Context(), self, crypto.Context{Tenant: "acme"}))
	require.Equal(t, "a", n.Text)

	type owner struct {
		ID   int `classify:"internal,subject"`
		Node *node
	}
	err := c.Seal(t.Context(), []owner{{1, n}, {2, n}}, crypto.Context{Tenant: "acme"})
	require.ErrorIs(t, err, crypto.ErrContext)
	require.Equal(t, "a", n.Text)

	// Who says whose it is may be shared.
	type order struct {
		ID  int `classify:"internal,subject"`
		For *person
	}
	p := newPerson(7)
	orders := []order{{1, p}, {2, p}}
	require.NoError(t, c.Seal(t.Context(), orders, crypto.Context{}))
	require.NoError(t, c.Open(t.Context(), p, crypto.Context{}))
	require.Equal(t, newPerson(7), p)
}

// Two fields that share one slice get ciphertexts of their own.
func TestSharedMemoryIsNotSealedTwice(t *testing.T) {
	c := newClient(t)
	shared := []string{"x", "y"}
	v := struct {
		A []string `classify:"confidential,encrypt=a"`
		B []string `classify:"confidential,encrypt=b"`
	}{shared, shared[:1]}
	require.NoError(t, c.Seal(t.Context(), &v, crypto.Context{Tenant: "acme"}))
	require.Equal(t, []string{"x", "y"}, shared)
	require.NoError(t, c.Open(t.Context(), &v, crypto.Context{Tenant: "acme"}))
	require.Equal(t, []string{"x", "y"}, v.A)
	require.Equal(t, []string{"x"}, v.B)
}

func TestSealAndOpenAnyValues(t *testing.T) {
	c := newClient(t)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^p]*`)
		n := rapid.Ptr(text, true)
		v := person{base: base{"acme"}, ID: rapid.Int64Min(1).Draw(t, "id"),
			Name: text.Draw(t, "name"), Scan: rapid.SliceOf(rapid.Byte()).Draw(t, "scan"), Phone: n.Draw(t, "phone"),
			Notes: rapid.SliceOf(text).Draw(t, "notes"), Answers: rapid.MapOf(rapid.String(), text).Draw(t, "answers"),
			Home: Address{Street: text.Draw(t, "street")},
		}
		want := v
		require.NoError(t, c.Seal(context.Background(), &v, crypto.Context{}))
		if v.Name != "" {
			require.True(t, crypto.IsText(v.Name))
		}
		require.NoError(t, c.Open(context.Background(), &v, crypto.Context{}))
		require.Equal(t, want, v)
	})
}

func TestMigrationReadsPlaintextUntilItsEnd(t *testing.T) {
	w := newWorld(t)
	m := crypto.NewMigration("person.name", "person.scan")
	w.config.Migration = m
	c := w.client(t)
	old := func() *person { return &person{base: base{"acme"}, ID: 1, Name: "Jo", Scan: []byte("scan")} }
	p := old()
	require.NoError(t, c.Open(t.Context(), p, crypto.Context{}))
	require.Equal(t, old(), p)
	require.EqualValues(t, 1, m.Reads("person.name"))
	require.EqualValues(t, 1, m.Reads("person.scan"))
	require.Zero(t, m.Reads("person.phone"))

	require.NoError(t, c.Seal(t.Context(), p, crypto.Context{}))
	require.NoError(t, c.Open(t.Context(), p, crypto.Context{}), "ciphertexts among them")
	require.Equal(t, old(), p)
	require.EqualValues(t, 1, m.Reads("person.name"))

	p.Notes = []string{"not listed"}
	require.ErrorIs(t, c.Open(t.Context(), p, crypto.Context{}), crypto.ErrText)

	m.End("person.scan")
	p = &person{base: base{"acme"}, ID: 1, Name: "Jo"}
	require.NoError(t, c.Open(t.Context(), p, crypto.Context{}))
	require.ErrorIs(t, c.Open(t.Context(), old(), crypto.Context{}), crypto.ErrDecrypt)
	m.End()
	require.ErrorIs(t, c.Open(t.Context(), p, crypto.Context{}), crypto.ErrText)

	var none *crypto.Migration
	none.End()
	require.False(t, none.Admit("person.name"))
	require.Zero(t, none.Reads("person.name"))
}
