package refresh

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/mask"
)

func TestBesideName(t *testing.T) {
	require.Equal(t, "shop_privet_0011aabb", besideName("shop", "_privet_", "0011aabb"))
	rapid.Check(t, func(t *rapid.T) {
		target := rapid.StringN(1, 63, 63).Draw(t, "target")
		name := besideName(target, "_privet_", "0011aabb")
		if len(name) > maxName || !strings.HasSuffix(name, "_privet_0011aabb") || utf8.ValidString(target) != utf8.ValidString(name) {
			t.Fatalf("%q", name)
		}
	})
}

func TestProgramFaultsQuoteNoRow(t *testing.T) {
	exit := errors.New("exit status 1")
	for _, c := range []struct {
		name, stderr string
		kind         fault.Kind
		want         string
	}{
		{"unique", "pg_restore: while PROCESSING TOC:\npg_restore: from TOC entry 3375; 2606 16411 CONSTRAINT customer customer_email_key owner\n" +
			"pg_restore: error: could not execute query: ERROR:  could not create unique index \"customer_email_key\"\nDETAIL:  Key (email)=(bob@x) is duplicated.\nCommand was: ALTER TABLE x\n",
			fault.Data, `pg_restore: CONSTRAINT customer customer_email_key: could not create unique index "customer_email_key"`},
		{"foreign key", "pg_restore: error: could not execute query: ERROR:  insert or update on table \"orders\" violates foreign key constraint \"fk\"\nDETAIL:  Key (customer)=(bob@x) is not present in table \"customer\".\n",
			fault.Data, `pg_restore: insert or update on table "orders" violates foreign key constraint "fk"`},
		{"value in the message", "pg_restore: error: could not execute query: ERROR:  invalid input value for enum mood: \"bob@x\"\n",
			fault.Unexpected, "pg_restore: the server refused a statement (its message may quote rows and is left out)"},
		{"error in a detail", "pg_restore: error: could not execute query: ERROR:  could not create unique index \"u\"\nDETAIL:  Key (note)=(error: bob@x) is duplicated.\n",
			fault.Data, `pg_restore: could not create unique index "u"`},
		{"rights", "pg_restore: error: could not execute query: ERROR:  permission denied to create extension \"postgis\"\nHINT:  Must be superuser.\n",
			fault.Config, `pg_restore: permission denied to create extension "postgis"`},
		{"connection", "pg_restore: error: connection to server on socket \"/x\" failed: FATAL:  database \"y\" does not exist\n",
			fault.Config, `pg_restore: database "y" does not exist`},
		{"silence", "", fault.Unexpected, "pg_restore: exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := programFault("pg_restore", c.stderr, exit)
			require.Equal(t, c.want, err.Error())
			if c.name != "connection" {
				require.Equal(t, c.kind, fault.KindOf(err))
			}
			require.NotContains(t, err.Error(), "bob")
			require.ErrorIs(t, err, exit)
		})
	}
}

func TestChooseLeavesLiveWiresOut(t *testing.T) {
	c := &schema{}
	kept := c.choose([]byte(strings.Join([]string{
		"; Archive created at 2026-11-21", "2; 3079 16384 EXTENSION - citext ", "3300; 0 0 COMMENT - EXTENSION citext ",
		"200; 1259 16385 TABLE public customer owner", "3301; 0 0 ACL public TABLE customer owner", "3302; 0 0 COMMENT public TABLE customer owner",
		"210; 1417 16390 USER MAPPING - USER MAPPING app SERVER elsewhere owner", "211; 6104 16391 PUBLICATION - everything owner",
		"212; 6106 16392 PUBLICATION TABLE public everything customer owner", "213; 3466 16393 EVENT TRIGGER - loud owner", "3303; 0 0 COMMENT - EVENT TRIGGER loud owner",
	}, "\n")))
	require.Equal(t, "2; 3079 16384 EXTENSION - citext \n200; 1259 16385 TABLE public customer owner\n3302; 0 0 COMMENT public TABLE customer owner\n", string(kept))
	require.Equal(t, []string{"user mapping - USER MAPPING app SERVER elsewhere", "publication - everything", "publication table public everything customer", "event trigger - loud"}, c.leftOut)
}

