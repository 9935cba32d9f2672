package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/internal/fault"
)

// filter runs `privet ARGS…` between the two and returns the most memory it had, in
// bytes.
func filter(t *testing.T, state string, out io.Writer, in io.Reader, args ...string) int64 {
	t.Helper()
	privet := exec.Command("privet", args...)
	privet.Env = append(os.Environ(), "XDG_STATE_HOME="+state, "PRIVET_CONFIG=")
	privet.Stdin, privet.Stdout = in, out
	var said bytes.Buffer
	privet.Stderr = &said
	require.NoError(t, privet.Run(), "%s", &said)
	usage, ok := privet.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	return usage.Maxrss << 10
}

// 64 MB through a pipe take hardly more memory than 1 MB.
func TestFilesTakeConstantMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("how memory is measured differs")
	}
	state := t.TempDir()
	generated := func(n int64, sum hash.Hash) io.Reader {
		return io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), n), sum)
	}
	var peak [2][2]int64
	for i, size := range []int64{1 << 20, 64 << 20} {
		sealed, err := os.Create(filepath.Join(t.TempDir(), "sealed"))
		require.NoError(t, err)
		before, after := sha256.New(), sha256.New()
		peak[i][0] = filter(t, state, sealed, generated(size, before), "encrypt")
		_, err = sealed.Seek(0, io.SeekStart)
		require.NoError(t, err)
		// The struct hides the file, so that this is a pipe too.
		peak[i][1] = filter(t, state, after, struct{ io.Reader }{sealed}, "decrypt")
		require.NoError(t, sealed.Close())
		require.Equal(t, before.Sum(nil), after.Sum(nil))
	}
	t.Logf("peak of 1 MB %v, of 64 MB %v", peak[0], peak[1])
	require.Less(t, peak[1][0]-peak[0][0], int64(24<<20), "to encrypt")
	require.Less(t, peak[1][1]-peak[0][1], int64(24<<20), "to decrypt")
}

// A run that is stopped leaves nothing, though its input goes on and on.
func TestAStoppedFileLeavesNothing(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	t.Setenv("PRIVET_CONFIG", "")
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, feed := io.Pipe()
	defer in.Close()
	go func() {
		_, _ = feed.Write(make([]byte, 3<<20))
		cancel()
	}()
	var out, errs strings.Builder
	code := run(ctx, []string{"encrypt", "-o", filepath.Join(dir, "a")}, streams{in: in, out: &out, err: &errs})
	require.Equal(t, int(fault.Stopped), code, errs.String())
	require.Contains(t, errs.String(), "privet encrypt was stopped")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestProgressLine(t *testing.T) {
	require.Equal(t, "512.0 MiB, 256.0 MiB/s, about 6s left", progressLine(512<<20, 2<<30, 2*time.Second))
	require.Equal(t, "512.0 MiB, 256.0 MiB/s", progressLine(512<<20, 0, 2*time.Second))
	require.Equal(t, "0.0 b, 0.0 b/s", progressLine(0, 100, 0))
}
