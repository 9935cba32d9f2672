package classify

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTag(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Tag
	}{
		{"public", Tag{Level: Public}},
		{"internal,subject", Tag{Level: Internal, Subject: true}},
		{"internal,tenant", Tag{Level: Internal, Tenant: true}},
		{"confidential,type=email,encrypt=customer.email,mask=email,retain=730d",
			Tag{Level: Confidential, Type: Email, Encrypt: "customer.email", Mask: "email", Retain: Period{730, 'd'}}},
		{"restricted,tokenize=cards,mask=fpe(keep_last=4, domain=cards),type=card_number",
			Tag{Level: Restricted, Type: CardNumber, Tokenize: "cards", Mask: "fpe(keep_last=4, domain=cards)"}},
		{`internal,mask=constant('a,)b'),retain=6mo`, Tag{Level: Internal, Mask: `constant('a,)b')`, Retain: Period{6, 'm'}}},
		{`internal,mask=constant("\"),"),retain=1y`, Tag{Level: Internal, Mask: `constant("\"),")`, Retain: Period{1, 'y'}}},
		{`internal,mask=constant('it''s, ok')`, Tag{Level: Internal, Mask: `constant('it''s, ok')`}},
	} {
		got, err := ParseTag(tt.in)
		require.NoError(t, err, tt.in)
		require.Equal(t, tt.want, got, tt.in)
		again, err := ParseTag(got.String())
		require.NoError(t, err, "canonical form of %s", tt.in)
		require.Equal(t, got, again)
	}
}

func TestParseTagErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "is empty"},
		{"-", "tagged public"},
		{"confidental", `unknown level "confidental", did you mean "confidential"?`},
		{"Confidential", `did you mean "confidential"?`},
		{"secrets", "it is public, internal, confidential or restricted"},
		{"unclassified", "unknown level"},
		{"email", "write confidential,type=email"},
		{"type=email", "a level comes first, as in confidential,type=email"},
		{",type=email", "begins with a comma"},
		{" confidential", `space beside "confidential"`},
		{"confidential, type=email", `space beside "type=email"`},
		{"confidential,", "ends with one"},
		{"confidential,,subject", "two commas"},
		{"confidential,restricted", "a second level"},
		{"confidential,email", "write type=email"},
		{"confidential,type=emial", `unknown type "emial", did you mean "email"?`},
		{"confidential,typ=email", `unknown item "typ", did you mean "type"?`},
		{"confidential,crypt", `did you mean "encrypt"?`},
		{"confidential,colour=red", "after the level come type, encrypt"},
		{"confidential,type", "type without a value, as in type=email"},
		{"confidential,type=", "type without a value"},
		{"internal,subject=yes", "stands alone"},
		{"internal,subject,subject", "says subject twice"},
		{"internal,type=city,type=city", "says type twice"},
		{"restricted,encrypt=1st", "a name starts with a letter"},
		{"restricted,encrypt=a b", "a name starts with a letter"},
		{"restricted,tokenize=" + strings.Repeat("a", 129), "128 bytes at most"},
		{"restricted,retain=2h", "the units are d, mo and y"},
		{"restricted,retain=6m", "months are written mo"},
		{"restricted,retain=730", "has no unit"},
		{"restricted,retain=0d", "not within 1 and 36525"},
		{"restricted,retain=forever", "is not a period"},
		{"restricted,mask=fpe(keep_last=4", "the closing parenthesis is missing"},
		{"restricted,mask=fpe(keep_last=4)x", "goes on after"},
		{"restricted,mask=constant('x)", "the closing quote is missing"},
		{"restricted,mask=(x)", "begins with its name"},
		{"restricted,mask=a b", "a rule is a name"},
		{"restricted,encrypt=a,tokenize=b", "one form"},
		{"internal,subject,tenant", "both subject and tenant"},
		{"internal,subject,encrypt=a", "needed in the clear"},
		{"public,encrypt=a", "protects what it calls public"},
	} {
		_, err := ParseTag(tt.in)
		require.ErrorContains(t, err, tt.want, "tag %q", tt.in)
	}
}

func FuzzParseTag(f *testing.F) {
	for _, s := range []string{
		"public", "confidential,type=email,encrypt=customer.card,tokenize=cards,mask=email,retain=730d,subject,tenant",
		"restricted,mask=fpe(keep_last=4,x=y)", `internal,mask=constant('a,)b''"')`, `internal,mask=c("\"")`, ",", "-", "internal,=",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tag, err := ParseTag(s)
		if err != nil {
			return
		}
		require.NotEqual(t, Unclassified, tag.Level)
		again, err := ParseTag(tag.String())
		require.NoError(t, err, "canonical form %q of %q", tag.String(), s)
		require.Equal(t, tag, again)
	})
}
