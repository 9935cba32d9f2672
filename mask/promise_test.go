package mask

import (
	"context"
	"testing"
	"unicode/utf8"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/stretchr/testify/require"
)

// keepPromises checks what every rule promises of every value, whatever it is:
// a result of valid UTF-8 without NUL that fits the column, the same from two
// maskers, or an error of kind Data that leaves dst alone.
func keepPromises(t *testing.T, r *Rule, rule string, value, subject []byte, limit int) {
	src := append([]byte(nil), value...)
	out, null, err := r.NewMasker().Append([]byte("x"), src, Row{Subject: subject})
	require.Equal(t, string(value), string(src), "rule %s changed its input", rule)
	if err != nil {
		require.Equal(t, "x", string(out))
		require.Equal(t, fault.Data, fault.KindOf(err), "rule %s: %v", rule, err)
		return
	}
	require.Equal(t, "x", string(out[:1]), "rule %s changed what stood before", rule)
	if null {
		require.Len(t, out, 1)
	}
	out = out[1:]
	require.True(t, utf8.Valid(out), "rule %s: not UTF-8", rule)
	require.NotContains(t, string(out), "\x00", "rule %s", rule)
	if limit > 0 && utf8.RuneCount(value) <= limit {
		require.LessOrEqual(t, utf8.RuneCount(out), limit, "rule %s: too long", rule)
	}
	m := r.NewMasker()
	for range 2 {
		again, againNull, err := m.Append(nil, value, Row{Subject: subject})
		require.NoError(t, err)
		require.Equal(t, null, againNull)
		require.Equal(t, string(out), string(again), "rule %s is not a function", rule)
	}
}

func FuzzRules(f *testing.F) {
	for _, s := range samples {
		for _, v := range s.values {
			f.Add([]byte(v), []byte("7"), uint8(0))
		}
	}
	f.Add([]byte("4111 1111 1111 1111"), []byte{}, uint8(25))
	f.Add([]byte("+\x00\xff"), []byte{0}, uint8(11))
	type bound struct {
		sample int
		limit  uint8
	}
	rules := map[bound]*Rule{}
	f.Fuzz(func(t *testing.T, value, subject []byte, limit uint8) {
		for i, s := range samples {
			col := column(s.sqlType)
			if col.kind() == kindText {
				col.MaxLen = int(limit)
			}
			r, ok := rules[bound{i, limit}]
			if !ok {
				var err error
				r, err = spec(t, s.rule).Compile(context.Background(), col, testEnv)
				require.True(t, err == nil || fault.KindOf(err) == fault.Policy, "%v", err)
				rules[bound{i, limit}] = r
			}
			if r != nil {
				keepPromises(t, r, s.rule, value, subject, col.MaxLen)
			}
		}
	})
}

// TestErrorsNeverShowTheValue hands every rule values that it cannot mask.
func TestErrorsNeverShowTheValue(t *testing.T) {
	const canary = "KANARIENVOGEL"
	failed := map[string]bool{}
	for _, s := range samples {
		r := compile(t, s.rule, column(s.sqlType))
		for _, v := range []string{
			canary, canary + " 4111", "4111 1111 1111 1111 " + canary, "1234567é" + canary, "2024-01-01 " + canary, "1e" + canary,
			"0190c8a5-7c1f-7d6e-9c0e-0a1b2c3d4e5f" + canary, canary + "\x00\xff", `{"` + canary + `": 1}`, "99999999999999999999999" + canary,
		} {
			_, err := try(r, v, canary)
			for e := err; e != nil; {
				failed[s.rule] = true
				require.NotContains(t, e.Error(), canary)
				require.NotContains(t, fault.HintOf(e), canary)
				unwrapped, ok := e.(interface{ Unwrap() error })
				if !ok {
					break
				}
				e = unwrapped.Unwrap()
			}
		}
	}
	for _, rule := range []string{"fpe", "uuid", "date_shift(days=30)", "number_noise(percent=10)", "redact_text"} {
		require.True(t, failed[rule], rule)
	}
}
