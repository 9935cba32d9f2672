package mask

import (
	"strconv"
	"strings"
	"testing"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/tokenize/ff1"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func luhn(s string) bool {
	var d []uint16
	for _, c := range s {
		if c >= '0' && c <= '9' {
			d = append(d, uint16(c-'0'))
		}
	}
	return luhnSum(d) == 0
}

func TestLuhnSum(t *testing.T) {
	for _, valid := range []string{"4111111111111111", "378282246310005", "79927398713", "6011111111111117"} {
		require.True(t, luhn(valid), valid)
		for i := range 10 {
			wrong := valid[:len(valid)-1] + strconv.Itoa(i)
			require.Equal(t, wrong == valid, luhn(wrong))
		}
	}
}

func TestFPEKeepsTheFormat(t *testing.T) {
	out := apply(t, compile(t, "fpe(keep_first=2, keep_last=3)", column("text")), "12-345/678 9012")
	require.Regexp(t, `^12-\d{3}/\d{3} \d012$`, out)
	require.NotEqual(t, "12-345/678 9012", out)
	// Separators do not matter to what digits become.
	r := compile(t, "fpe", column("text"))
	bare := strings.NewReplacer("-", "", " ", "", ".", "", "·", "")
	require.Equal(t, apply(t, r, "1234567890"), bare.Replace(apply(t, r, "12-34 56.78·90")))
	for _, a := range alphabets {
		r := compile(t, "fpe(alphabet="+a.name+")", column("text"))
		in := strings.Repeat(a.chars[:2], 12)
		for _, c := range apply(t, r, in) {
			require.Contains(t, a.chars, string(c))
		}
	}
}

func TestFPERefusesSmallDomains(t *testing.T) {
	r := compile(t, "fpe(keep_last=4)", column("text"))
	for _, v := range []string{"123456789", "12345", "1"} {
		_, err := try(r, v)
		require.Equal(t, fault.Data, fault.KindOf(err))
		require.ErrorContains(t, err, "needs 6")
		require.NotEmpty(t, fault.HintOf(err))
	}
	apply(t, r, "1234567890")
	refused(t, "fpe", limited("varchar", 5))
	refused(t, "fpe(keep_last=4)", limited("varchar", 9))
	compile(t, "fpe(alphabet=alnum)", limited("varchar", 4))
	refused(t, "fpe", column("int2"))
	refused(t, "fpe(alphabet=hex)", column("int8"))
	refused(t, "fpe(length=any)", column("text"))
	refused(t, "fpe(alphabet=alnum)", column("citext"))
	refused(t, "fpe(length=any)", column("numeric"))
	refused(t, "fpe(alphabet=hex)", column("numeric"))
	_, err := try(compile(t, "fpe", column("int8")), "123456")
	require.ErrorContains(t, err, "needs 7")
}

func TestFPERefusesWhatItCannotMask(t *testing.T) {
	for rule, values := range map[string][]string{
		"fpe":                          {"12345678x", "1234567é", "1234567\x00", "1234567\u0301", "1234567\xff", strings.Repeat("1", ff1.MaxLen+1)},
		"fpe(alphabet=lower)":          {"abcdefG", "abcdef1"},
		"fpe(format=card)":             {"4111 1111 1111 CANARY", "4111111111111112", "41111111111", "41111111111111111111"},
		"fpe(keep_last=4,format=card)": {"4111111111111112"},
		"uuid":                         {"0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5", "0190C8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f", "x"},
	} {
		r := compile(t, rule, column("text"))
		for _, v := range values {
			_, err := try(r, v)
			require.Error(t, err, rule)
			require.Equal(t, fault.Data, fault.KindOf(err))
			require.ErrorContains(t, err, "public.customer.field")
			require.NotContains(t, err.Error(), v)
		}
	}
}

