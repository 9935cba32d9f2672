package reencrypt_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/classify"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/crypto/keystore"
	"github.com/privet-dev/privet/crypto/keystore/memstore"
	"github.com/privet-dev/privet/crypto/kms/localkms"
	"github.com/privet-dev/privet/crypto/reencrypt"
	"github.com/privet-dev/privet/event"
	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgtest"
	"github.com/privet-dev/privet/internal/walk"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// A hooked keystore calls hook, where set, before each read, one at a time.
type hooked struct {
	keystore.Store
	mu   sync.Mutex
	hook func()
}

func (h *hooked) set(hook func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hook = hook
}

func (h *hooked) Get(ctx context.Context, ids []keystore.ID) ([]*keystore.Record, error) {
	h.mu.Lock()
	if h.hook != nil {
		h.hook()
	}
	h.mu.Unlock()
	return h.Store.Get(ctx, ids)
}

// A world is a client and a database with the table c.
type world struct {
	uri   string
	conn  *pgx.Conn
	c     *crypto.Client
	store *hooked
	cfg   reencrypt.Config
}

func newWorld(t *testing.T, rows int) *world {
	t.Helper()
	kek, err := localkms.Create(filepath.Join(t.TempDir(), "kek.json"), nil)
	require.NoError(t, err)
	w := &world{uri: pgtest.Database(t), store: &hooked{Store: memstore.New()}}
	w.c, err = crypto.New(t.Context(), crypto.Config{KEK: kek, Keystore: w.store})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.c.Close()) })
	pgtest.Exec(t, w.uri, fmt.Sprintf(`CREATE TABLE c (org text, id int, email text, email_enc bytea, email_idx bytea, PRIMARY KEY (org, id));
		INSERT INTO c SELECT CASE WHEN i %% 3 = 0 THEN 'globex' ELSE 'acme' END, i, 'User' || i || '@Example.com' FROM generate_series(1, %d) i`, rows))
	w.conn = pgtest.Connect(t, w.uri)
	emails, err := crypto.NormalizerFor(classify.Email)
	require.NoError(t, err)
	w.cfg = reencrypt.Config{
		Client: w.c, Mode: reencrypt.Fill, Table: "public.c", Plaintext: "email", Encrypted: "email_enc", Index: "email_idx",
		IndexConfig: crypto.BlindIndexConfig{Normalize: emails},
		Field:       "customer.email", TenantColumn: "org", SubjectColumn: "id", Batch: 10,
	}
	return w
}

// run runs in a mode and wants no error, nor rows that were left.
func (w *world) run(t *testing.T, m reencrypt.Mode) reencrypt.Report {
	t.Helper()
	w.cfg.Mode = m
	r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.True(t, r.Complete)
	return r
}

func (w *world) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.conn.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
}

func (w *world) count(t *testing.T, condition string) (n int) {
	t.Helper()
	require.NoError(t, w.conn.QueryRow(t.Context(), "SELECT count(*) FROM c WHERE "+condition).Scan(&n))
	return n
}

// opened returns what each row's ciphertext says, "" for NULL, and checks its index.
func (w *world) opened(t *testing.T) map[int]string {
	t.Helper()
	rows, err := w.conn.Query(t.Context(), "SELECT org, id, email_enc, email_idx FROM c")
	require.NoError(t, err)
	out := map[int]string{}
	var org string
	var id int
	var enc, index []byte
	_, err = pgx.ForEachRow(rows, []any{&org, &id, &enc, &index}, func() error {
		if out[id] = ""; enc == nil {
			return nil
		}
		plaintext, err := w.c.Decrypt(t.Context(), enc, crypto.Context{Tenant: org, Subject: fmt.Sprint(id), Field: "customer.email"})
		if err != nil {
			return err
		}
		out[id] = string(plaintext)
		if index == nil {
			return nil
		}
		cfg := w.cfg.IndexConfig
		cfg.Tenant, cfg.Field = org, "customer.email"
		x, err := w.c.BlindIndex(t.Context(), cfg)
		if err != nil {
			return err
		}
		want, err := x.Append(t.Context(), nil, plaintext)
		require.Equal(t, want, index)
		return err
	})
	require.NoError(t, err)
	return out
}

