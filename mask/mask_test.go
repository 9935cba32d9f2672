package mask

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/stretchr/testify/require"
)

// testKeys derives subkeys as a key store does, from a fixed secret.
type testKeys struct{}

func (testKeys) Subkey(_ context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	h := hmac.New(sha256.New, []byte("test"))
	for _, s := range []string{tenant, domain, purpose} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	return h.Sum(nil)[:n], nil
}

var testEnv = Env{Keys: testKeys{}, Tenant: "acme"}

// column returns a column of a type for tests.
func column(sqlType string) Column {
	return Column{Table: "public.customer", Name: "field", SQLType: sqlType}
}

func spec(t testing.TB, rule string) Spec {
	s, err := ParseSpec(rule)
	require.NoError(t, err)
	return s
}

func compile(t testing.TB, rule string, col Column) *Rule {
	r, err := spec(t, rule).Compile(context.Background(), col, testEnv)
	require.NoError(t, err)
	return r
}

// apply masks one value with a masker of its own.
func apply(t testing.TB, r *Rule, value string, subject ...string) string {
	out, err := try(r, value, subject...)
	require.NoError(t, err)
	return out
}

func try(r *Rule, value string, subject ...string) (string, error) {
	row := Row{}
	if len(subject) > 0 {
		row.Subject = []byte(subject[0])
	}
	out, null, err := r.NewMasker().Append([]byte("<"), []byte(value), row)
	if err != nil {
		if string(out) != "<" {
			return "", errors.New("an error left something in dst")
		}
		return "", err
	}
	if null {
		return "NULL", nil
	}
	return string(out[1:]), nil
}

// refused compiles what must be refused and returns the error.
func refused(t testing.TB, rule string, col Column) error {
	_, err := spec(t, rule).Compile(context.Background(), col, testEnv)
	require.Error(t, err, "%s on %s", rule, col.SQLType)
	require.Equal(t, fault.Policy, fault.KindOf(err), "%v", err)
	require.ErrorContains(t, err, col.String())
	return err
}

// samples are rules with values they mask, for tests of what all rules promise.
var samples = []struct {
	rule, sqlType string
	values        []string
}{
	{"email", "text", []string{"ann.lee@mail.com", "", "nonsense", "ä@ö.de", " "}},
	{"username", "citext", []string{"annlee", "ANNLEE", "x"}},
	{"hash", "varchar", []string{"device-1", "device-2", "日本"}},
	{"hash(length=16)", "text", []string{"device-1"}},
	{"first_name", "text", []string{"Ann", "ANN", "ann", "Žofie", "ŽOFIE", "A"}},
	{"last_name", "bpchar", []string{"Lee   ", "LEE", "van der Berg"}},
	{"full_name", "text", []string{"Ann Lee", "LEE, ANN"}},
	{"company", "text", []string{"Montgomery & Sons"}},
	{"city", "text", []string{"Berlin", "NEW YORK CITY"}},
	{"street_address", "text", []string{"12 Rosewood Close"}},
	{"phone", "text", []string{"+49 30 901820", "004930901820", "(555) 123-4567", "ask Bob", "+1", "110", "+49 (0)30/9018-20 ext. 7"}},
	{"fpe", "text", []string{"1234567", "12-345-678 9", "98765432109876543210987654321098765432109876"}},
	{"fpe(alphabet=alnum, keep_first=2)", "text", []string{"DE44500105175407324931"}},
	{"fpe(keep_last=4, format=card)", "text", []string{"4111 1111 1111 1111", "378282246310005"}},
	{"fpe(format=card, luhn=valid)", "text", []string{"4111111111111111"}},
	{"fpe", "int8", []string{"1234567", "-1234567", "9223372036854775807", "2147483648"}},
	{"fpe", "int4", []string{"1234567", "-2147483647", "2147483647"}},
	{"fpe", "numeric", []string{"1234567", "-12345678.000"}},
	{"fpe(format=card)", "int8", []string{"4111111111111111"}},
	{"fpe(length=any)", "int4", []string{"0", "1", "-1", "2147483647", "-2147483648"}},
	{"fpe(length=any)", "int8", []string{"0", "1", "2147483648", "9223372036854775807", "-9223372036854775808"}},
	{"uuid", "uuid", []string{"0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f", "00000000-0000-0000-0000-000000000000"}},
	{"uuid", "text", []string{"F47AC10B-58CC-4372-A567-0E02B2C3D479"}},
	{"date_shift(days=30)", "date", []string{"2024-02-29", "0044-03-15 BC", "infinity", "-infinity", "12024-01-01"}},
	{"date_shift(days=3, by=subject)", "timestamptz", []string{"2024-02-29 12:13:14.15+00", "infinity"}},
	{"date_shift(days=400)", "timestamp", []string{"2024-02-29 12:13:14", "0001-01-01 00:00:00 BC"}},
	{"date_shift(days=400)", "text", []string{"2024-02-29", "2024-02-29T12:13:14Z"}},
	{"number_noise(percent=10)", "numeric", []string{"4250.00", "-0.01", "0", "999.99", "123456789012345678901234567890.5", "NaN", "1e10"}},
	{"number_noise(abs=2.5)", "int4", []string{"1", "0", "-1", "2147483647"}},
	{"number_noise(percent=100)", "float8", []string{"1.5", "-2e+300", "0", "Infinity"}},
	{"partial(keep_first=1, keep_last=2, char=#)", "text", []string{"DE893704", "abc", "äöü日本", ""}},
	{"redact_text", "text", []string{"mail ann.lee@mail.com or call +49 30 901820", "nothing"}},
	{"constant(x)", "text", []string{"a"}},
	{"null", "text", []string{"a"}},
}

