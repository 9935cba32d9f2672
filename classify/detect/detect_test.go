package detect

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/privet-dev/privet/classify"
	"github.com/stretchr/testify/require"
)

// marked renders the findings in a text as ⟦type:value⟧.
func marked(text string) string {
	var b strings.Builder
	at := 0
	for f := range New().All([]byte(text)) {
		b.WriteString(text[at:f.Start])
		b.WriteString("⟦" + string(f.Type) + ":" + text[f.Start:f.End] + "⟧")
		at = f.End
	}
	return b.String() + text[at:]
}

func TestFinds(t *testing.T) {
	for _, want := range []string{
		// E-mail addresses.
		"⟦email:ann@mail.com⟧",
		"write to <⟦email:ann.lee+news@sub.mail-host.co.uk⟧>.",
		"⟦email:ann@mail.com⟧, ⟦email:bob@mail.com⟧;⟦email:c@d.de⟧",
		"'⟦email:o'brien@mail.com⟧'",
		"mailto:⟦email:ann@mail.com⟧?subject=x",
		"⟦email:ann_lee%x@MAIL.COM⟧…",
		"⟦email:müller@bücher.de⟧ und ⟦email:иван@почта.рф⟧",
		"⟦email:a@xn--80a1acny.xn--p1ai⟧",
		"me ⟦email:ann@mail.com⟧@home",
		`{"e":"⟦email:ann@mail.com⟧"}`,
		"ends ⟦email:ann@mail.com⟧.",
		"⟦email:1234567@mail.com⟧",
		"⟦email:4111111111111111@mail.com⟧",
		// Phone numbers.
		"⟦phone:+49 30 901820⟧",
		"⟦phone:+4930901820⟧.",
		"tel ⟦phone:+1 (555) 123-4567⟧ or ⟦phone:+44 20 7946 0958⟧",
		"⟦phone:0049 30 901820⟧",
		"⟦phone:(555) 223-4567⟧",
		"call ⟦phone:555-223-4567⟧!",
		"⟦phone:555.223.4567⟧",
		"⟦phone:1-555-223-4567⟧",
		"⟦phone:030 9018 2044⟧",
		"⟦phone:0151/23456789⟧",
		"⟦phone:(030) 9018-2044⟧",
		"⟦phone:+49 30 901820⟧ 12:30, ⟦phone:+49 30 901820⟧ ⟦ip_address:2001:db8::1⟧",
		// Card numbers.
		"⟦card_number:4111111111111111⟧",
		"⟦card_number:4111 1111 1111 1111⟧ 12/25 123",
		"⟦card_number:4111-1111-1111-1111⟧",
		"card ⟦card_number:5555555555554444⟧,⟦card_number:378282246310005⟧",
		"⟦card_number:3782 822463 10005⟧",
		"⟦card_number:6011111111111117⟧ ⟦card_number:2221000000000009⟧ ⟦card_number:30569309025904⟧",
		// IBANs.
		"⟦iban:DE89370400440532013000⟧",
		"IBAN: ⟦iban:DE89 3704 0044 0532 0130 00⟧.",
		"⟦iban:gb82west12345698765432⟧",
		"⟦iban:FR14 2004 1010 0505 0001 3M02 606⟧ ⟦iban:NO9386011117947⟧",
		// US social security numbers.
		"SSN ⟦us_ssn:123-45-6789⟧.",
		"⟦us_ssn:899-45-6789⟧ x",
		// IP addresses.
		"from ⟦ip_address:192.168.10.1⟧.",
		"⟦ip_address:10.0.0.1⟧:8080/x",
		"[⟦ip_address:2001:db8::1⟧]",
		"⟦ip_address:fe80::1ff:fe23:4567:890a⟧: up",
		"⟦ip_address:::1⟧ and ⟦ip_address:::ffff:10.0.0.1⟧",
		"⟦ip_address:2001:db8::⟧/32",
		// Several at once, invalid UTF-8 between.
		"\xff⟦email:a@b.de⟧\xff ⟦phone:+49 30 901820⟧\xc3(",
	} {
		text := strings.NewReplacer("⟦", "", "⟧", "").Replace(want)
		for _, typ := range New().Types() {
			text = strings.ReplaceAll(text, string(typ)+":", "")
		}
		require.Equal(t, want, marked(text))
	}
}

