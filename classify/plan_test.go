package classify

import (
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type base struct {
	ID      int64  `db:"id" json:"id" classify:"internal,subject"`
	Secret  string `classify:"restricted"`
	private string //lint:ignore U1000 what is not exported counts too
}

type address struct {
	Street string `classify:"confidential,type=street_address"`
	City   string `json:"-" classify:"internal,type=city"`
}

type customer struct {
	base
	*audit
	Org       string             `db:"org_id,omitempty" classify:"internal,tenant"`
	Addresses []*address         `json:"addresses,omitempty"`
	ByName    map[string]address ``
	Parent    *customer
	Extra     any
	Age       int
	Since     time.Time
}

type audit struct {
	By string `classify:"internal"`
}

func TestPlanOfStruct(t *testing.T) {
	p, err := For[customer]()
	require.NoError(t, err)
	var names []string
	for _, f := range p.Fields {
		names = append(names, fmt.Sprint(f.Name, f.Index))
	}
	require.Equal(t, []string{
		"base.ID[0 0]", "base.Secret[0 1]", "base.private[0 2]", "audit.By[1 0]", "Org[2]", "Addresses[3]",
		"ByName[4]", "Parent[5]", "Extra[6]", "Age[7]", "Since[8]",
	}, names)
	require.Equal(t, "base.ID", p.Subject.Name)
	require.Equal(t, "Org", p.Tenant.Name)

	id := p.Field("base.ID")
	require.Equal(t, "id", id.DB)
	require.Equal(t, "id", id.JSON)
	require.Equal(t, Internal, id.Level)
	require.True(t, id.Exported)
	v := reflect.ValueOf(customer{base: base{ID: 7}})
	got, err := v.FieldByIndexErr(id.Index)
	require.NoError(t, err)
	require.EqualValues(t, 7, got.Int())

	private := p.Field("base.private")
	require.False(t, private.Exported)
	require.Empty(t, private.JSON)
	require.Equal(t, Unclassified, private.Level)
	require.Equal(t, Restricted, private.Effective(), "%%+v prints it")

	require.Equal(t, "org_id", p.Field("Org").DB)
	require.Equal(t, "addresses", p.Field("Addresses").JSON)
	require.Equal(t, Public, p.Field("Age").Effective())
	require.Equal(t, Public, p.Field("Since").Effective())
	require.Equal(t, Restricted, p.Field("Extra").Effective())
	require.True(t, p.Field("Extra").Plan.Dynamic)
	require.Same(t, p, p.Field("Parent").Plan.Elem, "recursive types close the circle")

	addresses := p.Field("Addresses").Plan
	require.Equal(t, Confidential, addresses.Level)
	require.Equal(t, reflect.TypeFor[address](), addresses.Elem.Elem.Type)
	require.Empty(t, addresses.Elem.Elem.Field("City").JSON)
	require.Equal(t, Restricted, p.Field("ByName").Plan.Level, "the keys of a map can leak")
	require.Equal(t, Restricted, p.Field("ByName").Plan.Key.Level)
	require.Nil(t, p.Field("nothing"))
}

type numbers struct {
	A int
	B *[]float64
	C map[uint8]time.Duration
	D [4]bool
	E complex128
	F time.Time
	G *numbers
	H struct{ X, Y int }
	I sync.Mutex
	J atomic.Int64
	K *big.Rat
	L func(string) error
	M chan string
}

type list[T any] struct {
	Value T
	Next  *list[T]
}

type selfEmbedding struct {
	*selfEmbedding //lint:ignore U1000 the plan is what is tested
	N              int
}

type (
	ping struct {
		*pong
		A string `classify:"internal"`
	}
	pong struct {
		*ping
		B string `classify:"confidential"`
	}
)

// hidden tells through a method what reflection cannot see.
type hidden struct{ reveal func() string }

func (h hidden) String() string { return h.reveal() }

type named string

func TestPlanLevels(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  Level
	}{
		{numbers{}, Public},
		{&numbers{}, Public},
		{[]numbers(nil), Public},
		{list[int]{}, Public},
		{list[*list[int]]{}, Public},
		{list[string]{}, Restricted},
		{list[list[any]]{}, Restricted},
		{list[address]{}, Confidential},
		{selfEmbedding{}, Public},
		{ping{}, Confidential},
		{pong{}, Confidential},
		{[]address{}, Confidential},
		{map[int]address{}, Confidential},
		{map[address]int{}, Confidential},
		{struct{ A []byte }{}, Restricted},
		{struct {
			A []byte `classify:"public"`
		}{}, Public},
		{struct {
			A int `classify:"restricted,type=salary"`
		}{}, Restricted},
		{struct {
			A any `classify:"internal"`
		}{}, Internal},
		{[16]byte{}, Restricted},
		{named(""), Restricted},
		{net.IP{}, Restricted},
		{netip.Addr{}, Restricted},
		{hidden{}, Restricted},
		{struct{ H hidden }{}, Restricted},
		{struct{ R io.Reader }{}, Restricted},
		{reflect.Value{}, Restricted},
		{struct{}{}, Public},
		{1, Public},
	} {
		p, err := PlanOf(reflect.TypeOf(tt.value))
		require.NoError(t, err, "%T", tt.value)
		require.Equal(t, tt.want, p.Level, "%T", tt.value)
		require.Equal(t, tt.want > Public, p.Sensitive())
	}
	_, err := PlanOf(nil)
	require.Error(t, err)
}