func TestEveryRuleHasSamples(t *testing.T) {
	have := map[string]bool{}
	for _, s := range samples {
		have[spec(t, s.rule).Name()] = true
	}
	for _, name := range ruleNames() {
		require.True(t, have[name], "no sample of rule %s", name)
	}
}

// TestRulesAreFunctions: another masker, another rule compiled from the same
// text, a used masker: all give the same result.
func TestRulesAreFunctions(t *testing.T) {
	for _, s := range samples {
		first := compile(t, s.rule, column(s.sqlType))
		second := compile(t, spec(t, s.rule).String(), column(s.sqlType))
		require.Equal(t, first.Identity(), second.Identity())
		used := second.NewMasker()
		for range 2 {
			for _, v := range s.values {
				want := apply(t, first, v, "7")
				out, null, err := used.Append(nil, []byte(v), Row{Subject: []byte("7")})
				require.NoError(t, err)
				if null {
					out = []byte("NULL")
				}
				require.Equal(t, want, string(out), "%s of a %s", s.rule, s.sqlType)
			}
		}
	}
}

// TestResultsDependOnTenantAndDomain: results are unlinkable across either.
func TestResultsDependOnTenantAndDomain(t *testing.T) {
	for _, s := range samples {
		sp := spec(t, s.rule)
		if !sp.def.keyed {
			continue
		}
		outs := map[string]bool{}
		for _, c := range []struct{ tenant, domain string }{{"acme", ""}, {"umbrella", ""}, {"acme", "other"}} {
			r := sp
			if c.domain != "" {
				r = sp.with("domain", c.domain)
			}
			rule, err := r.Compile(context.Background(), column(s.sqlType), Env{testKeys{}, c.tenant})
			require.NoError(t, err)
			all := rule.Identity()
			for _, v := range s.values {
				all += "|" + apply(t, rule, v, "7")
			}
			require.False(t, outs[all])
			outs[all] = true
		}
		require.Len(t, outs, 3, s.rule)
	}
}

