package ff1_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/tokenize/ff1"
)

// Where FIPS 140 is enforced, which is decided when a process starts, FF1 refuses.
func TestEnforcedFIPS(t *testing.T) {
	if fips140.Enforced() {
		_, err := ff1.New(make([]byte, 32), 10)
		require.Equal(t, ff1.ErrFIPS, err)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestEnforcedFIPS$", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestEnforcedFIPS")
}
