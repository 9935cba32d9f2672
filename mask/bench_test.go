package mask

import (
	"strings"
	"testing"

	"github.com/privet-dev/privet/internal/cmac"
	"github.com/stretchr/testify/require"
)

// hot are the rules that a row rewriter runs for every row, with a usual value.
var hot = []struct{ rule, sqlType, value string }{
	{"email", "text", "wilhelmina.montgomery@mail.com"},
	{"email", "citext", "Wilhelmina.Montgomery@mail.com"},
	{"username", "text", "wmontgomery87"},
	{"hash", "text", "device-8841-A"},
	{"first_name", "text", "Wilhelmina"},
	{"last_name", "text", "Montgomery"},
	{"full_name", "text", "Wilhelmina Montgomery"},
	{"city", "text", "Braunschweig"},
	{"company", "text", "Montgomery & Sons"},
	{"street_address", "text", "12 Rosewood Close"},
	{"phone", "text", "+49 30 90182044"},
	{"date_shift(days=30, by=subject)", "date", "1987-04-12"},
	{"date_shift(days=30)", "timestamptz", "2024-02-29 12:13:14.1516+00"},
	{"number_noise(percent=10)", "numeric", "4250.00"},
	{"partial(keep_last=4)", "text", "DE89370400440532013000"},
	{"redact_text", "text", "Please call me back on +49 30 901820 or mail ann.lee@mail.com, the parcel never came."},
	{"uuid", "uuid", "0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f"},
	{"fpe(keep_last=4, format=card)", "text", "4111 1111 1111 1111"},
	{"fpe", "int8", "12345678901"},
}

func TestHotRulesDoNotAllocate(t *testing.T) {
	for _, h := range hot {
		m := compile(t, h.rule, column(h.sqlType)).NewMasker()
		dst, src, row := make([]byte, 0, 256), []byte(h.value), Row{Subject: []byte("123456")}
		require.Zero(t, testing.AllocsPerRun(100, func() {
			_, _, err := m.Append(dst, src, row)
			if err != nil {
				panic(err)
			}
		}), h.rule)
	}
}

// BenchmarkRules stands beside one AES-CMAC of 20 bytes, the unit of the row
// rewriter's budget.
func BenchmarkRules(b *testing.B) {
	b.Run("aes-cmac-20-bytes", func(b *testing.B) {
		mac, err := cmac.New(make([]byte, 32))
		require.NoError(b, err)
		var s cmac.Scratch
		msg := make([]byte, 20)
		b.ReportAllocs()
		for b.Loop() {
			mac.SumWith(&s, msg)
		}
	})
	for _, h := range hot {
		b.Run(strings.ReplaceAll(h.rule, " ", "")+"/"+h.sqlType, func(b *testing.B) {
			m := compile(b, h.rule, column(h.sqlType)).NewMasker()
			dst, src, row := make([]byte, 0, 256), []byte(h.value), Row{Subject: []byte("123456")}
			b.ReportAllocs()
			for b.Loop() {
				m.Append(dst, src, row)
			}
		})
	}
}