func TestFillRotateRefreshClear(t *testing.T) {
	w := newWorld(t, 60)
	w.exec(t, `UPDATE c SET email = NULL WHERE id = 1; UPDATE c SET email = '' WHERE id = 2; UPDATE c SET email = 'no address' WHERE id = 3`)

	w.cfg.DryRun = true
	r := w.run(t, reencrypt.Fill)
	require.EqualValues(t, 59, r.Written)
	require.Equal(t, 2, r.Tenants)
	require.Zero(t, w.count(t, "email_enc IS NOT NULL"))
	w.cfg.DryRun = false

	r = w.run(t, reencrypt.Fill)
	require.EqualValues(t, 60, r.Rows)
	require.EqualValues(t, 59, r.Written)
	require.EqualValues(t, 2, r.NoIndex)
	require.Equal(t, 57, w.count(t, "email_idx IS NOT NULL"))
	got := w.opened(t)
	require.Equal(t, "User60@Example.com", got[60])
	require.Equal(t, "", got[2])
	require.Equal(t, "no address", got[3])
	require.Zero(t, w.run(t, reencrypt.Fill).Written, "filling again finds nothing")
	require.Zero(t, w.run(t, reencrypt.Refresh).Written, "all is under the newest keys")

	for _, s := range []crypto.Scope{{Tenant: "acme", Subject: "10"}, {Tenant: "globex", Domain: "blind_index/customer.email"}} {
		_, err := w.c.Rotate(t.Context(), s)
		require.NoError(t, err)
	}
	w.exec(t, `UPDATE c SET email_idx = NULL WHERE id = 4`)
	// Subject 10, the indexed rows of globex (20 less the one without an address), and row 4.
	w.cfg.DryRun = true
	require.EqualValues(t, 1+19+1, w.run(t, reencrypt.Refresh).Written)
	w.cfg.DryRun = false
	require.EqualValues(t, 1+19+1, w.run(t, reencrypt.Refresh).Written)
	w.cfg.DryRun = true
	require.Zero(t, w.run(t, reencrypt.Refresh).Written, "nothing is stale")
	w.cfg.DryRun = false
	require.Equal(t, got, w.opened(t), "values are what they were")

	require.EqualValues(t, 59, w.run(t, reencrypt.Clear).Written)
	require.Zero(t, w.count(t, "email IS NOT NULL"))
	require.Equal(t, got, w.opened(t))
}

// Clearing keeps every plaintext that the ciphertext does not say exactly.
func TestClearKeepsWhatItCannotProve(t *testing.T) {
	w := newWorld(t, 8)
	w.run(t, reencrypt.Fill)
	w.exec(t, `UPDATE c SET email = 'new@example.com' WHERE id = 1; UPDATE c SET email_enc = NULL WHERE id = 2;
		UPDATE c SET email_enc = set_byte(email_enc, 40, get_byte(email_enc, 40) # 1) WHERE id = 4; UPDATE c SET email = lower(email) WHERE id = 5;
		UPDATE c SET email_enc = (SELECT email_enc FROM c WHERE id = 8) WHERE id = 7`)
	_, err := w.c.Shred(t.Context(), "globex", "3", crypto.ShredOptions{})
	require.NoError(t, err)
	problems := map[string]error{}
	w.cfg.Mode, w.cfg.Problem = reencrypt.Clear, func(key []string, err error) { problems[key[1]] = err }
	r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	require.NoError(t, err)
	require.Equal(t, reencrypt.Report{Table: "public.c", Mode: reencrypt.Clear, Complete: true, Rows: 8, Tenants: 2,
		Written: 2, Different: 2, Unfilled: 1, Unreadable: 2, Erased: 1}, r)
	require.Equal(t, fault.Data, fault.KindOf(r.Err()))
	require.NotContains(t, r.Err().Error(), "example.com")
	require.Len(t, problems, 5)
	require.ErrorIs(t, problems["1"], reencrypt.ErrDifferent)
	require.ErrorIs(t, problems["2"], reencrypt.ErrUnfilled)
	require.ErrorIs(t, problems["4"], crypto.ErrDecrypt)
	require.Equal(t, 6, w.count(t, "email IS NOT NULL"))
	require.Equal(t, 2, w.count(t, "email IS NULL AND id IN (6, 8)"))
}

// Under a column's own collation two values may be equal that are not the same.
func TestAChangeOfCaseIsAChange(t *testing.T) {
	w := newWorld(t, 5)
	if _, err := w.conn.Exec(t.Context(), `CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`); err != nil {
		t.Skip("the server has no ICU")
	}
	w.exec(t, `ALTER TABLE c ALTER email TYPE text COLLATE ci`)
	changed := false
	w.store.set(func() {
		if !changed {
			changed = true
			_, err := w.conn.Exec(context.Background(), `UPDATE c SET email = upper(email) WHERE id = 4`)
			if err != nil {
				t.Error(err)
			}
		}
	})
	require.EqualValues(t, 5, w.run(t, reencrypt.Fill).Written)
	require.Equal(t, "USER4@EXAMPLE.COM", w.opened(t)[4])
}