func TestKeyedRulesNeverRunWithoutKeys(t *testing.T) {
	for _, s := range samples {
		sp := spec(t, s.rule)
		for _, env := range []Env{{}, {Tenant: "acme"}, {Keys: testKeys{}}} {
			_, err := sp.Compile(context.Background(), column(s.sqlType), env)
			if sp.def.keyed {
				require.Error(t, err, s.rule)
				require.Equal(t, fault.Policy, fault.KindOf(err))
			} else {
				require.NoError(t, err, s.rule)
			}
		}
	}
}

type brokenKeys struct{ err error }

func (b brokenKeys) Subkey(context.Context, string, string, string, int) ([]byte, error) {
	return nil, b.err
}

func TestKeyErrorsKeepTheirKindAndCause(t *testing.T) {
	cause := fault.New(fault.Config, "the KMS is unreachable").WithHint("try later")
	_, err := spec(t, "email").Compile(context.Background(), column("text"), Env{brokenKeys{cause}, "acme"})
	require.ErrorIs(t, err, cause)
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.Equal(t, "try later", fault.HintOf(err))
}

// TestEmptyTextStaysEmpty holds for every rule on text but null and constant.
func TestEmptyTextStaysEmpty(t *testing.T) {
	for _, s := range samples {
		name := spec(t, s.rule).Name()
		if column(s.sqlType).kind() == kindText && name != "null" && name != "constant" {
			require.Empty(t, apply(t, compile(t, s.rule, column(s.sqlType)), "", "7"), s.rule)
		}
	}
}

func TestCanonicalValues(t *testing.T) {
	email := func(sqlType, v string) string { return apply(t, compile(t, "email", column(sqlType)), v) }
	require.Equal(t, email("bpchar", "ab"), email("bpchar", "ab   "))
	require.Equal(t, email("varchar", "ab"), email("bpchar", "ab   "), "a foreign key from char(n) to varchar holds")
	require.Equal(t, email("citext", "Bob@X.com"), email("citext", "bob@x.COM"))
	require.Equal(t, email("citext", "ÄB"), email("citext", "äb"))
	require.NotEqual(t, email("text", "ab"), email("text", "ab "))
	require.NotEqual(t, email("text", "Bob@x.com"), email("text", "bob@x.com"))
	require.Empty(t, email("bpchar", "    "))
}

func TestUniqueColumnsTakeInjectiveRulesOnly(t *testing.T) {
	for _, s := range samples {
		col := column(s.sqlType)
		col.Unique = true
		rule, err := spec(t, s.rule).Compile(context.Background(), col, testEnv)
		if err != nil {
			require.Equal(t, fault.Policy, fault.KindOf(err))
			require.NotEmpty(t, fault.HintOf(err), s.rule)
			require.False(t, compile(t, s.rule, column(s.sqlType)).Traits().Injective, s.rule)
			continue
		}
		require.True(t, rule.Traits().Injective || spec(t, s.rule).Name() == "null", s.rule)
	}
}

func TestIdentity(t *testing.T) {
	id := func(rule string, col Column) string { return compile(t, rule, col).Identity() }
	short, long := column("varchar"), column("text")
	short.MaxLen = 30
	require.Equal(t, id("email", long), id("email(domain=email)", column("varchar")))
	require.NotEqual(t, id("email", long), id("email", short), "a shorter column shortens heads")
	short.MaxLen = 200
	require.Equal(t, id("email", long), id("email", short))
	require.NotEqual(t, id("email", long), id("username(domain=email)", long))
	card := column("text")
	card.Type = "card_number"
	require.Equal(t, id("fpe(keep_last=4)", card), id("fpe(keep_last=4, format=card)", long))
	require.NotEqual(t, id("fpe(keep_last=4)", card), id("fpe(keep_last=4)", long))
	require.Equal(t, id("fpe", column("int4")), id("fpe", column("int8")))
	require.Equal(t, "partial(keep_last=4)", id("partial(keep_last=4, keep_first=0)", long))
	require.Equal(t, "fpe(keep_last=4)", compile(t, "fpe(keep_last=4)", card).String())
}
