package privet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module is the import path that all packages of the house begin with.
const module = "github.com/privet-dev/privet"

// floors is the house: every room and the floor it is on. A package that is not
// listed belongs to the room whose path is the longest beginning of its own.
// Imports run downwards only, and never within a floor except inside a room.
var floors = map[string]int{
	"examples": 9,

	"cmd/privet":     8,
	"cmd/privet-vet": 8,

	"sidecar": 7,

	"internal/deployment": 6,

	"mask/refresh":      5,
	"retention":         5,
	"protect":           5,
	"classify/discover": 5,
	"classify/tags":     5,

	"policy": 4,

	"mask": 3,

	"tokenize":        2,
	"classify/detect": 2,

	"crypto":          1,
	"audit":           1,
	"access":          1,
	"classify/redact": 1,

	"classify": 0,
	"event":    0,
	"internal": 0,
}

// bare are the rooms that import nothing but the standard library.
var bare = []string{"classify", "event"}

// A listed is what go list says of one package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Standard   bool
}

// golist runs go list with args in the repository.
func golist(t *testing.T, args ...string) []listed {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,Imports,Standard"}, args...)...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	require.NoError(t, err)
	var pkgs []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, pkgs)
			return pkgs
		}
		require.NoError(t, err)
		pkgs = append(pkgs, p)
	}
}

// roomOf returns the room of a package of the house.
func roomOf(importPath string) (room string, ok bool) {
	for p := strings.TrimPrefix(importPath, module+"/"); p != "." && p != ""; {
		if _, ok := floors[p]; ok {
			return p, true
		}
		i := strings.LastIndexByte(p, '/')
		if i < 0 {
			break
		}
		p = p[:i]
	}
	return "", false
}

// climbs returns what in pkgs breaks the rules of the house, one line each.
func climbs(pkgs []listed) []string {
	var found []string
	for _, p := range pkgs {
		if len(p.GoFiles) == 0 {
			continue // tests only, and tests may import anything
		}
		room, ok := roomOf(p.ImportPath)
		if !ok {
			found = append(found, p.ImportPath+" belongs to no room: give it a floor in house_test.go")
			continue
		}
		for _, imp := range p.Imports {
			if !strings.HasPrefix(imp+"/", module+"/") {
				if first, _, _ := strings.Cut(imp, "/"); slices.Contains(bare, room) && strings.Contains(first, ".") {
					found = append(found, fmt.Sprintf("%s imports %s: %s holds to the standard library", p.ImportPath, imp, room))
				}
				continue
			}
			below, ok := roomOf(imp)
			switch {
			case !ok:
				found = append(found, fmt.Sprintf("%s imports %s, which belongs to no room", p.ImportPath, imp))
			case room != below && floors[room] <= floors[below]:
				found = append(found, fmt.Sprintf("%s (floor %d) imports %s (floor %d)", p.ImportPath, floors[room], imp, floors[below]))
			}
		}
	}
	return found
}

func TestImportsRunDownTheFloors(t *testing.T) {
	require.Empty(t, climbs(golist(t, "./...")))
}

func TestClimbsAreFound(t *testing.T) {
	pkg := func(path string, imports ...string) listed {
		return listed{ImportPath: module + "/" + path, GoFiles: []string{"x.go"}, Imports: imports}
	}
	in := func(path string) string { return module + "/" + path }
	for _, tt := range []struct {
		name string
		pkg  listed
		want string // part of the only finding; "" where all is well
	}{
		{"down", pkg("policy", in("mask"), in("crypto/kms"), "fmt", "github.com/goccy/go-yaml"), ""},
		{"up", pkg("crypto", in("mask")), "crypto (floor 1) imports " + in("mask") + " (floor 3)"},
		{"sideways", pkg("crypto", in("audit")), "crypto (floor 1) imports " + in("audit") + " (floor 1)"},
		{"within a room", pkg("crypto/kms/awskms", in("crypto/kms")), ""},
		{"a room inside a room's folder", pkg("mask", in("mask/refresh/guard")), "mask (floor 3) imports"},
		{"the same, downwards", pkg("mask/refresh/copytext", in("mask")), ""},
		{"internal is on the ground", pkg("internal/catalog", in("internal/fault")), ""},
		{"and looks at nobody", pkg("internal/catalog", in("classify")), "internal/catalog (floor 0) imports"},
		{"except for the deployment", pkg("internal/deployment/keys", in("mask/refresh")), ""},
		{"which is not on the ground", pkg("access", in("internal/deployment")), "access (floor 1) imports"},
		{"standard library only", pkg("event", "golang.org/x/sync/errgroup"), "event holds to the standard library"},
		{"standard library only, kept", pkg("event", "encoding/json"), ""},
		{"a detector is not bare", pkg("classify/detect", "github.com/nyaruka/phonenumbers"), ""},
		{"unknown", pkg("pkg/util"), "belongs to no room"},
		{"imports unknown", pkg("cmd/privet", in("pkg/util")), "which belongs to no room"},
		{"like a room by name only", pkg("cryptography"), "belongs to no room"},
		{"tests only", listed{ImportPath: module, Imports: []string{in("cmd/privet")}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := climbs([]listed{tt.pkg})
			if tt.want == "" {
				require.Empty(t, got)
				return
			}
			require.Len(t, got, 1)
			require.Contains(t, got[0], tt.want)
		})
	}
}

