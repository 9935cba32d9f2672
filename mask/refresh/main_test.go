package refresh_test

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/mask/refresh"
	"github.com/privet-dev/privet/mask/refresh/guard"
	"github.com/privet-dev/privet/policy"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// keys derives subkeys from one secret.
type keys struct{}

func (keys) Subkey(_ context.Context, tenant, domain, purpose string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte("a secret of the tests"), nil, tenant+"\x00"+domain+"\x00"+purpose, n)
}

// A pair is a source with the shop in it and a marked target.
type pair struct {
	t              *testing.T
	admin          string // the superuser's connection to database postgres
	source, target string
	entry          guard.Target
	progress       *progress
}

func testdata(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(b)
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := emptyPair(t)
	pgtest.Exec(t, p.source, testdata(t, "shop.sql"))
	return p
}

func emptyPair(t *testing.T) *pair {
	t.Helper()
	pgtest.Shared(t)
	p := &pair{t: t, source: pgtest.Database(t), target: pgtest.Database(t), progress: &progress{}}
	p.admin = pgtest.InDatabase(t, p.target, "postgres")
	pgtest.Exec(t, p.target, "CREATE TABLE old_content (x text); INSERT INTO old_content VALUES ('still here')")
	t.Cleanup(func() { p.dropLeftovers() })
	p.mark()
	return p
}

func (p *pair) mark() {
	p.t.Helper()
	entry, err := guard.Mark(p.t.Context(), p.target)
	require.NoError(p.t, err)
	p.entry = entry
}

func database(t testing.TB, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	require.NoError(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// dropLeftovers drops what runs of the target left on the server.
func (p *pair) dropLeftovers() {
	conn, err := pgx.Connect(context.Background(), p.admin)
	require.NoError(p.t, err)
	defer conn.Close(context.Background())
	for _, name := range p.leftovers() {
		_, err := conn.Exec(context.Background(), fmt.Sprintf("DROP DATABASE %q WITH (FORCE)", name))
		require.NoError(p.t, err)
	}
}

// leftovers names the databases of runs of the target.
func (p *pair) leftovers() []string {
	return query(p.t, p.admin,
		"SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1", database(p.t, p.target)+"_")
}

func (p *pair) config(policyText string) refresh.Config {
	p.t.Helper()
	pol, err := policy.Parse("privet.yaml", []byte(policyText))
	require.NoError(p.t, err)
	return refresh.Config{Source: p.source, Target: p.target, Policy: pol, Keys: keys{}, Jobs: 2, TempDir: p.t.TempDir(),
		Targets: map[string]guard.Target{"staging": p.entry}, Progress: p.progress, Version: "test"}
}

// query returns the rows of a query as text, one line each.
func query(t testing.TB, uri, sql string, args ...any) []string {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), uri) // also in a Cleanup, where t's own context has ended
	require.NoError(t, err)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), sql, args...)
	require.NoError(t, err)
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		values, err := rows.Values()
		require.NoError(t, err)
		line := make([]string, len(values))
		for i, v := range values {
			line[i] = fmt.Sprint(v)
		}
		out = append(out, strings.Join(line, "|"))
	}
	require.NoError(t, rows.Err())
	return out
}

// untouched returns a check that the target is exactly as it is now.
func (p *pair) untouched() func() {
	p.t.Helper()
	look := func() []string {
		out := query(p.t, p.target, `SELECT d.oid, d.datname, d.datdba, d.datacl::text, d.datconnlimit, d.datallowconn,
			shobj_description(d.oid, 'pg_database') FROM pg_database d WHERE datname = current_database()`)
		out = append(out, query(p.t, p.target, "SELECT oid, relname, relowner, relfilenode, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY oid")...)
		return append(out, query(p.t, p.target, "SELECT x FROM old_content")...)
	}
	before := look()
	return func() {
		p.t.Helper()
		require.Equal(p.t, before, look(), "the target has changed")
	}
}

// leaks fails the test where goroutines outlive it.
func leaks(t *testing.T) {
	t.Helper()
	opt := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, opt) })
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return c
}

// recorder appends every event to list.
func recorder(list *[]event.Event) event.Recorder {
	var mu sync.Mutex
	return event.RecorderFunc(func(_ context.Context, e event.Event) error {
		mu.Lock()
		defer mu.Unlock()
		*list = append(*list, e)
		return nil
	})
}
