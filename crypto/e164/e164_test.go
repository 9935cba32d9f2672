package e164_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/e164"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
)

var _ crypto.Normalizer = (*e164.Normalizer)(nil)

func TestNumbersHaveOneForm(t *testing.T) {
	for _, tt := range []struct{ region, in, want string }{
		{"", "+49 (30) 901820-44", "+493090182044"},
		{"", "+49 30 90182044", "+493090182044"},
		{"DE", "030 / 901 820 44", "+493090182044"},
		{"DE", "0049 30 90182044", "+493090182044"},
		{"US", "011 49 30 90182044", "+493090182044"},
		{"DE", "+1 (212) 555-2368", "+12125552368"},
		{"US", "(212) 555-2368 ext. 12", "+12125552368"},
		{"US", "212.555.2368", "+12125552368"},
		{"IT", "06 6982", "+39066982"},
		{"GB", "+44 (0)20 7946 0958", "+442079460958"},
		{"DE", " 030 90182044 ", "+493090182044"},

		{"", "030 90182044", ""},
		{"US", "555-2368", ""}, // without its area code it is many people's
		{"DE", "", ""},
		{"DE", "unknown", ""},
		{"", "+999 123456789", ""},
		{"DE", strings.Repeat("0", 65), ""},
		{"", "+49 30 90182044 90182044 90182044", ""},
	} {
		n, err := e164.New(tt.region)
		require.NoError(t, err)
		got, err := n.AppendNormal([]byte("kept"), []byte(tt.in))
		require.Equal(t, "kept"+tt.want, string(got), "%s %q", tt.region, tt.in)
		if tt.want == "" {
			require.ErrorIs(t, err, e164.ErrNumber)
			require.Equal(t, e164.ErrNumber, err, "nothing of the value is said")
			continue
		}
		require.NoError(t, err)
	}
	for _, region := range []string{"D", "DEU", "de", "XX"} {
		_, err := e164.New(region)
		require.Error(t, err, region)
	}
	n, err := e164.New("DE")
	require.NoError(t, err)
	require.NoError(t, classify.CheckName(n.Name()))
}

// What is one number to two regions is one index value.
func TestRegionsShareAnIndex(t *testing.T) {
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	c, err := crypto.New(t.Context(), crypto.Config{KEK: kek, Keystore: memstore.New()})
	require.NoError(t, err)
	defer c.Close()
	var values []string
	for region, number := range map[string]string{"DE": "030 90182044", "": "+493090182044", "US": "011493090182044"} {
		n, err := e164.New(region)
		require.NoError(t, err)
		x, err := c.BlindIndex(t.Context(), crypto.BlindIndexConfig{Tenant: "acme", Field: "customer.phone", Normalize: n})
		require.NoError(t, err)
		v, err := x.Append(t.Context(), nil, []byte(number))
		require.NoError(t, err)
		values = append(values, string(v))
		_, err = x.Append(t.Context(), nil, []byte("ask Bob"))
		require.ErrorIs(t, err, crypto.ErrNormalize)
		require.ErrorIs(t, err, e164.ErrNumber)
		require.NotContains(t, err.Error(), "Bob")
	}
	require.Equal(t, values[0], values[1])
	require.Equal(t, values[0], values[2])
}

func FuzzForm(f *testing.F) {
	n, err := e164.New("DE")
	require.NoError(f, err)
	f.Add([]byte("030 90182044"))
	f.Add([]byte("+1 212 555 2368;ext=12"))
	f.Fuzz(func(t *testing.T, value []byte) {
		once, err := n.AppendNormal(nil, value)
		if err != nil {
			require.True(t, errors.Is(err, e164.ErrNumber))
			require.Empty(t, once)
			return
		}
		require.Regexp(t, `^\+[1-9][0-9]{3,17}$`, string(once))
		twice, err := n.AppendNormal(nil, once)
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}

func ExampleNew() {
	phones, err := e164.New("DE")
	if err != nil {
		panic(err)
	}
	for _, number := range []string{"030 / 901 820", "+49 (30) 901820", "unknown"} {
		form, err := phones.AppendNormal(nil, []byte(number))
		fmt.Printf("%s %v\n", form, err)
	}
	// Output:
	// +4930901820 <nil>
	// +4930901820 <nil>
	//  e164: not a telephone number
}
