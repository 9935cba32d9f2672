package ff1

import (
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math"
	"strings"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/require"
)

type vectorFile struct {
	NumberOfTests int `json:"numberOfTests"`
	TestGroups    []struct {
		Type     string `json:"type"`
		Alphabet string `json:"alphabet"`
		Radix    int    `json:"radix"`
		Tests    []struct {
			ID     int             `json:"tcId"`
			Key    string          `json:"key"`
			Tweak  string          `json:"tweak"`
			Msg    json.RawMessage `json:"msg"`
			Ct     json.RawMessage `json:"ct"`
			Result string          `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

// numerals reads a list of numbers; ok is false where one cannot be a numeral.
func numerals(t *testing.T, raw json.RawMessage) (out []uint16, ok bool) {
	var list []int
	require.NoError(t, json.Unmarshal(raw, &list))
	for _, x := range list {
		if x < 0 || x > math.MaxUint16 {
			return nil, false
		}
		out = append(out, uint16(x))
	}
	return out, true
}

func text(t *testing.T, raw json.RawMessage) (s string) {
	require.NoError(t, json.Unmarshal(raw, &s))
	return s
}

func TestWycheproof(t *testing.T) {
	files, err := fs.Glob(wycheproof.TestVectors, "aes_ff1_*_test.json")
	require.NoError(t, err)
	require.Len(t, files, 22)
	valid, invalid := 0, 0
	for _, name := range files {
		t.Run(strings.TrimSuffix(name, "_test.json"), func(t *testing.T) {
			data, err := fs.ReadFile(wycheproof.TestVectors, name)
			require.NoError(t, err)
			var file vectorFile
			require.NoError(t, json.Unmarshal(data, &file))
			ran := 0
			for _, g := range file.TestGroups {
				var alphabet *Alphabet
				if g.Type == "FpeStrTest" {
					alphabet, err = NewAlphabet(g.Alphabet)
					if strings.Count(g.Alphabet, "t") > 1 {
						// The base85 file's alphabet holds a letter twice, so that its texts
						// have no unique meaning. The radix85 file has the same cases as numbers.
						require.ErrorIs(t, err, ErrAlphabet)
						ran += len(g.Tests)
						continue
					}
					require.NoError(t, err)
				}
				for _, v := range g.Tests {
					ran++
					key, err := hex.DecodeString(v.Key)
					require.NoError(t, err)
					tweak, err := hex.DecodeString(v.Tweak)
					require.NoError(t, err)
					c, err := New(key, g.Radix)
					if err != nil {
						require.Equal(t, "invalid", v.Result, "tcId %d: %v", v.ID, err)
						invalid++
						continue
					}
					if alphabet != nil {
						ct, err := c.EncryptString(alphabet, text(t, v.Msg), tweak)
						if v.Result == "invalid" {
							require.Error(t, err, "tcId %d", v.ID)
							invalid++
							continue
						}
						require.NoError(t, err, "tcId %d", v.ID)
						require.Equal(t, text(t, v.Ct), ct, "tcId %d", v.ID)
						pt, err := c.DecryptString(alphabet, ct, tweak)
						require.NoError(t, err, "tcId %d", v.ID)
						require.Equal(t, text(t, v.Msg), pt, "tcId %d", v.ID)
						valid++
						continue
					}
					msg, ok := numerals(t, v.Msg)
					if !ok {
						require.Equal(t, "invalid", v.Result, "tcId %d", v.ID)
						invalid++
						continue
					}
					ct, err := c.AppendEncrypt(nil, msg, tweak)
					if v.Result == "invalid" {
						require.Error(t, err, "tcId %d", v.ID)
						invalid++
						continue
					}
					require.NoError(t, err, "tcId %d", v.ID)
					want, _ := numerals(t, v.Ct)
					require.Equal(t, want, ct, "tcId %d", v.ID)
					pt, err := c.AppendDecrypt(nil, ct, tweak)
					require.NoError(t, err, "tcId %d", v.ID)
					require.Equal(t, msg, pt, "tcId %d", v.ID)
					valid++
				}
			}
			require.Equal(t, file.NumberOfTests, ran)
		})
	}
	t.Logf("%d valid and %d invalid vectors", valid, invalid)
}

// The samples of NIST's "Examples with intermediate values" for FF1.
func TestNISTSamples(t *testing.T) {
	const (
		k128 = "2B7E151628AED2A6ABF7158809CF4F3C"
		k192 = k128 + "EF4359D8D580AA4F"
		k256 = k192 + "7F036D6F04FC6A94"
	)
	const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"
	for i, v := range []struct{ key, alphabet, tweak, msg, ct string }{
		{k128, base36[:10], "", "0123456789", "2433477484"},
		{k128, base36[:10], "39383736353433323130", "0123456789", "6124200773"},
		{k128, base36, "3737373770717273373737", "0123456789abcdefghi", "a9tv40mll9kdu509eum"},
		{k192, base36[:10], "", "0123456789", "2830668132"},
		{k192, base36[:10], "39383736353433323130", "0123456789", "2496655549"},
		{k192, base36, "3737373770717273373737", "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
		{k256, base36[:10], "", "0123456789", "6657667009"},
		{k256, base36[:10], "39383736353433323130", "0123456789", "1001623463"},
		{k256, base36, "3737373770717273373737", "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
	} {
		key, err := hex.DecodeString(v.key)
		require.NoError(t, err)
		tweak, err := hex.DecodeString(v.tweak)
		require.NoError(t, err)
		a, err := NewAlphabet(v.alphabet)
		require.NoError(t, err)
		c, err := New(key, a.Radix())
		require.NoError(t, err)
		ct, err := c.EncryptString(a, v.msg, tweak)
		require.NoError(t, err)
		require.Equal(t, v.ct, ct, "sample %d", i+1)
		pt, err := c.DecryptString(a, ct, tweak)
		require.NoError(t, err)
		require.Equal(t, v.msg, pt, "sample %d", i+1)
	}
}
