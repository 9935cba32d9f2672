package mask_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
)

// keys stands for a *crypto.Client.
type keys struct{}

func (keys) Subkey(_ context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte("an example's secret"), nil, fmt.Sprintf("%q %q %q", tenant, domain, purpose), n)
}

func Example() {
	ctx := context.Background()
	env := mask.Env{Keys: keys{}, Tenant: "acme"}

	spec, err := mask.ParseSpec("partial(keep_last=4)")
	if err != nil {
		panic(err)
	}
	rule, err := spec.Compile(ctx, mask.Column{Table: "customer", Name: "iban", SQLType: "text"}, env)
	if err != nil {
		panic(err)
	}
	m := rule.NewMasker() // one for each goroutine
	out, _, err := m.Append(nil, []byte("DE89370400440532013000"), mask.Row{})
	fmt.Println(string(out), err)
	// Output: ******************3000 <nil>
}

func ExampleParseSpec() {
	_, err := mask.ParseSpec("fpe(keep_lsat=4)")
	var parse *mask.ParseError
	if errors.As(err, &parse) {
		fmt.Println(parse.Offset, parse.Msg)
	}
	// Output: 4 unknown parameter "keep_lsat" of rule fpe, did you mean "keep_last"?
}

func ExampleSpec_Compile_refused() {
	spec, _ := mask.ParseSpec("last_name")
	_, err := spec.Compile(context.Background(), mask.Column{Table: "customer", Name: "login", SQLType: "text", Unique: true},
		mask.Env{Keys: keys{}, Tenant: "acme"})
	fmt.Println(err)
	fmt.Println("hint:", fault.HintOf(err))
	// Output:
	// customer.login: the column is unique and rule last_name is not injective: two values may draw the same words
	// hint: use email or username, hash, or fpe
}

func ExampleCompileJSON() {
	constant, _ := mask.ParseSpec("constant(redacted)")
	rule, err := mask.CompileJSON(context.Background(), mask.Column{Table: "customer", Name: "profile", SQLType: "jsonb"},
		mask.Env{Keys: keys{}, Tenant: "acme"}, []mask.JSONPath{
			{Path: "/nick", Rule: constant},
			{Path: "/langs/*", Keep: true},
		})
	if err != nil {
		panic(err)
	}
	m := rule.NewMasker()
	out, _, _ := m.Append(nil, []byte(`{"nick": "Annie", "langs": ["de", "en"]}`), mask.Row{})
	fmt.Println(string(out))
	_, _, err = m.Append(nil, []byte(`{"nick": "Annie", "shoe_size": 38}`), mask.Row{})
	fmt.Println(err)
	// Output:
	// {"nick": "redacted", "langs": ["de", "en"]}
	// customer.profile: a document has a value at /* that the policy does not decide
}
