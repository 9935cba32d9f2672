package mask

import (
	"bytes"
	"unicode/utf8"

	"github.com/privet-dev/privet/classify/detect"
	"github.com/privet-dev/privet/internal/fault"
)

var redactTextRule = &definition{
	name: "redact_text",
	doc: "Free text in which every e-mail address, phone, card and social security number, IBAN and IP address that " +
		"is found becomes its type in brackets. Everything else stays: names and stories do too. Text that grows " +
		"beyond the column's length is cut. Not injective: refused on unique columns.",
	kinds:   []sqlKind{kindText},
	example: "redact_text", in: "call +49 30 901820 or mail ann.lee@mail.com", out: "call [phone] or mail [email]",
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("redact_text", kindText); err != nil {
			return nil, err
		}
		if err := b.col.refuseUnique("redact_text", "two texts may differ in what is redacted only", "use hash or null"); err != nil {
			return nil, err
		}
		b.traits = Traits{Output: OutputPartial}
		d, col := detect.New(), b.col
		return func() Masker {
			return &redactMasker{detector: d, col: col, limit: col.limit(), canon: canonical{form: col.form().shown()}}
		}, nil
	},
}

type redactMasker struct {
	detector *detect.Detector
	col      Column
	limit    int
	canon    canonical
	findings []detect.Finding
}

func (m *redactMasker) Append(dst, src []byte, _ Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if bytes.IndexByte(src, 0) >= 0 || !utf8.Valid(src) {
		return dst, false, fault.New(fault.Data, "%s: a value is not text: it has a NUL or is not UTF-8", m.col)
	}
	m.findings = m.detector.Append(m.findings[:0], src)
	start, at := len(dst), 0
	for _, f := range m.findings {
		dst = append(dst, src[at:f.Start]...)
		dst = append(append(append(dst, '['), f.Type...), ']')
		at = f.End
	}
	dst = append(dst, src[at:]...)
	if len(m.findings) > 0 {
		dst = cut(dst, start, m.limit)
	}
	return dst, false, nil
}

// cut shortens the text from start on to limit characters.
func cut(dst []byte, start, limit int) []byte {
	if len(dst)-start <= limit {
		return dst
	}
	at := start
	for n := 0; at < len(dst) && n < limit; n++ {
		_, size := utf8.DecodeRune(dst[at:])
		at += size
	}
	return dst[:at]
}
