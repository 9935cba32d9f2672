package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/examples/shop"
	"github.com/privet-dev/privet/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestDemo plays the demo on a small shop, with the command as it is now.
func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command and refreshes a database")
	}
	pgtest.Shared(t) // skips where there is no server
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "privet"), "github.com/privet-dev/privet/cmd/privet")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	var stdout, stderr bytes.Buffer
	o := options{
		privet: filepath.Join(dir, "privet"), receipt: filepath.Join(dir, "receipt.json"),
		size: shop.Size{Customers: 400, Orders: 900}, out: &stdout, err: &stderr,
	}
	require.NoError(t, run(t.Context(), o), "%s\n%s", &stdout, &stderr)

	receipt, err := os.ReadFile(o.receipt)
	require.NoError(t, err)
	require.True(t, json.Valid(receipt))
	require.Contains(t, stdout.String(), o.receipt)
	require.Contains(t, stdout.String(), `"pvt1.`, "the sidecar's answer")
	require.NotContains(t, stdout.String(), "NULL", "five customers with something to show")

	places := regexp.MustCompile(`(?m)^\$ cd (\S+)$|PGHOST=(\S+)`).FindAllStringSubmatch(stdout.String(), -1)
	require.Len(t, places, 2)
	for _, m := range places {
		require.NoDirExists(t, m[1]+m[2])
	}
}

func TestTypedIsWhatAShellWants(t *testing.T) {
	args := []string{"plain", "dbname=shop", "two words", "it's", `{"a": "$HOME"}`, "*", `back\slash`}
	out, err := exec.Command("/bin/sh", "-c", "printf '%s\\n' "+typed(args)).Output()
	require.NoError(t, err)
	want := ""
	for _, a := range args {
		want += a + "\n"
	}
	require.Equal(t, want, string(out))
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 200_000: "200,000", 1_020_003: "1,020,003"} {
		require.Equal(t, want, thousands(n))
	}
}