func TestRunsAreRecorded(t *testing.T) {
	w := newWorld(t, 4)
	var events []event.Event
	w.cfg.Recorder = event.RecorderFunc(func(_ context.Context, e event.Event) error {
		events = append(events, e)
		return nil
	})
	w.run(t, reencrypt.Fill)
	require.Equal(t, []event.Event{{Action: "crypto.reencrypt.fill", Object: "public.c", Outcome: "ok", Count: 4}}, events)
	w.cfg.DryRun = true
	w.run(t, reencrypt.Clear)
	require.Len(t, events, 1)
}

func TestErasedSubjectsAreSkippedAndCounted(t *testing.T) {
	w := newWorld(t, 6)
	_, err := w.c.Shred(t.Context(), "acme", "2", crypto.ShredOptions{})
	require.NoError(t, err)
	r := w.run(t, reencrypt.Fill)
	require.EqualValues(t, 5, r.Written)
	require.EqualValues(t, 1, r.Erased)
	_, err = w.c.Shred(t.Context(), "acme", "4", crypto.ShredOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, w.run(t, reencrypt.Refresh).Erased)
}

// Others change rows between reading and writing, on each page: what they wrote is what
// stays, in clear and encrypted.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	w := newWorld(t, 200)
	pages := 0
	w.store.set(func() { // while keys are read: after the page was read, before it is written
		pages++
		// The first rows without a ciphertext are those of the page.
		_, err := w.conn.Exec(context.Background(), `UPDATE c SET email = 'changed' || id || '@example.com'
			WHERE email_enc IS NULL AND (org, id) IN (SELECT org, id FROM c WHERE email_enc IS NULL ORDER BY org, id LIMIT 3)`)
		if err != nil {
			t.Error(err)
		}
	})
	// Meanwhile an application that knows both columns keeps writing them together.
	app := pgtest.Connect(t, w.uri)
	stop, wrote := make(chan struct{}), map[int]string{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			id := 1 + n*37%200
			org := "acme"
			if id%3 == 0 {
				org = "globex"
			}
			value := fmt.Sprintf("app%d@example.com", n)
			ciphertext, err := w.c.Encrypt(context.Background(), []byte(value), crypto.Context{Tenant: org, Subject: fmt.Sprint(id), Field: "customer.email"})
			if err == nil {
				_, err = app.Exec(context.Background(), `UPDATE c SET email = $1, email_enc = $2, email_idx = NULL WHERE id = $3`, value, ciphertext, id)
			}
			if err != nil {
				t.Error(err)
				return
			}
			wrote[id] = value
		}
	})
	r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	close(stop)
	wg.Wait()
	w.store.set(nil)
	require.NoError(t, err)
	require.True(t, r.Complete)
	require.NotEmpty(t, wrote)
	require.NotZero(t, pages)
	for w.run(t, reencrypt.Fill).Written > 0 {
	}
	rows, err := w.conn.Query(t.Context(), "SELECT id, email FROM c")
	require.NoError(t, err)
	want, id, email := map[int]string{}, 0, ""
	_, err = pgx.ForEachRow(rows, []any{&id, &email}, func() error { want[id] = email; return nil })
	require.NoError(t, err)
	require.Len(t, want, 200)
	for id, value := range wrote {
		require.Equal(t, value, want[id], "the application's last word")
	}
	require.Equal(t, want, w.opened(t))
}

// Rows that are changed at each attempt are left, and said to be.
func TestRowsThatKeepChangingAreLeft(t *testing.T) {
	w := newWorld(t, 5)
	w.exec(t, `CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
		CREATE TRIGGER busy BEFORE UPDATE ON c FOR EACH ROW WHEN (old.id = 2) EXECUTE FUNCTION busy()`)
	r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	require.NoError(t, err)
	require.EqualValues(t, 4, r.Written)
	require.EqualValues(t, 1, r.Changed)
	require.Equal(t, fault.Stopped, fault.KindOf(r.Err()))
}

