package deployment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
)

// The file of the design, as an operator would write it.
const whole = `version: 1
keys:    {kek: "awskms:alias/privet", keystore: "service=privet", ledger: "service=ledger"}
vault:   "service=privet"
audit:   "service=audit"
listen:  {unix: /run/privet/api.sock, diagnostics: "127.0.0.1:9090"}
callers: {orders: {uid: 10001, roles: [writer]}}
roles:   {writer: [{do: [protect, tokenize], tenants: [acme]}]}
targets: {staging: {name: shop_staging, mark: "2026-11-21 7f3a"}}
`

func TestParse(t *testing.T) {
	c, err := Parse("/etc/privet/deployment.yaml", []byte(whole))
	require.NoError(t, err)
	require.Equal(t, "awskms:alias/privet", c.Keys.KEK)
	require.Equal(t, "service=ledger", c.Keys.Ledger)
	require.Equal(t, "service=audit", c.Audit)
	require.Equal(t, Listen{Unix: "/run/privet/api.sock", Diagnostics: "127.0.0.1:9090"}, c.Listen)
	require.Equal(t, map[string]Caller{"orders": {UID: new(uint32(10001)), Roles: []string{"writer"}}}, c.Callers)
	require.Equal(t, map[string][]Rule{"writer": {{Do: []string{"protect", "tokenize"}, Tenants: []string{"acme"}}}}, c.Roles)
	require.Equal(t, map[string]Target{"staging": {Name: "shop_staging", Mark: "2026-11-21 7f3a"}}, c.Targets)
	require.Equal(t, "/etc/privet/deployment.yaml", c.File())
	require.Equal(t, "/etc/privet/deployment.yaml:3:1", c.At("vault"))
	require.Equal(t, "/etc/privet/deployment.yaml:7:35", c.At("roles.writer[0].do[1]"))
	require.Equal(t, "/etc/privet/deployment.yaml:6:11", c.At("callers.orders.gid"), "the nearest thing around")
}

func TestRelativePathsAreOfTheFilesFolder(t *testing.T) {
	c, err := Parse("/etc/privet/deployment.yaml", []byte(`
version: 1
keys: {kek: "file:key.json", keystore: "sqlite:../lib/keys.db", passphrase_file: pass}
listen: {unix: run/api.sock}
callers: {web: {token_file: web.token, roles: []}}
`))
	require.NoError(t, err)
	require.Equal(t, Keys{KEK: "file:/etc/privet/key.json", Keystore: "sqlite:/etc/lib/keys.db", PassphraseFile: "/etc/privet/pass"}, c.Keys)
	require.Equal(t, "/etc/privet/run/api.sock", c.Listen.Unix)
	require.Equal(t, "/etc/privet/web.token", c.Callers["web"].TokenFile)
}

