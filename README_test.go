package privet_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/sidecar"
)

// snippets returns the README's fenced blocks of a language.
func snippets(t *testing.T, language string) (all []string) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for i, block := range strings.Split(string(readme), "```") {
		if code, ok := strings.CutPrefix(block, language+"\n"); ok && i%2 == 1 {
			all = append(all, code)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// What the snippets take as given. The value to encrypt is a variable of the
// function's own, as it would be in the reader's.
const given = `
var (
	ctx   context.Context
	kek   kms.KEK
	store keystore.Store
)

func snippet() {
	var card []byte
`

func TestTheREADMEsGoCompiles(t *testing.T) {
	dir := t.TempDir()
	for i, snippet := range snippets(t, "go") {
		imports, body := "", snippet
		if rest, ok := strings.CutPrefix(snippet, "import ("); ok {
			imports, body, ok = strings.Cut(rest, "\n)\n")
			require.True(t, ok)
		}
		for _, path := range []string{"context", module + "/crypto", module + "/crypto/kms", module + "/crypto/keystore"} {
			if !strings.Contains(imports, `"`+path+`"`) {
				imports += fmt.Sprintf("\n%q", path)
			}
		}
		source := "package snippet\nimport (" + imports + "\n)\n" + given + body
		file := filepath.Join(dir, fmt.Sprintf("snippet%d.go", i))
		require.NoError(t, os.WriteFile(file, []byte(source+used(t, source)+"}\n"), 0o600))
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, file).CombinedOutput()
		require.NoError(t, err, "%s\n%s", out, snippet)
	}
}

// used returns statements that use every variable that the function declares: a
// snippet may leave them to its reader.
func used(t *testing.T, source string) string {
	file, err := parser.ParseFile(token.NewFileSet(), "", source+"}", 0)
	require.NoError(t, err, source)
	var b strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, name := range a.Lhs {
				fmt.Fprintf(&b, "_ = %s\n", name.(*ast.Ident).Name)
			}
		}
		return true
	})
	return b.String()
}

// TestTheREADMEsCurlWorks types the README's call against the sidecar that the
// README starts.
func TestTheREADMEsCurlWorks(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI needs curl")
		t.Skip("no curl")
	}
	t.Setenv("PRIVET_PASSPHRASE_FILE", "")
	// Sockets have short paths.
	state, err := os.MkdirTemp("", "privet")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(state) })
	require.NoError(t, os.Chmod(state, 0o700))
	dev, err := sidecar.Dev(t.Context(), sidecar.DevConfig{StateDir: state})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- dev.Serve(ctx) }()
	defer func() {
		cancel()
		require.NoError(t, <-done)
	}()
	var ran bool
	for _, snippet := range snippets(t, "sh") {
		if !strings.HasPrefix(snippet, "curl ") {
			continue
		}
		ran = true
		sh := exec.CommandContext(t.Context(), "sh", "-c", snippet)
		sh.Env = append(os.Environ(), "SOCKET="+dev.Socket(), "TOKEN_FILE="+dev.TokenFile)
		out, err := sh.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), `{"items":[{"ref":"1","value":"pvt1.`)
	}
	require.True(t, ran, "the README shows no call of curl")
}
