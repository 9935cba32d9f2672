package mask

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/privet-dev/privet/mask/fake"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func limited(sqlType string, n int) Column {
	c := column(sqlType)
	c.MaxLen = n
	return c
}

func TestEmail(t *testing.T) {
	full := regexp.MustCompile(`^[a-z0-9]+\.[a-z0-9]+\.[0-9a-hjkmnp-tv-z]{13}@example\.(com|net|org)$`)
	wide := compile(t, "email", column("text"))
	hosts := map[string]bool{}
	for i := range 200 {
		out := apply(t, wide, fmt.Sprintf("user%d@mail.com", i))
		require.Regexp(t, full, out)
		hosts[out[strings.IndexByte(out, '@'):]] = true
		for _, n := range []int{25, 30, 35, 40, 45, 50, 60} {
			short := apply(t, compile(t, "email", limited("varchar", n)), fmt.Sprintf("user%d@mail.com", i))
			require.LessOrEqual(t, len(short), n)
			require.True(t, strings.HasSuffix(out, short[strings.LastIndexByte(short, '.')-13-8:]), "the tail is the same at any length")
		}
	}
	require.Len(t, hosts, 3)
	require.ErrorContains(t, refused(t, "email", limited("varchar", 24)), "needs 25 characters")
	refused(t, "email", column("uuid"))
	require.Equal(t, Traits{Output: OutputFictional, Injective: true, Domain: 1 << 64}, wide.Traits())
}

// TestTailHoldsAllBits: the 13 characters give 64 bits and one back.
func TestTailHoldsAllBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := bits{rapid.Uint64().Draw(t, "hi"), rapid.Uint64().Draw(t, "lo")}
		tail := appendTail(nil, b)
		require.Len(t, tail, tailLen)
		first := uint64(strings.IndexByte(tailAlphabet, tail[0]))
		hi := first >> 1
		for _, c := range tail[1:] {
			hi = hi<<5 | uint64(strings.IndexByte(tailAlphabet, c))
		}
		require.Equal(t, b.hi, hi)
		require.Equal(t, b.lo>>63, first&1)
	})
}

func TestUsername(t *testing.T) {
	require.Regexp(t, `^[a-z0-9]+\.[a-z0-9]+\.[0-9a-z]{13}$`, apply(t, compile(t, "username", column("text")), "annlee"))
	require.Regexp(t, `^[0-9a-z]{13}$`, apply(t, compile(t, "username", limited("varchar", 13)), "annlee"))
	refused(t, "username", limited("varchar", 12))
}

func TestHash(t *testing.T) {
	long := apply(t, compile(t, "hash", column("text")), "device")
	require.Regexp(t, `^[0-9a-f]{32}$`, long)
	require.Equal(t, long[:20], apply(t, compile(t, "hash", limited("varchar", 20)), "device"))
	require.Equal(t, long[:16], apply(t, compile(t, "hash(length=16)", limited("varchar", 20)), "device"))
	refused(t, "hash", limited("varchar", 15))
	refused(t, "hash(length=20)", limited("varchar", 19))
	require.NotEqual(t, compile(t, "hash", limited("varchar", 20)).Identity(), compile(t, "hash", column("text")).Identity())
}

func TestWordsComeFromTheLists(t *testing.T) {
	in := func(l *fake.List, w string) bool {
		for i := range l.Len() {
			if l.At(i) == w {
				return true
			}
		}
		return false
	}
	for rule, list := range map[string]*fake.List{
		"first_name": fake.FirstNames(), "last_name": fake.LastNames(), "city": fake.Cities(), "company": fake.Companies(),
	} {
		r := compile(t, rule, column("text"))
		for i := range 300 {
			require.True(t, in(list, apply(t, r, fmt.Sprintf("Name%d", i))), rule)
		}
		// No word of the list is ever its own mask.
		for i := range list.Len() {
			require.NotEqual(t, strings.ToLower(list.At(i)), strings.ToLower(apply(t, r, list.At(i))), rule)
		}
	}
	first, last, found := strings.Cut(apply(t, compile(t, "full_name", column("text")), "Ann Lee"), " ")
	require.True(t, found && in(fake.FirstNames(), first) && in(fake.LastNames(), last))
	address := strings.Fields(apply(t, compile(t, "street_address", column("text")), "12 Rosewood Close"))
	require.Len(t, address, 3)
	require.Regexp(t, `^[1-9][0-9]{0,3}$`, address[0])
	require.True(t, in(fake.LastNames(), address[1]) && in(fake.Streets(), address[2]))
}

func TestWordsKeepTheCaseStyle(t *testing.T) {
	for _, rule := range []string{"first_name", "full_name", "city", "street_address"} {
		r := compile(t, rule, column("text"))
		title := apply(t, r, "Ann Lee")
		require.Equal(t, strings.ToUpper(title), apply(t, r, "ANN LEE"))
		require.Equal(t, strings.ToLower(title), apply(t, r, "ann lee"))
		require.Equal(t, title, apply(t, r, "aNN lEe"))
		require.Equal(t, strings.ToUpper(apply(t, r, "Žofie Říha")), apply(t, r, "ŽOFIE ŘÍHA"))
	}
}