// The fields of types that embed each other do not depend on which of them was
// asked for first.
func TestPlanMutualEmbedding(t *testing.T) {
	a, err := For[ping]()
	require.NoError(t, err)
	b, err := For[pong]()
	require.NoError(t, err)
	names := func(p *Plan) (s []string) {
		for _, f := range p.Fields {
			s = append(s, f.Name)
		}
		return s
	}
	require.Equal(t, []string{"pong.ping", "pong.B", "A"}, names(a))
	require.Equal(t, []string{"ping.pong", "ping.A", "B"}, names(b))
}

type (
	badLevel struct {
		Email string `classify:"confidental,type=email"`
	}
	badKey struct {
		Email string `clasify:"confidential"`
	}
	badBlank struct {
		_ string `classify:"public"`
	}
	badPrivate struct {
		email string `classify:"confidential,encrypt=customer.email"` //lint:ignore U1000 the plan is what is tested
	}
	badPrivateSubject struct {
		id string `classify:"internal,subject"` //lint:ignore U1000 the plan is what is tested
	}
	badSubject struct {
		ID float64 `classify:"internal,subject"`
	}
	badSubjects struct {
		base
		Other string `classify:"internal,subject"`
	}
	badTenants struct {
		A string `classify:"internal,tenant"`
		B string `classify:"internal,tenant"`
	}
	badWithin struct {
		Home *address `classify:"internal"`
	}
	badEmbedding struct{ badLevel }
	badTwo       struct {
		A string `classify:"x"`
		B []badLevel
	}
	fineNeighbour struct {
		Other *badCycle `classify:"restricted"`
	}
	badCycle struct {
		Back *fineNeighbour
		Bad  string `classify:"oops"`
	}
	foreignKey struct {
		Email string `classified:"yes" class:"x" json:"email"`
	}
)