// The server ends the session in the middle of a page: the next run goes on with it.
func TestKilledInTheMiddleAndResumed(t *testing.T) {
	w := newWorld(t, 60)
	reads := 0
	w.store.set(func() {
		if reads++; reads == 9 {
			_, err := w.conn.Exec(context.Background(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'privet reencrypt' AND datname = current_database()`)
			if err != nil {
				t.Error(err)
			}
		}
	})
	first, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	require.Equal(t, fault.Stopped, fault.KindOf(err), "%v", err)
	require.False(t, first.Complete)
	w.store.set(nil)
	done := w.count(t, "email_enc IS NOT NULL")
	require.EqualValues(t, first.Written, done)
	require.Less(t, done, 60)

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("time is up")
	cfg := w.cfg
	cfg.Progress = func(reencrypt.Progress) { cancel(why) }
	second, err := reencrypt.Run(ctx, w.uri, cfg)
	require.ErrorIs(t, err, why)
	require.Equal(t, fault.Stopped, fault.KindOf(err))

	third := w.run(t, reencrypt.Fill)
	require.EqualValues(t, 60, first.Written+second.Written+third.Written)
	require.EqualValues(t, 60, third.Rows)
	require.Len(t, w.opened(t), 60)
	require.Zero(t, w.count(t, "email_enc IS NULL"))
}

func TestQuotedNamesTextColumnsAndALeastPrivilegedRole(t *testing.T) {
	w := newWorld(t, 0)
	mover := pgtest.Role(t, w.uri, "reencrypt_mover")
	w.exec(t, `CREATE SCHEMA "my shop"; CREATE TABLE "my shop"."Cust.omer" ("Id" uuid DEFAULT gen_random_uuid() PRIMARY KEY, "e ""mail" varchar(80), "Enc" text, "Idx" bytea, hidden text);
		INSERT INTO "my shop"."Cust.omer" ("e ""mail") SELECT 'u' || i || '@example.com' FROM generate_series(1, 25) i`)
	w.exec(t, walk.CheckpointDDL)
	cfg := reencrypt.Config{
		Client: w.c, Mode: reencrypt.Fill, Table: `"my shop"."Cust.omer"`, Plaintext: `e "mail`, Encrypted: "Enc", Index: "Idx",
		Field: "customer.email", Tenant: "acme", SubjectColumn: "Id", Batch: 10,
	}
	for _, grant := range []string{
		`GRANT USAGE ON SCHEMA "my shop" TO reencrypt_mover`,
		`GRANT SELECT ("Id", "e ""mail", "Enc", "Idx"), UPDATE ("e ""mail", "Enc", "Idx") ON "my shop"."Cust.omer" TO reencrypt_mover`,
		`GRANT USAGE ON SCHEMA privet TO reencrypt_mover; GRANT SELECT, INSERT, UPDATE, DELETE ON privet.walk TO reencrypt_mover`,
	} {
		_, err := reencrypt.Run(t.Context(), mover, cfg)
		require.Equal(t, fault.Config, fault.KindOf(err), "without %s: %v", grant, err)
		w.exec(t, grant)
	}
	for _, mode := range []reencrypt.Mode{reencrypt.Fill, reencrypt.Clear} {
		cfg.Mode = mode
		r, err := reencrypt.Run(t.Context(), mover, cfg)
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.EqualValues(t, 25, r.Written, mode)
	}
	var text int
	require.NoError(t, w.conn.QueryRow(t.Context(), `SELECT count(*) FROM "my shop"."Cust.omer" WHERE "Enc" LIKE 'pvt1.%' AND length("Idx") = 16 AND "e ""mail" IS NULL`).Scan(&text))
	require.Equal(t, 25, text)
}

// A struct whose subject is bytes opens what was filled from a bytea column.
func TestSubjectsOfBytesAreThoseOfStructs(t *testing.T) {
	w := newWorld(t, 1)
	w.exec(t, `ALTER TABLE c ADD key bytea; UPDATE c SET key = '\xfe01'`)
	w.cfg.SubjectColumn = "key"
	w.run(t, reencrypt.Fill)
	var row struct {
		Org   string `classify:"internal,tenant"`
		Key   []byte `classify:"internal,subject"`
		Email []byte `classify:"confidential,encrypt=customer.email"`
	}
	require.NoError(t, w.conn.QueryRow(t.Context(), `SELECT org, key, email_enc FROM c`).Scan(&row.Org, &row.Key, &row.Email))
	require.NoError(t, w.c.Open(t.Context(), &row, crypto.Context{}))
	require.Equal(t, "User1@Example.com", string(row.Email))
}

// A tenant or subject column that is not the right one is met before a value is lost.
func TestWrongContextColumns(t *testing.T) {
	w := newWorld(t, 6)
	w.run(t, reencrypt.Fill)
	w.exec(t, `ALTER TABLE c ADD other text; UPDATE c SET other = 'acme' WHERE id < 3; UPDATE c SET other = E'a\nb' WHERE id = 3`)
	w.cfg.TenantColumn = "other"
	for _, mode := range []reencrypt.Mode{reencrypt.Refresh, reencrypt.Clear} {
		w.cfg.Mode = mode
		r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
		require.NoError(t, err)
		require.EqualValues(t, 4, r.NoContext, mode)
		require.Equal(t, fault.Data, fault.KindOf(r.Err()))
	}
	require.Equal(t, 4, w.count(t, "email IS NOT NULL"), "only what opened as acme's was cleared")
	w.cfg.TenantColumn, w.cfg.SubjectColumn, w.cfg.Mode = "org", "", reencrypt.Refresh
	r, err := reencrypt.Run(t.Context(), w.uri, w.cfg)
	require.NoError(t, err)
	require.EqualValues(t, 6, r.Unreadable)
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, 1)
	w.exec(t, `CREATE TABLE k (a text, b bytea); CREATE TABLE s (id int PRIMARY KEY, born timestamptz, must text NOT NULL, short varchar(20), enc bytea, n int, gen bytea GENERATED ALWAYS AS ('\x00'::bytea) STORED);
		CREATE TABLE parent (id int PRIMARY KEY, a text, b bytea); CREATE TABLE child () INHERITS (parent)`)
	for name, tt := range map[string]struct {
		change func(*reencrypt.Config)
		kind   fault.Kind
		says   string
	}{
		"mode":               {func(c *reencrypt.Config) { c.Mode = "refres" }, fault.Config, `did you mean "refresh"`},
		"no field":           {func(c *reencrypt.Config) { c.Field = "" }, fault.Config, "no field"},
		"two tenants":        {func(c *reencrypt.Config) { c.Tenant = "acme" }, fault.Config, "either one tenant"},
		"one column twice":   {func(c *reencrypt.Config) { c.Index = "email" }, fault.Config, "as the plaintext and as the index"},
		"no plaintext":       {func(c *reencrypt.Config) { c.Plaintext = "" }, fault.Config, "no plaintext column"},
		"no such table":      {func(c *reencrypt.Config) { c.Table = "public.d" }, fault.Config, "did you mean"},
		"no such column":     {func(c *reencrypt.Config) { c.Encrypted = "emai_enc" }, fault.Config, `did you mean "email_enc"`},
		"wrong tenant":       {func(c *reencrypt.Config) { c.TenantColumn = "orgg" }, fault.Config, `did you mean "org"`},
		"index is text":      {func(c *reencrypt.Config) { c.Index, c.Plaintext, c.Mode = "email", "", reencrypt.Refresh }, fault.Policy, "needs bytea"},
		"no primary key":     {on("public.k", "a", "b"), fault.Policy, "no primary key"},
		"a time":             {on("public.s", "born", "enc"), fault.Policy, "not what applications would encrypt"},
		"short column":       {on("public.s", "must", "short"), fault.Policy, "ciphertexts need"},
		"number column":      {on("public.s", "must", "n"), fault.Policy, "ciphertexts need"},
		"generated column":   {on("public.s", "must", "gen"), fault.Policy, "generated"},
		"inheritance":        {on("public.parent", "a", "b"), fault.Policy, "inherits"},
		"NOT NULL, to clear": {func(c *reencrypt.Config) { on("public.s", "must", "enc")(c); c.Mode = reencrypt.Clear }, fault.Policy, "NOT NULL"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := w.cfg
			tt.change(&cfg)
			_, err := reencrypt.Run(t.Context(), w.uri, cfg)
			require.ErrorContains(t, err, tt.says)
			require.Equal(t, tt.kind, fault.KindOf(err))
		})
	}
	_, err := reencrypt.Run(t.Context(), "postgres://u:s3cret@h:port/db", w.cfg)
	require.Equal(t, fault.Config, fault.KindOf(err))
	require.NotContains(t, err.Error(), "s3cret")
}

// on works on another table, whose rows are all of one tenant.
func on(table, plaintext, encrypted string) func(*reencrypt.Config) {
	return func(c *reencrypt.Config) {
		c.Table, c.Plaintext, c.Encrypted, c.Index = table, plaintext, encrypted, ""
		c.Tenant, c.TenantColumn, c.SubjectColumn = "acme", "", ""
	}
}
