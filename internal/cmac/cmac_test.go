package cmac

import (
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The examples of RFC 4493, section 4.
func TestRFC4493(t *testing.T) {
	c, err := New(unhex(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	require.NoError(t, err)
	msg := unhex(t, "6bc1bee22e409f96e93d7e117393172a"+"ae2d8a571e03ac9c9eb76fac45af8e51"+
		"30c81c46a35ce411e5fbc1191a0a52ef"+"f69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0:  "bb1d6929e95937287fa37d129b756746",
		16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827",
		64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		tag := c.Sum(msg[:n])
		require.Equal(t, want, hex.EncodeToString(tag[:]), "%d bytes", n)
	}
}

func TestWycheproof(t *testing.T) {
	data, err := fs.ReadFile(wycheproof.TestVectors, "aes_cmac_test.json")
	require.NoError(t, err)
	var file struct {
		TestGroups []struct {
			TagSize int
			Tests   []struct {
				TcID                   int
				Key, Msg, Tag, Comment string
				Result                 string
			}
		}
	}
	require.NoError(t, json.Unmarshal(data, &file))
	ran := 0
	for _, g := range file.TestGroups {
		for _, tc := range g.Tests {
			ran++
			key := unhex(t, tc.Key)
			c, err := New(key)
			if err != nil {
				require.Equal(t, "invalid", tc.Result, "case %d: %s", tc.TcID, tc.Comment)
				continue
			}
			ok := c.Verify(unhex(t, tc.Tag), unhex(t, tc.Msg))
			if g.TagSize != 8*Size {
				require.False(t, ok, "case %d: a tag of %d bits passed", tc.TcID, g.TagSize)
				continue
			}
			require.Equal(t, tc.Result == "valid", ok, "case %d: %s", tc.TcID, tc.Comment)
		}
	}
	require.GreaterOrEqual(t, ran, 300)
}

func TestNewRefusesOtherKeySizes(t *testing.T) {
	for _, n := range []int{0, 8, 15, 17, 33, 64} {
		_, err := New(make([]byte, n))
		require.Error(t, err, "%d bytes", n)
	}
}

func TestSumDoesNotAllocate(t *testing.T) {
	c, err := New(make([]byte, 32))
	require.NoError(t, err)
	msg := make([]byte, 20)
	s := new(Scratch)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.SumWith(s, msg) }))
	var tag [Size]byte
	require.Less(t, testing.AllocsPerRun(1000, func() { tag = c.Sum(msg) }), 0.1)
	require.Equal(t, tag, c.SumWith(s, msg))
	require.Equal(t, Scratch{}, *s)
}

func BenchmarkSum20(b *testing.B) {
	c, _ := New(make([]byte, 32))
	msg := make([]byte, 20)
	b.Run("scratch", func(b *testing.B) {
		s := new(Scratch)
		b.ReportAllocs()
		for b.Loop() {
			c.SumWith(s, msg)
		}
	})
	b.Run("pool", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Sum(msg)
		}
	})
	b.Run("two raw blocks", func(b *testing.B) {
		block, _ := aes.NewCipher(make([]byte, 32))
		x := make([]byte, 16)
		for b.Loop() {
			block.Encrypt(x, x)
			block.Encrypt(x, x)
		}
	})
}