// foreign are the packages that a Go service which encrypts fields must not find
// in its binary: database drivers, cloud SDKs, frameworks for commands, servers
// and metrics.
var foreign = []string{
	"net/http", "database/sql",
	"github.com/jackc/", "modernc.org/", "github.com/pressly/",
	"github.com/aws/", "cloud.google.com/", "github.com/Azure/",
	"github.com/spf13/", "github.com/prometheus/", "google.golang.org/grpc",
	"github.com/brianvoe/", "github.com/goccy/",
}

// linked returns the packages among pkgs that begin with an entry of foreign.
func linked(pkgs []listed) []string {
	var found []string
	for _, p := range pkgs {
		if slices.ContainsFunc(foreign, func(f string) bool {
			return p.ImportPath == f || strings.HasPrefix(p.ImportPath, strings.TrimSuffix(f, "/")+"/")
		}) {
			found = append(found, p.ImportPath)
		}
	}
	return found
}

func TestCryptoLinksNoDriver(t *testing.T) {
	require.Empty(t, linked(golist(t, "-deps", "./crypto")))
}

func TestDriversAreFound(t *testing.T) {
	require.NotEmpty(t, linked(golist(t, "-deps", "./internal/pgtest")), "pgtest links pgx")
}

// undocumented returns the exported names of files without a doc comment, and the
// package itself where no file documents it. A comment on a group of constants or
// variables documents them all.
func undocumented(fset *token.FileSet, pkg string, files []*ast.File) []string {
	var found []string
	missing := func(pos token.Pos, what string) {
		found = append(found, fmt.Sprintf("%s: %s", fset.Position(pos), what))
	}
	if !slices.ContainsFunc(files, func(f *ast.File) bool { return documented(f.Doc) }) {
		found = append(found, pkg+": the package has no comment")
	}
	for _, f := range files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					receiver := receiverOf(d.Recv.List[0].Type)
					if !ast.IsExported(receiver) {
						continue
					}
					name = receiver + "." + name
				}
				if d.Name.IsExported() && !documented(d.Doc) {
					missing(d.Pos(), name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && !documented(d.Doc, s.Doc) {
							missing(s.Pos(), s.Name.Name)
						}
					case *ast.ValueSpec:
						if documented(d.Doc, s.Doc, s.Comment) {
							continue
						}
						for _, n := range s.Names {
							if n.IsExported() {
								missing(n.Pos(), n.Name)
							}
						}
					}
				}
			}
		}
	}
	return found
}

// documented reports whether one of the comments says something.
func documented(comments ...*ast.CommentGroup) bool {
	return slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return strings.TrimSpace(c.Text()) != "" })
}

// receiverOf returns the name of a method's type.
func receiverOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiverOf(e.X)
	case *ast.IndexExpr:
		return receiverOf(e.X)
	case *ast.IndexListExpr:
		return receiverOf(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestExportedNamesAreDocumented(t *testing.T) {
	var found []string
	for _, p := range golist(t, "./...") {
		if len(p.GoFiles) == 0 || strings.HasPrefix(p.ImportPath, module+"/examples/") {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			require.NoError(t, err)
			files = append(files, f)
		}
		found = append(found, undocumented(fset, p.ImportPath, files)...)
	}
	require.Empty(t, found)
}

func TestUndocumentedNamesAreFound(t *testing.T) {
	for src, want := range map[string][]string{
		"// Package p is.\npackage p":                                                     nil,
		"package p":                                                                       {"p: the package has no comment"},
		"// Package p is.\npackage p\nfunc F() {}":                                        {"p.go:3:1: F"},
		"// Package p is.\npackage p\n//go:noinline\nfunc F() {}":                         {"p.go:4:1: F"},
		"// Package p is.\npackage p\n// F does.\nfunc F() {}\nfunc g() {}":               nil,
		"// Package p is.\npackage p\ntype T[K any] struct{ Field int }":                  {"p.go:3:6: T"},
		"// Package p is.\npackage p\n// T is.\ntype T[K any] int\nfunc (t *T[K]) M() {}": {"p.go:5:1: T.M"},
		"// Package p is.\npackage p\ntype t int\nfunc (t) M() {}":                        nil,
		"// Package p is.\npackage p\nconst (\n\tA = 1\n\tB = 2 // two\n)":                {"p.go:4:2: A"},
		"// Package p is.\npackage p\n// Both are.\nconst (\n\tA = 1\n\tB = 2\n)":         nil,
		"// Package p is.\npackage p\nvar A, b = 1, 2":                                    {"p.go:3:5: A"},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "p.go", src, parser.ParseComments)
		require.NoError(t, err)
		require.Equal(t, want, undocumented(fset, "p", []*ast.File{f}), src)
	}
}