func TestPlanErrors(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  []string
	}{
		{badLevel{}, []string{`classify: classify.badLevel.Email: tag "confidental,type=email" has an unknown level "confidental", did you mean "confidential"?`}},
		{badKey{}, []string{`classify.badKey.Email: struct tag has the key "clasify", did you mean "classify"?`}},
		{badBlank{}, []string{"classify.badBlank._: is blank"}},
		{badPrivate{}, []string{"classify.badPrivate.email: is not exported"}},
		{badPrivateSubject{}, []string{"is not exported"}},
		{badSubject{}, []string{"classify.badSubject.ID: is a float64"}},
		{badSubjects{}, []string{"classify.badSubjects.Other: is tagged subject, and so is base.ID"}},
		{badTenants{}, []string{"classify.badTenants.B: is tagged tenant, and so is A"}},
		{badWithin{}, []string{"classify.badWithin.Home: is tagged internal and holds fields tagged confidential"}},
		{badEmbedding{}, []string{"classify.badLevel.Email"}},
		{badTwo{}, []string{"classify.badTwo.A", "classify.badLevel.Email"}},
		{[]map[string]*badLevel{}, []string{"classify.badLevel.Email"}},
		{fineNeighbour{}, []string{"classify.badCycle.Bad"}},
		{badCycle{}, []string{"classify.badCycle.Bad"}},
	} {
		for range 2 { // compiled, then looked up
			p, err := PlanOf(reflect.TypeOf(tt.value))
			require.Nil(t, p, "%T", tt.value)
			var tagErr *TagError
			require.ErrorAs(t, err, &tagErr, "%T", tt.value)
			require.Equal(t, len(tt.want), 1+strings.Count(err.Error(), "\n"), "each tag once: %v", err)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		}
	}
	_, err := For[foreignKey]()
	require.NoError(t, err, "keys that are words of their own belong to others")
}

// Struct tags that reflection would not find, or would read by half.
func TestLookupTag(t *testing.T) {
	for _, tt := range []struct{ tag, want, err string }{
		{`classify:"internal"`, "internal", ""},
		{`json:"a"  classify:"internal,mask=constant(\"x\")" db:"b"`, `internal,mask=constant("x")`, ""},
		{`json:"a"`, "", ""},
		{`json: "somebody else's trouble"`, "", ""},
		{``, "", ""},
		{`classify: "confidential"`, "", "malformed"},
		{`classify:confidential`, "", "malformed"},
		{`classify`, "", "malformed"},
		{`db:"email' classify:"confidential"`, "", "malformed"},
		{`json:"a",classify:"internal"`, "", "malformed"},
		{`classify:"internal`, "", "malformed"},
		{`classify:"internal" classify:"internal"`, "", "twice"},
		{`Classify:"internal"`, "", "did you mean \"classify\"?"},
		{`clasify:"internal"`, "", "did you mean \"classify\"?"},
	} {
		got, _, err := lookupTag(reflect.StructTag(tt.tag))
		if tt.err != "" {
			require.ErrorContains(t, err, tt.err, "%s", tt.tag)
			continue
		}
		require.NoError(t, err, "%s", tt.tag)
		require.Equal(t, tt.want, got, "%s", tt.tag)
	}
}

func TestPlanOfConcurrently(t *testing.T) {
	type inner struct{ S string }
	type outer struct {
		A []inner
		B map[string]*outer
	}
	got := make([]*Plan, 16)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			p, err := For[outer]()
			if err == nil {
				got[i] = p
			}
		})
	}
	wg.Wait()
	for _, p := range got {
		require.NotNil(t, p)
		require.Same(t, got[0], p, "a type is compiled once")
	}
	p, err := For[inner]()
	require.NoError(t, err)
	require.Same(t, got[0].Field("A").Plan.Elem, p)
}

func TestPlanOfAllocatesNothing(t *testing.T) {
	typ := reflect.TypeFor[customer]()
	_, err := PlanOf(typ)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(1000, func() { _, _ = PlanOf(typ) }))
}

func BenchmarkPlanOf(b *testing.B) {
	typ := reflect.TypeFor[customer]()
	if _, err := PlanOf(typ); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = PlanOf(typ)
	}
}

// BenchmarkMapLoad is the limit of BenchmarkPlanOf: the bare lookup of a type.
func BenchmarkMapLoad(b *testing.B) {
	typ := reflect.TypeFor[customer]()
	var m sync.Map
	m.Store(typ, &planned{})
	b.ReportAllocs()
	for b.Loop() {
		_, _ = m.Load(typ)
	}
}

// BenchmarkCompile is what the first call costs, without the lookup of what is
// compiled already.
func BenchmarkCompile(b *testing.B) {
	typ := reflect.TypeFor[customer]()
	b.ReportAllocs()
	for b.Loop() {
		plans.Clear()
		if _, err := PlanOf(typ); err != nil {
			b.Fatal(err)
		}
	}
}
