package refresh

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
	"github.com/privet-dev/privet/internal/pgbin"
	"github.com/privet-dev/privet/internal/pgconnect"
)

// dumpLockWait bounds, in milliseconds, how long pg_dump waits for locks that
// the coordinator already holds: longer than nothing only when somebody queues
// for a stronger one.
const dumpLockWait = 5000

// A schema is the source's structure as pg_dump wrote it, in a folder that only
// this user can read and that close removes.
type schema struct {
	files   *scratch
	archive string
	list    string // the table of contents that is restored
	version int    // of the server that is restored to
	// fingerprint is the SHA-256 of the structure as SQL.
	fingerprint string
	// leftOut names what is not restored: see unwanted.
	leftOut []string
}

// unwanted are the entries that do not belong into a copy: they connect it to
// other systems, hold passwords, act on the whole server, or need rights that a
// loader lacks.
var unwanted = []string{
	"SUBSCRIPTION TABLE", "SUBSCRIPTION", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION",
	"USER MAPPING", "EVENT TRIGGER", "SECURITY LABEL", "DATABASE PROPERTIES", "DEFAULT ACL", "ACL",
}

// silent are the entries that are left out without a word.
var silent = []string{"ACL", "DEFAULT ACL", "DATABASE PROPERTIES"}

var unwantedComment = regexp.MustCompile(`^COMMENT \S+ (EXTENSION|EVENT TRIGGER|PUBLICATION|SUBSCRIPTION|DATABASE) `)

// dumpSchema writes the structure that the snapshot sees. Comments are part of
// it; owners, privileges, subscriptions, tablespaces, statistics and large objects
// are not, and publications are left out by choose, which names them.
func dumpSchema(ctx context.Context, s *snapshot, targetVersion int, tempDir string) (_ *schema, err error) {
	files, err := newScratch(tempDir)
	if err != nil {
		return nil, err
	}
	c := &schema{files: files, archive: filepath.Join(files.dir, "schema.dump"), list: filepath.Join(files.dir, "schema.list"), version: targetVersion}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	// The newer of the two: pg_dump reads older servers, and what it writes must
	// be understood by the target.
	version := max(s.cat.ServerVersion, targetVersion)
	c.version = version
	args := []string{
		"--format=custom", "--schema-only", "--no-owner", "--no-privileges", "--no-subscriptions",
		"--no-security-labels", "--no-tablespaces", "--snapshot=" + s.id,
		"--lock-wait-timeout=" + strconv.Itoa(dumpLockWait), "--file=" + c.archive, "--dbname=" + s.place.ConnInfo(),
	}
	path, err := pgbin.FindFor(ctx, "pg_dump", version/10000)
	if err != nil {
		return nil, err
	}
	if major, err := pgbin.Major(ctx, path); err == nil && major >= 18 {
		args = append(args, "--no-statistics")
	}
	if _, err := runProgram(ctx, "pg_dump", version, s.place, s.app, args...); err != nil {
		return nil, dumpFault(err)
	}
	contents, err := runProgram(ctx, "pg_restore", version, nil, s.app, "--list", c.archive)
	if err != nil {
		return nil, err
	}
	kept := c.choose(contents)
	if err := os.WriteFile(c.list, kept, 0o600); err != nil {
		return nil, fmt.Errorf("write the schema's table of contents: %w", err)
	}
	sql, err := runProgram(ctx, "pg_restore", version, nil, s.app, "--use-list="+c.list, "--no-owner", "--no-privileges", "--file=-", c.archive)
	if err != nil {
		return nil, err
	}
	c.fingerprint = fingerprint(sql)
	return c, nil
}

func dumpFault(err error) error {
	if strings.Contains(err.Error(), "lock timeout") {
		e := fault.New(fault.Guard, "a session waits for a table of the source, so that its schema cannot be read: %v", err).
			WithHint("run again when the migration or maintenance is done")
		e.Err = ErrYielded
		return e
	}
	if strings.Contains(err.Error(), "snapshot") {
		return fault.New(fault.Config, "the schema could not be read in the run's snapshot: %v", err).
			WithHint("connect to one server by its own name, not to a load-balanced reader endpoint or a pooler")
	}
	return fmt.Errorf("read the source's schema: %w", err)
}

// fingerprint hashes SQL text without comments, blank lines and the key of
// \restrict, which differ from one dump of the same schema to the next.
func fingerprint(sql []byte) string {
	h := sha256.New()
	for line := range bytes.Lines(sql) {
		line = bytes.TrimRight(line, "\r\n ")
		if len(line) == 0 || bytes.HasPrefix(line, []byte("--")) || bytes.HasPrefix(line, []byte(`\restrict`)) || bytes.HasPrefix(line, []byte(`\unrestrict`)) {
			continue
		}
		h.Write(line)
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// contentsLine is one entry: "3375; 2606 16411 CONSTRAINT public customer_pkey owner".
var contentsLine = regexp.MustCompile(`^\d+; \d+ \d+ (.*)$`)

// choose returns the table of contents without unwanted entries, in its order.
func (c *schema) choose(contents []byte) []byte {
	var kept bytes.Buffer
	for line := range bytes.Lines(contents) {
		m := contentsLine.FindSubmatch(bytes.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		entry := string(m[1])
		if unwantedComment.MatchString(entry) {
			continue
		}
		i := slices.IndexFunc(unwanted, func(u string) bool { return strings.HasPrefix(entry, u+" ") })
		if i < 0 {
			kept.Write(line)
			continue
		}
		if !slices.Contains(silent, unwanted[i]) {
			c.leftOut = append(c.leftOut, strings.ToLower(unwanted[i])+entry[len(unwanted[i]):strings.LastIndexByte(entry, ' ')])
		}
	}
	return kept.Bytes()
}

// restore brings one section of the schema into the new database.
func (c *schema) restore(ctx context.Context, place *pgconnect.Target, app, section string, jobs int) error {
	_, err := runProgram(ctx, "pg_restore", c.version, place, app,
		"--section="+section, "--use-list="+c.list, "--no-owner", "--no-privileges", "--no-tablespaces", "--exit-on-error",
		"--jobs="+strconv.Itoa(jobs), "--dbname="+place.ConnInfo(), c.archive)
	if err != nil {
		return fmt.Errorf("restore the schema (%s): %w", section, err)
	}
	return nil
}

func (c *schema) close() {
	if c != nil {
		c.files.close()
	}
}
