package mask

import (
	"github.com/privet-dev/privet/internal/cmac"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask/fake"
)

var dateShiftRule = &definition{
	name: "date_shift",
	doc: "The date moves by 1 to days days into the past or future, never by none; the time of day stays. With " +
		"by=subject all dates of one subject move alike, in every column of the same domain and days, so that the " +
		"intervals between them stay; with by=value each by its own. infinity stays. Text holds dates as " +
		"YYYY-MM-DD, perhaps with a time. Not injective: refused on unique columns.",
	params: []param{
		intParam("days", "the largest shift in days, 1 to 36500", "", 1, 36500).must(),
		choiceParam("by", "what chooses the shift: value or subject", "value", "value", "subject"),
		domainParam(),
	},
	kinds:   []sqlKind{kindDate, kindTimestamp, kindTimestampTZ, kindText},
	example: "date_shift(days=30, by=subject)", in: "1987-04-12", out: "1987-04-29", keyed: true,
	compile: func(b *build) (func() Masker, error) {
		if err := b.col.want("date_shift", kindDate, kindTimestamp, kindTimestampTZ, kindText); err != nil {
			return nil, err
		}
		if err := b.col.refuseUnique("date_shift", "two dates may meet", "use null, or keep the column with a reason"); err != nil {
			return nil, err
		}
		if b.col.limit() < 10 {
			return nil, fault.New(fault.Policy, "%s: rule date_shift needs 10 characters and the column takes %d", b.col, b.col.MaxLen)
		}
		prf, err := b.keyedByText("1")
		if err != nil {
			return nil, err
		}
		m := dateShiftMasker{
			prf: prf, col: b.col, kind: b.col.kind(), days: b.spec.int("days"),
			bySubject: b.spec.word("by") == "subject", canon: canonical{form: b.col.form()},
		}
		b.traits = Traits{Output: OutputSynthetic, NeedsSubject: m.bySubject, Domain: float64(2 * m.days)}
		return func() Masker { c := m; return &c }, nil
	},
}

type dateShiftMasker struct {
	prf       prf
	col       Column
	kind      sqlKind
	days      int
	bySubject bool
	canon     canonical
	scratch   cmac.Scratch
}

func (m *dateShiftMasker) Append(dst, src []byte, row Row) ([]byte, bool, error) {
	src = m.canon.value(src)
	if len(src) == 0 {
		return dst, false, nil
	}
	at, problem := parseMoment(src, m.kind)
	if problem != "" {
		return dst, false, fault.New(fault.Data, "%s: a value %s", m.col, problem).
			WithHint("date_shift reads dates as PostgreSQL prints them with DateStyle ISO")
	}
	if at.infinite {
		return append(dst, src...), false, nil
	}
	chooser := src
	if m.bySubject {
		if len(row.Subject) == 0 {
			return dst, false, fault.New(fault.Data, "%s: rule date_shift(by=subject) in a row without a subject", m.col).
				WithHint("name the table's `subject:` column, which may not be NULL where a date is, or use by=value")
		}
		chooser = row.Subject
	}
	shift := int64(fake.Index(m.prf.of(&m.scratch, chooser).hi, 2*m.days) - m.days)
	if shift >= 0 {
		shift++
	}
	at.day += shift
	if first, last := dayBounds(m.kind); at.day < first || at.day > last {
		return dst, false, fault.New(fault.Data, "%s: a date is too near the end of its type's range to be shifted", m.col)
	}
	return at.append(dst), false, nil
}