// TestCards: results are never cards, or always, and no two are equal.
func TestCards(t *testing.T) {
	for rule, valid := range map[string]bool{
		"fpe(format=card)": false, "fpe(keep_last=4, format=card)": false,
		"fpe(keep_first=6, format=card, luhn=valid)": true, "fpe(keep_first=2, keep_last=4, luhn=valid, format=card)": true,
	} {
		r := compile(t, rule, column("text"))
		require.Equal(t, valid, r.Traits().Output == OutputPermutation, rule)
		first, last := spec(t, rule).int("keep_first"), spec(t, rule).int("keep_last")
		seen := map[string]bool{}
		rapid.Check(t, func(rt *rapid.T) {
			n := rapid.IntRange(13, 19).Draw(rt, "digits")
			card := []byte(rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, n).Draw(rt, "card"))
			for !luhn(string(card)) {
				card[n-1] = '0' + (card[n-1]-'0'+1)%10
			}
			out := apply(t, r, string(card))
			require.Equal(rt, valid, luhn(out))
			require.Equal(rt, string(card[:first]), out[:first])
			require.Equal(rt, string(card[n-last:]), out[n-last:])
			seen[string(card)+">"+out] = true
		})
		inputs, outputs := map[string]bool{}, map[string]bool{}
		for pair := range seen {
			in, out, _ := strings.Cut(pair, ">")
			inputs[in], outputs[out] = true, true
		}
		require.Len(t, outputs, len(inputs))
	}
	refused(t, "fpe(keep_last=4)", func() Column { c := limited("varchar", 12); c.Type = "card_number"; return c }())
	col := column("text")
	col.Type = "card_number"
	require.ErrorContains(t, refused(t, "fpe(keep_first=6, keep_last=4)", col), "keeps 10 digits")
	require.False(t, luhn(apply(t, compile(t, "fpe", col), "4111111111111111")), "the column's type makes card the format")
}

// TestCardsAreABijection walks a whole small domain: all middles of one prefix
// and suffix.
func TestCardsAreABijection(t *testing.T) {
	if testing.Short() {
		t.Skip("a million values")
	}
	for _, rule := range []string{"fpe(keep_first=6, format=card)"} {
		m := compile(t, rule, column("text")).NewMasker()
		seen := make([]bool, 10_000_000)
		src := []byte("4111110000000")
		var dst []byte
		for i := range 1_000_000 {
			copy(src[6:], []byte(strconv.Itoa(1_000_000 + i))[1:])
			for d := byte('0'); ; d++ {
				if src[12] = d; luhn(string(src)) {
					break
				}
			}
			var err error
			dst, _, err = m.Append(dst[:0], src, Row{})
			x, notNumber := strconv.Atoi(string(dst[6:]))
			if err != nil || notNumber != nil || seen[x] {
				t.Fatalf("card %d of the prefix: %v", i, err)
			}
			seen[x] = true
		}
	}
}

func TestIntegersStayInRange(t *testing.T) {
	r8, r4 := compile(t, "fpe", column("int8")), compile(t, "fpe", column("int4"))
	any8, any4 := compile(t, "fpe(length=any)", column("int8")), compile(t, "fpe(length=any)", column("int4"))
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		in := strconv.FormatInt(v, 10)
		out, err := try(r8, in)
		if err == nil {
			x, err := strconv.ParseInt(out, 10, 64)
			require.NoError(t, err)
			require.Equal(t, len(in), len(out))
			require.Equal(t, v < 0, x < 0)
		}
		anyOut, err := try(any8, in)
		require.NoError(t, err)
		x, err := strconv.ParseInt(anyOut, 10, 64)
		require.NoError(t, err)
		require.Equal(t, v < 0, x < 0)
		require.Equal(t, v == int64(int32(v)), x == int64(int32(x)))
		if v == int64(int32(v)) {
			small, err4 := try(r4, in)
			if err4 == nil {
				require.Equal(t, out, small, "int4 and int8 agree")
			}
			small, err4 = try(any4, in)
			require.NoError(t, err4)
			require.Equal(t, anyOut, small, "int4 and int8 agree")
		}
	})
	for _, v := range []string{"-2147483648", "2147483648", "x", "12345678x", "01234567", "--1234567", "1234567.0"} {
		_, err := try(r4, v)
		require.Equal(t, fault.Data, fault.KindOf(err), "a value was taken: %v", err)
	}
}