func TestFingerprintIgnoresWhatChangesByItself(t *testing.T) {
	a := fingerprint([]byte("-- Dumped by 15.18\n\\restrict abc\nCREATE TABLE x ();\n\n"))
	require.Equal(t, a, fingerprint([]byte("-- Dumped by 15.19\n\\restrict def\n\nCREATE TABLE x ();\n\\unrestrict def\n")))
	require.NotEqual(t, a, fingerprint([]byte("CREATE TABLE y ();\n")))
}

func TestSettingLiterals(t *testing.T) {
	require.Equal(t, `'a', '$user', 'B "c', 'x, y'`, settingLiteral("search_path", `a, "$user", "B ""c", "x, y"`))
	require.Equal(t, `''`, settingLiteral("search_path", ``))
	require.Equal(t, `''`, settingLiteral("search_path", `""`))
	require.Equal(t, `'a, b'`, settingLiteral("app.list", "a, b"))
	require.Equal(t, `'it''s'`, settingLiteral("app.name", "it's"))
	require.Equal(t, `"app"."name"`, settingName("app.name"))
}

func TestStates(t *testing.T) {
	s := state{State: stateVerified, Target: `a "b" \ c`, Run: "1"}
	back, ok := parseState(s.comment())
	require.True(t, ok)
	require.Equal(t, s, back)
	for _, c := range []string{"", "privet-refresh", "privet-refresh {}", "privet-refresh {", "x privet-refresh " + s.comment()} {
		_, ok := parseState(c)
		require.False(t, ok, c)
	}
}

func TestQueryKindShowsNoValue(t *testing.T) {
	for query, want := range map[string]string{
		"alter table customer add secret text default 'bob'": "ALTER TABLE", "  TRUNCATE x": "TRUNCATE", "DROP INDEX i": "DROP INDEX",
		"": "ACCESS EXCLUSIVE", "<insufficient privilege>": "ACCESS EXCLUSIVE", "/* bob */ ALTER TABLE x": "ACCESS EXCLUSIVE", "VACUUM FULL": "VACUUM",
	} {
		require.Equal(t, want, queryKind(query))
	}
}

// upper masks by shouting, and remembers the subject.
type upper struct{ subject string }

func (u *upper) Append(dst, src []byte, row mask.Row) ([]byte, bool, error) {
	u.subject = string(row.Subject)
	return append(dst, strings.ToUpper(string(src))...), false, nil
}

func TestViaMasker(t *testing.T) {
	u := &upper{}
	out, null, err := viaMasker{u}.Append([]byte(">"), []byte("4:Zoë:the: value"), mask.Row{})
	require.NoError(t, err)
	require.False(t, null)
	require.Equal(t, ">THE: VALUE", string(out))
	require.Equal(t, "Zoë:", u.subject)
	for _, bad := range []string{"", "x", "9:short", "-1:x", ":x"} {
		_, _, err := viaMasker{u}.Append(nil, []byte(bad), mask.Row{})
		require.ErrorIs(t, err, errNoSubject, bad)
	}
}

func FuzzSplitSubject(f *testing.F) {
	f.Add([]byte("4:Zoë:rest"))
	f.Fuzz(func(t *testing.T, b []byte) {
		subject, value, err := splitSubject(b)
		if err == nil && len(subject)+len(value) > len(b) {
			t.Fatal("more came out than went in")
		}
	})
}

func TestThrowawayKeys(t *testing.T) {
	k := newThrowaway()
	a, err := k.Subkey(context.Background(), "t", "d", "p", 32)
	require.NoError(t, err)
	b, err := k.Subkey(context.Background(), "t", "d", "q", 32)
	require.NoError(t, err)
	require.Len(t, a, 32)
	require.NotEqual(t, a, b)
}
