package ff1

import (
	"bytes"
	"crypto/aes"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var testKey = bytes.Repeat([]byte{0x5a}, 32)

func newCipher(t testing.TB, radix int) *Cipher {
	c, err := New(testKey, radix)
	require.NoError(t, err)
	return c
}

// TestBijection counts that every string of a small domain is hit exactly once.
func TestBijection(t *testing.T) {
	for _, g := range []struct{ radix, n int }{{10, 2}, {10, 5}, {2, 7}, {2, 16}, {3, 9}, {26, 3}, {255, 2}, {256, 2}} {
		t.Run(fmt.Sprintf("radix %d length %d", g.radix, g.n), func(t *testing.T) {
			w := newCipher(t, g.radix).NewWorker()
			size := 1
			for range g.n {
				size *= g.radix
			}
			hit := make([]bool, size)
			src, dst := make([]uint16, g.n), make([]uint16, 0, g.n)
			for i := range size {
				for j, x := g.n-1, i; j >= 0; j, x = j-1, x/g.radix {
					src[j] = uint16(x % g.radix)
				}
				var err error
				dst, err = w.AppendEncrypt(dst[:0], src, []byte("tweak"))
				require.NoError(t, err)
				at := 0
				for _, d := range dst {
					at = at*g.radix + int(d)
				}
				require.False(t, hit[at], "two strings have one image")
				hit[at] = true
			}
			require.NotContains(t, hit, false)
		})
	}
}

// TestNarrowAgainstWide holds the two arithmetics against each other at every
// length where both work.
func TestNarrowAgainstWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radix := rapid.SampledFrom([]int{2, 3, 7, 10, 16, 26, 62, 255, 256, 257, 65535, 65536}).Draw(t, "radix")
		c, err := New(testKey, radix)
		require.NoError(t, err)
		longest := c.minLen
		for c.shape(longest+1) != nil {
			longest++
		}
		src := rapid.SliceOfN(rapid.Uint16Range(0, uint16(radix-1)), c.minLen, longest).Draw(t, "src")
		tweak := rapid.SliceOfN(rapid.Byte(), 0, 70).Draw(t, "tweak")
		narrow, err := c.AppendEncrypt(nil, src, tweak)
		require.NoError(t, err)
		require.Equal(t, narrow, c.NewWorker().appendWide(nil, src, tweak, true))
		require.Equal(t, src, c.NewWorker().appendWide(nil, narrow, tweak, false))
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		radix := rapid.IntRange(MinRadix, MaxRadix).Draw(t, "radix")
		key := rapid.SampledFrom([]int{16, 24, 32}).Draw(t, "key")
		c, err := New(testKey[:key], radix)
		require.NoError(t, err)
		src := rapid.SliceOfN(rapid.Uint16Range(0, uint16(radix-1)), c.minLen, c.minLen+60).Draw(t, "src")
		tweak := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "tweak")
		prefix := []uint16{7, 8, 9}
		ct, err := c.AppendEncrypt(slices.Clone(prefix), src, tweak)
		require.NoError(t, err)
		require.Equal(t, prefix, ct[:3])
		pt, err := c.AppendDecrypt(nil, ct[3:], tweak)
		require.NoError(t, err)
		require.Equal(t, src, pt)
		inPlace := slices.Clone(src)
		inPlace, err = c.AppendEncrypt(inPlace[:0], inPlace, tweak)
		require.NoError(t, err)
		require.Equal(t, ct[3:], inPlace)
	})
}

func TestMinLen(t *testing.T) {
	for radix, want := range map[int]int{10: 6, 16: 5, 26: 5, 32: 4, 36: 4, 62: 4, 64: 4, 95: 4, 256: 3, 65536: 2, 2: 20} {
		require.Equal(t, want, MinLen(radix, SecureDomain), "radix %d", radix)
	}
	require.Equal(t, 64, MinLen(2, 1<<63+1))
	require.Equal(t, 2, MinLen(65536, 100))
}