func TestParseRefuses(t *testing.T) {
	const keys = "version: 1\nkeys: {kek: \"file:/k\", keystore: \"sqlite:/s\"}\n"
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                {"", "d.yaml: the file is empty"},
		"not YAML":               {"version: 1\n  keys: [", "d.yaml:1:10: not valid YAML: "},
		"two documents":          {keys + "---\n" + keys, "more than one document"},
		"a list":                 {"- 1", "d.yaml:1:1: expected keys and values"},
		"unknown key":            {keys + "listem: {}\n", `d.yaml:3:1: unknown key "listem", did you mean "listen"?`},
		"unknown inner key":      {"version: 1\nkeys: {kex: a, keystore: b}", `d.yaml:2:8: unknown key "keys.kex", did you mean "kek"?`},
		"key in other case":      {"Version: 1\n", `did you mean "version"?`},
		"key twice":              {keys + "version: 1\n", "d.yaml:3:1: "},
		"no version":             {`keys: {kek: "file:/k", keystore: "sqlite:/s"}`, `the key "version" is missing`},
		"other version":          {strings.Replace(keys, "1", "2", 1), "d.yaml:1:1: version: version 2 of the format is unknown"},
		"version as text":        {strings.Replace(keys, "1", `"1"`, 1), "d.yaml:1:10: version: expected a whole number"},
		"no keystore":            {"version: 1\nkeys: {kek: \"file:/k\"}", `keys: the key "keystore" is missing`},
		"keys are null":          {"version: 1\nkeys:\n", "keys: a value is missing"},
		"KEK scheme":             {strings.Replace(keys, "file:", "fil:", 1), `d.yaml:2:8: keys.kek: expected awskms:alias/NAME, awskms:ARN or file:/path, did you mean "file"?`},
		"KEK without scheme":     {strings.Replace(keys, "file:/k", "/k", 1), "keys.kek: expected"},
		"KMS key by bare id":     {strings.Replace(keys, "file:/k", "awskms:1234", 1), "takes alias/NAME or the ARN"},
		"keystore scheme":        {strings.Replace(keys, "sqlite:", "sqlit:", 1), `keys.keystore: expected sqlite:/path or a PostgreSQL connection, did you mean "sqlite"?`},
		"ledger scheme":          {strings.Replace(keys, "}", ", ledger: \"sqlit:/l\"}", 1), `d.yaml:2:47: keys.ledger: expected sqlite:/path or a PostgreSQL connection, did you mean "sqlite"?`},
		"ledger in the keystore": {strings.Replace(keys, "}", ", ledger: \"sqlite:/x/../s\"}", 1), "d.yaml:2:47: keys.ledger: the ledger is in the keystore"},
		"passphrase of KMS":      {"version: 1\nkeys: {kek: \"awskms:alias/a\", keystore: \"sqlite:/s\", passphrase_file: /p}", "d.yaml:2:54: keys.passphrase_file: only a local key file"},
		"number for text":        {keys + "insecure: 12\n", "d.yaml:3:11: insecure: expected text"},
		"empty text":             {keys + "audit: ''\n", "audit: the value is empty"},
		"anchor":                 {keys + "roles: &a {}\ncallers: *a\n", "anchors and aliases are not accepted"},
		"tag":                    {keys + "audit: !!str x\n", "tags are not accepted"},
		"merge key":              {keys + "listen: {<<: {unix: /a}}\n", "a key is plain text"},
		"listen without port":    {keys + "listen: {tcp: localhost}\n", "d.yaml:3:10: listen.tcp: expected an address and a port"},
		"listen port too large":  {keys + "listen: {tcp: \"127.0.0.1:70000\"}\n", "listen.tcp: expected an address and a port"},
		"unknown operation":      {keys + "roles: {r: [{do: [encript], tenants: [a]}]}\n", `d.yaml:3:19: roles.r[0].do[0]: unknown operation "encript", did you mean "encrypt"?`},
		"rule without tenants":   {keys + "roles: {r: [{do: [encrypt]}]}\n", `roles.r[0]: the key "tenants" is missing`},
		"rule with no tenant":    {keys + "roles: {r: [{do: [encrypt], tenants: []}]}\n", `"tenants" lists no tenant`},
		"unknown role":           {keys + "roles: {writer: []}\ncallers: {a: {uid: 1, roles: [writter]}}\n", `d.yaml:4:31: callers.a.roles[0]: there is no role "writter", did you mean "writer"?`},
		"caller by nothing":      {keys + "callers: {a: {roles: []}}\n", "callers.a: a caller needs a uid, a gid or a token_file"},
		"caller by both":         {keys + "callers: {a: {uid: 1, gid: 1, roles: []}}\n", "a uid or a gid, not both"},
		"two callers, one uid":   {keys + "callers: {a: {uid: 1, roles: []}, b: {uid: 1, roles: []}}\n", `callers.b: uid 1 is that of caller "a"`},
		"caller nobody":          {keys + "callers: {a: {uid: 65534, roles: []}}\n", "identifies no one"},
		"negative uid":           {keys + "callers: {a: {uid: -1, roles: []}}\n", "callers.a.uid: expected a whole number"},
		"uid too large":          {keys + "callers: {a: {uid: 4294967296, roles: []}}\n", "expected a whole number from 0 to 4294967295"},
		"name with a dot":        {keys + "callers: {a.b: {uid: 1, roles: []}}\n", "a name has no spaces, dots or brackets"},
		"target without mark":    {keys + "targets: {s: {name: x}}\n", `targets.s: the key "mark" is missing`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("d.yaml", []byte(c.text))
			require.ErrorContains(t, err, c.want)
			require.Equal(t, fault.Config, fault.KindOf(err))
		})
	}
}