// TestWordsAgreeBetweenLengths: what fits both columns is the same in both.
func TestWordsAgreeBetweenLengths(t *testing.T) {
	for rule, n := range map[string]int{"first_name": 6, "last_name": 7, "full_name": 14, "city": 9, "company": 14, "street_address": 22} {
		wide, narrow := compile(t, rule, column("text")), compile(t, rule, limited("varchar", n))
		agree := 0
		for i := range 300 {
			v := fmt.Sprintf("Value %d", i)
			w, s := apply(t, wide, v), apply(t, narrow, v)
			require.LessOrEqual(t, len(s), n)
			if len(w) <= n {
				require.Equal(t, w, s)
				agree++
			}
		}
		require.NotZero(t, agree, rule)
		refused(t, rule, limited("varchar", 2))
	}
}

func TestPartial(t *testing.T) {
	for _, c := range []struct{ rule, in, out string }{
		{"partial", "secret", "******"},
		{"partial(keep_last=4)", "DE8937", "**8937"},
		{"partial(keep_last=4)", "8937", "****"},
		{"partial(keep_last=4)", "937", "***"},
		{"partial(keep_first=1, keep_last=1)", "äbcö", "ä**ö"},
		{"partial(keep_first=2, keep_last=2)", "äbcö", "****"},
		{"partial(keep_first=1, char=•)", "日本語", "日••"},
		{"partial(keep_first=64)", "日本語", "***"},
		{"partial(keep_first=2)", "a\x00\xff", "a**"},
	} {
		require.Equal(t, c.out, apply(t, compile(t, c.rule, column("text")), c.in), c.rule)
	}
	require.Equal(t, "A***", apply(t, compile(t, "partial(keep_first=1)", column("citext")), "Anna"), "citext keeps its case")
	require.Equal(t, "**cd", apply(t, compile(t, "partial(keep_last=2)", column("bpchar")), "abcd    "))
}

func TestPhone(t *testing.T) {
	r := compile(t, "phone", column("text"))
	for in, shape := range map[string]string{
		"+49 (30) 901820-44":   `^\+999 \(\d\d\) \d{6}-\d\d$`,
		"0049 (30) 901820-44":  `^\+999 \(\d\d\) \d{6}-\d\d$`,
		"+4930901820":          `^\+999\d{8}$`,
		"+1-555-123-4567":      `^\+999-\d{3}-\d{3}-\d{4}$`,
		"(555) 123-4567":       `^\+999 \(\d{3}\) \d{3}-\d{4}$`,
		"5551234567":           `^\+999 \d{10}$`,
		"030/9018":             `^\+999 \d{3}/\d{4}$`,
		"110":                  `^\+999 \d{7}$`,
		"call me: 030 9018-20": `^\+999[ \d-]+$`,
		"unknown":              `^\+999\d{7}$`,
		"+":                    `^\+999\d{7}$`,
		"12345678901234567890": `^\+999 \d{12}$`,
	} {
		out := apply(t, r, in)
		require.Regexp(t, shape, out, in)
		digits := 0
		for _, c := range out {
			if c >= '0' && c <= '9' {
				digits++
			}
		}
		require.LessOrEqual(t, digits, 15, "E.164 allows 15 digits")
	}
	digits := func(s string) string { return regexp.MustCompile(`\D`).ReplaceAllString(s, "") }
	require.Equal(t, digits(apply(t, r, "+49 30 901820")), digits(apply(t, r, "0049 (30) 9018-20")), "one number, two spellings")
	require.NotContains(t, apply(t, r, "ask Bob on 030 901820"), "Bob")
	for n := 11; n < 24; n++ {
		out := apply(t, compile(t, "phone", limited("varchar", n)), "+49 (30) 901820-44")
		require.LessOrEqual(t, len(out), n)
		require.Regexp(t, `^\+999[\d ()-]{7,}$`, out)
	}
	refused(t, "phone", limited("varchar", 10))
	require.Equal(t, OutputFictional, r.Traits().Output)
}

func TestDecimalDigitsAreUniform(t *testing.T) {
	var counts [12][10]int
	w := walk{1}
	const n = 20000
	for range n {
		d := decimal{x: w.next()}
		for i, c := range d.append(d.append(d.append(d.append(d.append(d.append(d.append(d.append(d.append(d.append(d.append(d.append(nil)))))))))))) {
			counts[i][c-'0']++
		}
	}
	for i := range counts {
		for _, c := range counts[i] {
			require.InDelta(t, n/10, c, 250, "digit %d", i)
		}
	}
}

func TestRedactText(t *testing.T) {
	r := compile(t, "redact_text", column("text"))
	require.Equal(t, "call [phone], card [card_number]; ä [email]!",
		apply(t, r, "call +49 30 901820, card 4111 1111 1111 1111; ä ann@mail.com!"))
	require.Equal(t, "nothing to see", apply(t, r, "nothing to see"))
	short := apply(t, compile(t, "redact_text", limited("varchar", 8)), "a@b.co é")
	require.Equal(t, "[email] ", short)
	require.Equal(t, 8, utf8.RuneCountInString(short))
	_, err := try(r, "a\x00b")
	require.Error(t, err)
	_, err = try(r, "a\xffb")
	require.Error(t, err)
}