func TestPowerAtTheEdge(t *testing.T) {
	for _, g := range []struct {
		radix uint64
		n     int
		want  uint64
		ok    bool
	}{
		{2, 63, 1 << 63, true}, {2, 64, 0, true}, {2, 65, 0, false}, {16, 16, 0, true}, {65536, 4, 0, true},
		{10, 19, 10000000000000000000, true}, {10, 20, 0, false}, {65535, 4, 18445618199572250625, true}, {65535, 5, 0, false},
	} {
		p, ok := power(g.radix, g.n)
		require.Equal(t, g.ok, ok, "%d^%d", g.radix, g.n)
		require.Equal(t, g.want, p, "%d^%d", g.radix, g.n)
	}
}

func TestModularArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.Uint64().Draw(t, "m")
		hi, lo := uint64(rapid.Uint32().Draw(t, "hi")), rapid.Uint64().Draw(t, "lo")
		big64 := new(big.Int).Lsh(big.NewInt(1), 64)
		M := new(big.Int).SetUint64(m)
		if m == 0 {
			M = big64
		}
		x := new(big.Int).Add(new(big.Int).Mul(new(big.Int).SetUint64(hi), big64), new(big.Int).SetUint64(lo))
		require.Equal(t, new(big.Int).Mod(x, M).Uint64(), reduce(hi, lo, m))
		a, b := reduce(0, rapid.Uint64().Draw(t, "a"), m), reduce(0, lo, m)
		A, B := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)
		require.Equal(t, new(big.Int).Mod(new(big.Int).Add(A, B), M).Uint64(), addMod(a, b, m))
		require.Equal(t, new(big.Int).Mod(new(big.Int).Sub(A, B), M).Uint64(), subMod(a, b, m))
	})
}

func TestRefusals(t *testing.T) {
	_, err := New(testKey[:31], 10)
	require.ErrorIs(t, err, ErrKey)
	for _, radix := range []int{-1, 0, 1, 65537} {
		_, err = New(testKey, radix)
		require.ErrorIs(t, err, ErrRadix)
	}
	c := newCipher(t, 10)
	for _, n := range []int{0, 1, MaxLen + 1} {
		_, err = c.AppendEncrypt(nil, make([]uint16, n), nil)
		require.ErrorIs(t, err, ErrLength)
		_, err = c.AppendDecrypt(nil, make([]uint16, n), nil)
		require.ErrorIs(t, err, ErrLength)
	}
	_, err = c.AppendEncrypt(nil, []uint16{1, 2, 3, 10}, nil)
	require.ErrorIs(t, err, ErrNumeral)
	require.ErrorContains(t, err, "position 3")
	_, err = c.AppendEncrypt(nil, make([]uint16, 8), make([]byte, MaxTweak+1))
	require.ErrorIs(t, err, ErrTweak)
	_, err = c.AppendEncrypt(nil, make([]uint16, MaxLen), make([]byte, MaxTweak))
	require.NoError(t, err)
}

func TestAlphabet(t *testing.T) {
	for _, s := range []string{"", "a", "aba", "éaé", "ab\xff", "ae\u0301", strings.Repeat("a", 2)} {
		_, err := NewAlphabet(s)
		require.ErrorIs(t, err, ErrAlphabet, "%q", s)
	}
	a, err := NewAlphabet("абвгдеёжзийклмнопрстуфхцчшщъыьэюя-z")
	require.NoError(t, err)
	require.Equal(t, 35, a.Radix())
	c := newCipher(t, a.Radix())
	ct, err := c.EncryptString(a, "привет-zz", []byte{1})
	require.NoError(t, err)
	require.NotEqual(t, "привет-zz", ct)
	require.Equal(t, 9, utf8.RuneCountInString(ct))
	pt, err := c.DecryptString(a, ct, []byte{1})
	require.NoError(t, err)
	require.Equal(t, "привет-zz", pt)
	_, err = c.EncryptString(a, "привет CANARY", nil)
	require.ErrorIs(t, err, ErrNumeral)
	require.ErrorContains(t, err, "byte 12")
	require.NotContains(t, err.Error(), "CANARY")
	_, err = newCipher(t, 10).EncryptString(a, "привет", nil)
	require.ErrorIs(t, err, ErrRadix)
	require.Equal(t, 'а', a.Char(0))
	fffd, err := NewAlphabet("\ufffdab")
	require.NoError(t, err)
	_, err = fffd.AppendNumerals(nil, []byte("ab\xff"))
	require.ErrorIs(t, err, ErrNumeral)
}