// Whatever is wrong with the file, and wherever, its passwords stay in it.
func TestErrorsHoldNoPassword(t *testing.T) {
	const canary = "hunter2canary"
	conn := `"postgresql://privet:` + canary + `@db.example.org/privet"`
	for name, text := range map[string]string{
		"syntax":        "version: 1\nkeys: {kek: \"file:/k\", keystore: " + conn + "\nx: [",
		"open quote":    "version: 1\nkeys: {kek: file:/k, keystore: \"postgresql://privet:" + canary + "@db",
		"tab":           "version: 1\nkeys:\n\tkeystore: " + conn,
		"duplicate key": "version: 1\naudit: " + conn + "\naudit: " + conn,
		"wrong type":    "version: " + conn,
		"scheme":        "version: 1\nkeys: {kek: " + conn + ", keystore: " + conn + "}",
		"keystore":      "version: 1\nkeys: {kek: \"file:/k\", keystore: \"pg://u:" + canary + "@h/d\"}",
		"listen":        "version: 1\nkeys: {kek: \"file:/k\", keystore: " + conn + "}\nlisten: {tcp: " + conn + "}",
		"list expected": "version: 1\nroles: {r: " + conn + "}",
		"no TLS":        "version: 1\nkeys: {kek: \"file:/k\", keystore: " + conn + "}",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Parse("d.yaml", []byte(text))
			if err == nil {
				_, err = Open(t.Context(), c, Options{})
			}
			require.Error(t, err)
			require.NotContains(t, err.Error()+fault.HintOf(err), canary)
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "deployment.yaml")
	t.Setenv(EnvConfig, path)

	_, err := Load("")
	require.ErrorContains(t, err, "does not exist")
	_, err = Load(dir)
	require.ErrorContains(t, err, "is a folder")

	require.NoError(t, os.WriteFile(path, []byte(whole), 0o644))
	c, err := Load("")
	require.NoError(t, err)
	require.Equal(t, path, c.File())

	require.NoError(t, os.WriteFile(path, make([]byte, maxFile+1), 0o644))
	_, err = Load(path)
	require.ErrorContains(t, err, "larger than")
}

func TestAPasswordInAFileThatOthersRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deployment.yaml")
	for _, conn := range []string{
		"postgresql://privet:hunter2@localhost/privet",
		"postgresql://privet@localhost/privet?password=hunter2",
		"host=localhost password=hunter2",
		"postgresql://privet:hun%zzter2@localhost/privet",
	} {
		require.NoError(t, os.WriteFile(path, []byte("version: 1\nkeys: {kek: \"file:/k\", keystore: \""+conn+"\"}"), 0o644))
		require.NoError(t, os.Chmod(path, 0o644))
		_, err := Load(path)
		require.ErrorContains(t, err, "deployment.yaml:2:24: keys.keystore holds a password, and other users may read the file", conn)
		require.NotContains(t, err.Error(), "ter2")
		require.NoError(t, os.Chmod(path, 0o640))
		_, err = Load(path)
		require.NoError(t, err, conn)
	}
}

func TestAFileWithoutKeysHasTheEmbeddedOnes(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	path := filepath.Join(t.TempDir(), "deployment.yaml")
	require.NoError(t, os.WriteFile(path, []byte("version: 1\ntargets: {staging: {name: shop_staging, mark: m}}\n"), 0o600))
	c, err := Load(path)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(state, "privet"), c.StateDir())
	d, err := Open(t.Context(), c, Options{})
	require.NoError(t, err)
	defer d.Close()
	require.FileExists(t, filepath.Join(state, "privet", "key.json"))
	key, err := d.ReceiptKey(t.Context())
	require.NoError(t, err)
	again, err := d.ReceiptKey(t.Context())
	require.NoError(t, err)
	require.Equal(t, key, again)
}

func TestDefault(t *testing.T) {
	state := t.TempDir()
	t.Setenv(EnvConfig, "")
	t.Setenv("XDG_STATE_HOME", state)
	c, err := Load("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(state, "privet"), c.StateDir())
	require.Equal(t, "file:"+filepath.Join(state, "privet", "key.json"), c.Keys.KEK)
	require.Equal(t, "embedded defaults", c.At("keys.kek"))
	require.NoDirExists(t, filepath.Join(state, "privet"), "nothing is made before Open")

	t.Setenv("XDG_STATE_HOME", "relative/is/ignored")
	t.Setenv("HOME", state)
	c, err = Default("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(state, ".local", "state", "privet"), c.StateDir())
	require.NoError(t, c.check(), "the defaults pass the checks of a file")
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("version: 1\nkeys: &a {kek: *a}"))
	f.Add([]byte("? [a]\n: {b: |\n  c}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("d.yaml", data)
		if err != nil {
			require.Equal(t, fault.Config, fault.KindOf(err))
			return
		}
		require.Equal(t, 1, c.Version)
		require.NotEmpty(t, c.Keys.KEK)
	})
}