// TestWholeNumericsAgreeWithIntegers: a foreign key from int8 to numeric holds,
// whatever the scale.
func TestWholeNumericsAgreeWithIntegers(t *testing.T) {
	want := apply(t, compile(t, "fpe", column("int8")), "-1234567")
	r := compile(t, "fpe", column("numeric"))
	require.Equal(t, want, apply(t, r, "-1234567"))
	require.Equal(t, want+".00", apply(t, r, "-1234567.00"))
	for _, v := range []string{"1234567.5", "12345678901234567890", "NaN", "1234567e3", "."} {
		_, err := try(r, v)
		require.Equal(t, fault.Data, fault.KindOf(err), v)
	}
}

func TestRegions(t *testing.T) {
	for _, c := range []struct {
		x         uint64
		n         int
		low, high uint64
	}{
		{1234567, 7, 1_000_000, 9_999_999},
		{1 << 31, 10, 1 << 31, 9_999_999_999},
		{1<<31 - 1, 10, 1_000_000_000, 1<<31 - 1},
		{1<<63 - 1, 19, 1_000_000_000_000_000_000, 1<<63 - 1},
	} {
		low, high := region(c.x, c.n)
		require.Equal(t, []uint64{c.low, c.high}, []uint64{low, high})
	}
}

// TestInjective: rules that say so never merge two of many values.
func TestInjective(t *testing.T) {
	for _, s := range samples {
		r := compile(t, s.rule, column(s.sqlType))
		if !r.Traits().Injective {
			continue
		}
		m := r.NewMasker()
		ins, outs := map[string]bool{}, map[string]bool{}
		for i := range 5000 {
			in := "4" + strconv.Itoa(10_000_000_000+i*7)
			switch {
			case strings.Contains(s.rule, "card"):
				for d := 0; ; d++ {
					if c := in + strconv.Itoa(d); luhn(c) {
						in = c
						break
					}
				}
			case s.sqlType == "int4":
				in = strconv.Itoa(1_000_000_000 + i)
			case s.rule == "uuid":
				in = strings.ToUpper(string(appendUUID(nil, [16]byte{1, 2, byte(i >> 8), byte(i)})))
			}
			out, _, err := m.Append(nil, []byte(in), Row{})
			require.NoError(t, err, s.rule)
			ins[in], outs[string(out)] = true, true
		}
		require.Len(t, outs, len(ins), s.rule)
	}
}

func TestUUID(t *testing.T) {
	r := compile(t, "uuid", column("uuid"))
	text := compile(t, "uuid", column("text"))
	rapid.Check(t, func(t *rapid.T) {
		var id [16]byte
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		in := string(appendUUID(nil, id))
		back, ok := parseUUID([]byte(in))
		require.True(t, ok)
		require.Equal(t, id, back)
		out, err := try(r, in)
		require.NoError(t, err)
		masked, ok := parseUUID([]byte(out))
		require.True(t, ok)
		require.Equal(t, id[6]>>4, masked[6]>>4, "version")
		require.Equal(t, id[8]>>6, masked[8]>>6, "variant")
		require.NotEqual(t, in, out)
		same, err := try(text, in)
		require.NoError(t, err)
		require.Equal(t, out, same, "uuid and text columns agree")
		upper, err := try(text, strings.ToUpper(in))
		require.NoError(t, err)
		if in != strings.ToUpper(in) {
			require.Equal(t, strings.ToLower(out), strings.ToLower(upper))
		}
	})
}