func TestConcurrentUse(t *testing.T) {
	c := newCipher(t, 10)
	src := []uint16{4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	want := make([][]uint16, 40)
	for n := range want {
		want[n], _ = newCipher(t, 10).AppendEncrypt(nil, src[:2+n%15], make([]byte, n))
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for n := range want {
				got, err := c.AppendEncrypt(nil, src[:2+n%15], make([]byte, n))
				if err != nil || !slices.Equal(got, want[n]) {
					t.Errorf("length %d differs under concurrency", n)
				}
			}
		})
	}
	wg.Wait()
}

func TestAppendDoesNotAllocate(t *testing.T) {
	c := newCipher(t, 10)
	src, dst, tweak := make([]uint16, 38), make([]uint16, 0, 38), make([]byte, 20)
	require.Zero(t, testing.AllocsPerRun(200, func() {
		dst, _ = c.AppendEncrypt(dst[:0], src, tweak)
		dst, _ = c.AppendDecrypt(dst[:0], dst, tweak)
	}))
}

func FuzzFF1(f *testing.F) {
	f.Add(uint16(9), []byte("0123456789"), []byte("tweak"))
	f.Add(uint16(255), bytes.Repeat([]byte{255}, 40), []byte{})
	f.Fuzz(func(t *testing.T, radix uint16, data, tweak []byte) {
		c, err := New(testKey, int(radix)+2)
		if err != nil {
			return
		}
		src := make([]uint16, 0, len(data)/2)
		for i := 0; i+1 < len(data); i += 2 {
			src = append(src, uint16(data[i])<<8|uint16(data[i+1]))
		}
		ct, err := c.AppendEncrypt(nil, src, tweak)
		if err != nil {
			return
		}
		for _, x := range ct {
			require.Less(t, int(x), c.Radix())
		}
		pt, err := c.AppendDecrypt(nil, ct, tweak)
		require.NoError(t, err)
		require.Equal(t, src, pt)
	})
}

// BenchmarkFF1 stands beside one AES block through cipher.Block, of which ten
// rounds need at least ten.
func BenchmarkFF1(b *testing.B) {
	b.Run("aes-block", func(b *testing.B) {
		block, _ := aes.NewCipher(testKey)
		x := make([]byte, 16)
		b.ReportAllocs()
		for b.Loop() {
			block.Encrypt(x, x)
		}
	})
	for _, g := range []struct {
		name     string
		radix, n int
		tweak    int
	}{{"digits16", 10, 16, 0}, {"digits16-tweak4", 10, 16, 4}, {"digits38", 10, 38, 0}, {"base62-10", 62, 10, 0}, {"bits122", 2, 122, 2}, {"digits60-wide", 10, 60, 0}} {
		c := newCipher(b, g.radix)
		src, dst, tweak := make([]uint16, g.n), make([]uint16, 0, g.n), make([]byte, g.tweak)
		b.Run(g.name+"/worker", func(b *testing.B) {
			w := c.NewWorker()
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = w.AppendEncrypt(dst[:0], src, tweak)
			}
		})
		b.Run(g.name+"/pool", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = c.AppendEncrypt(dst[:0], src, tweak)
			}
		})
	}
}
