package interop_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs builds both and returns what runs one: its output, or its error.
func programs(t *testing.T) (run func(stdin []byte, program string, args ...string) ([]byte, string)) {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./oldpath", "./onprivet")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return func(stdin []byte, program string, args ...string) ([]byte, string) {
		cmd := exec.Command(filepath.Join(bin, program), args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
		if err := cmd.Run(); err != nil {
			require.NotEmpty(t, stderr.String())
			return nil, stderr.String()
		}
		return stdout.Bytes(), ""
	}
}

var plaintexts = [][]byte{{}, []byte("ann@example.org"), bytes.Repeat([]byte{0, 0xff, '\n'}, 40_000)}

func TestBothDirections(t *testing.T) {
	run := programs(t)
	dir := t.TempDir()
	must := func(stdin []byte, program string, args ...string) []byte {
		t.Helper()
		out, failed := run(stdin, program, args...)
		require.Empty(t, failed, "%s %s", program, args)
		return out
	}
	must(nil, "onprivet", "setup", "-dir", dir)

	for name, tc := range map[string]struct {
		seal, open string
		at         []string
		keyring    bool
	}{
		"a tenant's values":  {"seal", "open", []string{"-tenant", "acme", "-field", "customer.email"}, true},
		"a subject's values": {"seal", "open", []string{"-tenant", "acme", "-subject", "4711", "-field", "customer.email"}, true},
		"envelopes":          {"envelope-seal", "envelope-open", []string{"-tenant", "acme", "-field", "customer.email"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			at := append([]string{"-dir", dir}, tc.at...)
			on := func(verb string) []string { return append([]string{verb}, at...) }
			old := on
			if tc.keyring {
				file := filepath.Join(t.TempDir(), "keyring.json")
				must([]byte("the first value makes the keyring"), "onprivet", on("seal")...)
				require.NoError(t, os.WriteFile(file, must(nil, "onprivet", on("export")...), 0o600))
				old = func(verb string) []string { return append(on(verb), "-keyring", file) }
			}
			for _, plaintext := range plaintexts {
				ours := must(plaintext, "onprivet", on(tc.seal)...)
				require.True(t, bytes.Equal(plaintext, must(ours, "oldpath", old(tc.open)...)), "Tink opens ours")
				theirs := must(plaintext, "oldpath", old(tc.seal)...)
				require.True(t, bytes.Equal(plaintext, must(theirs, "onprivet", on(tc.open)...)), "we open Tink's")
				require.Len(t, ours, len(theirs))

				// Both refuse another field and a changed byte.
				for program, args := range map[string][]string{"oldpath": old(tc.open), "onprivet": on(tc.open)} {
					for _, sealed := range [][]byte{ours, theirs} {
						_, failed := run(sealed, program, append(args, "-field", "customer.phone")...)
						require.NotEmpty(t, failed, program)
						changed := bytes.Clone(sealed)
						changed[len(changed)-1] ^= 1
						_, failed = run(changed, program, args...)
						require.NotEmpty(t, failed, program)
					}
				}
			}
		})
	}
}

// The former path does not know XAES-256-GCM, and says so instead of opening nothing.
func TestFormerPathDoesNotKnowXAES(t *testing.T) {
	run := programs(t)
	dir := t.TempDir()
	at := []string{"-dir", dir, "-tenant", "acme", "-field", "customer.email"}
	for _, verb := range []string{"setup", "seal"} {
		_, failed := run([]byte("x"), "onprivet", append([]string{verb, "-xaes"}, at...)...)
		require.Empty(t, failed)
	}
	keyring, failed := run(nil, "onprivet", append([]string{"export"}, at...)...)
	require.Empty(t, failed)
	file := filepath.Join(dir, "keyring.json")
	require.NoError(t, os.WriteFile(file, keyring, 0o600))
	_, failed = run(nil, "oldpath", append([]string{"open", "-keyring", file}, at...)...)
	require.Contains(t, strings.ToLower(failed), "xaes")
}