func TestFindsNothing(t *testing.T) {
	for _, text := range []string{
		"", " ", "@", "a@", "@b.de", "a@b", "a@.de", "a@b..de", "a.@b.de", "a@-b.de", "a@b-.de", "a @b.de", "a@b. de",
		"icon@2x.png", "user@localhost", "a@b.c", "a@1.2", "@handle", "git@", "x@y.z9",
		"2024-01-31", "2024-01-31 12:13:14", "01.02.2003", "01/02/2003", "01.02.2003 10:11", "12:13:14", "1999-2004",
		"order 1234567890123456", "4111111111111112", "1234 5678 9012 3456", "00000000000000000000",
		"invoice 2024-000123-77", "1,234,567.89", "123456789", "1234567", "12345678901234567890123456789",
		"000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "123-45-67890", "1123-45-6789", "123-45-6789-1",
		"DE89370400440532013001", "DE8937040044053201300", "XX89370400440532013000", "DE893704004405320130001",
		"1.2.3", "1.2.3.4.5", "256.1.1.1", "v1.2.3.4x", "1.2.3.256", "::", "a::b::c", "12:13", "00:11:22:33:44:55", "std::vector", "0.0.0.0",
		"+49", "+1 2", "(555) 123", "+0 30 901820", "+", "(", ":", "((((((((", "0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f",
		"f47ac10b-58cc-4372-a567-0e02b2c3d479", "deadbeefdeadbeef", "x4111111111111111", "4111111111111111x", "_4111111111111111",
		"3.14159265358979", "1e10", "10-20-30-40-50-60", "\xff\xfe\xfd", "ｅ４１１１１１１１１１１１１１１１", "ISBN 978-3-16-148410-0",
	} {
		require.Equal(t, text, marked(text))
	}
}

func TestScoresAndOrder(t *testing.T) {
	text := []byte("a@b.de 4111111111111111 DE89370400440532013000 10.0.0.1 123-45-6789 +49 30 901820 2001:db8::1")
	found := New().Append(nil, text)
	require.Len(t, found, 7)
	for i, f := range found {
		require.Greater(t, f.Score, 0.0)
		require.LessOrEqual(t, f.Score, 1.0)
		require.Contains(t, New().Types(), f.Type)
		if i > 0 {
			require.GreaterOrEqual(t, f.Start, found[i-1].End)
		}
	}
	require.Equal(t, found, slices.Collect(New().All(text)))
	for f := range New().All(text) {
		require.Equal(t, classify.Email, f.Type)
		break
	}
	require.True(t, New().Contains(text))
	require.False(t, New().Contains([]byte("nothing here")))
	require.Equal(t, found[:1], New().Append(found[:1:1], nil))
}

func TestAppendDoesNotAllocate(t *testing.T) {
	text := []byte("a@b.de 4111111111111111 DE89370400440532013000 10.0.0.1 123-45-6789 +49 30 901820 2001:db8::1 4111 1111 a:b:c::x")
	dst := make([]Finding, 0, 16)
	d := New()
	require.Zero(t, testing.AllocsPerRun(100, func() { d.Append(dst, text) }))
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("a@b.de 4111 1111 1111 1111 DE89370400440532013000 10.0.0.1 123-45-6789 +49 30 901820 2001:db8::1"))
	f.Add([]byte("\xff@\xff.\xff 0049\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		end := 0
		for f := range New().All(text) {
			require.GreaterOrEqual(t, f.Start, end)
			require.Greater(t, f.End, f.Start)
			require.LessOrEqual(t, f.End, len(text))
			end = f.End
			// What is found is found again on its own.
			again := New().Append(nil, text[f.Start:f.End])
			require.Len(t, again, 1, "%q", text[f.Start:f.End])
			require.Equal(t, f.Type, again[0].Type)
			require.Equal(t, f.End-f.Start, again[0].End-again[0].Start)
		}
		require.Equal(t, before, text)
	})
}

func BenchmarkDetect(b *testing.B) {
	text := []byte(strings.Repeat("Dear Ms Lee, order 20240131 of 31.01.2024 was sent on; please call us back on +49 30 901820 or write to service@mail.com. ", 64))
	dst := make([]Finding, 0, 256)
	b.Run("index-byte", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			bytes.IndexByte(text, 0)
		}
	})
	b.Run("detect", func(b *testing.B) {
		d := New()
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			d.Append(dst, text)
		}
	})
}
